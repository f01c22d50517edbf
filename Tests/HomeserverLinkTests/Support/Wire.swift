import NIOCore
import NIOPosix
import Synchronization

/// One end of a TCP connection on the loopback address, byte for byte.
final class Wire: Sendable {
    /// An HTTP message as it stood on the wire.
    struct Message: Hashable, Sendable {
        /// The first line and the fields, without the empty line.
        var head: String
        /// Unchunked.
        var body: String
        /// The end was reached as the head says.
        var isWhole: Bool

        var firstLine: Substring { head.split(separator: "\r\n").first ?? "" }

        /// The values of a field, in their order; empty without it.
        func values(of name: String) -> [String] {
            head.split(separator: "\r\n").dropFirst().compactMap { line in
                let parts = line.split(separator: ":", maxSplits: 1)
                guard parts.count == 2, parts[0].lowercased() == name.lowercased() else { return nil }
                return parts[1].drop { $0 == " " }.description
            }
        }

        func value(of name: String) -> String? { values(of: name).first }
    }

    private struct State {
        var bytes: [UInt8] = []
        var isClosed = false
        /// How often something came.
        var changes = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    let channel: any Channel
    private let state = Mutex(State())

    fileprivate init(_ channel: any Channel) { self.channel = channel }

    static func connect(to port: Int) async throws -> Wire {
        let made = Mutex<Wire?>(nil)
        _ = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                let wire = Wire(channel)
                made.withLock { $0 = wire }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Receiving(wire))
                }
            }.connect(host: "127.0.0.1", port: port).get()
        guard let wire = made.withLock({ $0 }) else { throw ChannelError.ioOnClosedChannel }
        return wire
    }

    func send(_ text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)).get() }

    func close() { channel.close(promise: nil) }

    /// Stops taking bytes from the network, so that the other end cannot go on writing.
    func stopReading() async throws { try await channel.setOption(.autoRead, value: false).get() }

    func goOnReading() async throws {
        try await channel.setOption(.autoRead, value: true).get()
        channel.read()
    }

    /// Returns when the other end closed the connection.
    func closed() async { await change { $0.isClosed } }

    /// How many bytes have come and were not read as messages.
    var received: Int { state.withLock { $0.bytes.count } }

    /// Waits for so many bytes.
    func receive(_ count: Int) async { await change { $0.bytes.count >= count || $0.isClosed } }

    /// Waits for a byte that no head begins with: the body has begun.
    func receive(_ byte: Character) async {
        await change { $0.bytes.contains { $0 == byte.asciiValue } || $0.isClosed }
    }

    /// The next message, or as much of it as came before the connection was closed; `nil` if nothing did.
    func message(answering method: String = "GET") async -> Message? {
        while true {
            let seen = state.withLock { state -> (message: Message?, isLast: Bool, changes: Int) in
                guard let (message, length) = Wire.parse(state.bytes, answering: method, isClosed: state.isClosed)
                else { return (nil, state.isClosed, state.changes) }
                state.bytes.removeFirst(length)
                return (message, true, state.changes)
            }
            if seen.isLast { return seen.message }
            await change { $0.changes != seen.changes }
        }
    }

    /// Waits until it is so.
    private func change(_ isSo: @Sendable (State) -> Bool) async {
        while true {
            let before = state.withLock { isSo($0) ? nil : $0.changes }
            guard let before else { return }
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard state.changes == before else { return true }
                    state.waiting.append(continuation)
                    return false
                }
                if isOver { continuation.resume() }
            }
        }
    }

    fileprivate func take(_ bytes: ByteBuffer?) {
        let waiting = state.withLock { state in
            state.changes += 1
            if let bytes { state.bytes += Array(bytes.readableBytesView) } else { state.isClosed = true }
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    private static func parse(_ bytes: [UInt8], answering method: String, isClosed: Bool) -> (Message, Int)? {
        guard let end = find("\r\n\r\n", in: bytes[...]) else {
            guard isClosed, !bytes.isEmpty else { return nil }
            return (Message(head: String(decoding: bytes, as: UTF8.self), body: "", isWhole: false), bytes.count)
        }
        var message = Message(head: String(decoding: bytes[..<end], as: UTF8.self), body: "", isWhole: true)
        let start = end + 4
        let isAnswer = message.head.hasPrefix("HTTP/")
        let status = isAnswer ? message.head.split(separator: " ").dropFirst().first ?? "" : ""
        if method == "HEAD" || status.hasPrefix("1") || status == "204" || status == "304" { return (message, start) }
        if let length = message.value(of: "content-length").flatMap({ Int($0) }) {
            guard bytes.count >= start + length || isClosed else { return nil }
            let last = min(bytes.count, start + length)
            message.body = String(decoding: bytes[start..<last], as: UTF8.self)
            message.isWhole = last == start + length
            return (message, last)
        }
        guard message.value(of: "transfer-encoding") == "chunked" else {
            guard isAnswer else { return (message, start) }
            guard isClosed else { return nil }
            message.body = String(decoding: bytes[start...], as: UTF8.self)
            return (message, bytes.count)
        }
        return unchunk(bytes, from: start, into: message, isClosed: isClosed)
    }

    private static func unchunk(
        _ bytes: [UInt8], from start: Int, into message: Message, isClosed: Bool
    ) -> (Message, Int)? {
        var message = message
        var body: [UInt8] = []
        var place = start
        while let line = find("\r\n", in: bytes[place...]),
            let length = Int(String(decoding: bytes[place..<line], as: UTF8.self), radix: 16)
        {
            let next = line + 2 + length
            guard bytes.count >= next + 2 else { break }
            body += bytes[(line + 2)..<next]
            place = next + 2
            guard length > 0 else {
                message.body = String(decoding: body, as: UTF8.self)
                return (message, place)
            }
        }
        guard isClosed else { return nil }
        message.body = String(decoding: body, as: UTF8.self)
        message.isWhole = false
        return (message, bytes.count)
    }

    private static func find(_ text: String, in bytes: ArraySlice<UInt8>) -> Int? {
        let sought = Array(text.utf8)
        guard bytes.count >= sought.count else { return nil }
        return (bytes.startIndex...(bytes.endIndex - sought.count)).first {
            bytes[$0] == sought[0] && bytes[$0..<($0 + sought.count)].elementsEqual(sought)
        }
    }
}

private final class Receiving: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let wire: Wire

    init(_ wire: Wire) { self.wire = wire }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { wire.take(unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) { wire.take(nil) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// A homeserver that answers each request as it is told to, byte for byte.
final class StubHomeserver: Sendable {
    typealias Script = @Sendable (Wire, Wire.Message) async throws -> Void

    private struct Record {
        var requests: [Wire.Message] = []
        var wires: [Wire] = []
        var closed = 0
    }

    private let record = Mutex(Record())
    private let listener = Mutex<(any Channel)?>(nil)

    /// - Parameter readingBodies: false to be told of a request as soon as its head is there.
    init(readingBodies: Bool = true, _ script: @escaping Script) async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { [weak self] channel in
                let wire = Wire(channel)
                self?.serve(wire, readingBodies, script)
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Receiving(wire))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        listener.withLock { $0 = channel }
    }

    /// Answers every request with the same status and JSON.
    convenience init(_ status: Int, _ body: String) async throws {
        try await self.init { wire, _ in try await wire.send(StubHomeserver.answer(status, body)) }
    }

    deinit { stop() }

    var port: Int { listener.withLock { $0?.localAddress?.port } ?? 0 }
    var requests: [Wire.Message] { record.withLock { $0.requests } }
    var connections: Int { record.withLock { $0.wires.count } }
    /// Connections that the other end closed.
    var closedConnections: Int { record.withLock { $0.closed } }

    /// Refuses connections from now on.
    func stop() {
        listener.withLock { $0?.close(promise: nil) }
        for wire in record.withLock({ $0.wires }) { wire.close() }
    }

    static func answer(_ status: Int, _ body: String, _ fields: String = "") -> String {
        "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\n\(fields)"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    private func serve(_ wire: Wire, _ readingBodies: Bool, _ script: @escaping Script) {
        record.withLock { $0.wires.append(wire) }
        Task {
            while let message = await wire.message(answering: readingBodies ? "GET" : "HEAD"), message.isWhole {
                record.withLock { $0.requests.append(message) }
                try await script(wire, message)
            }
            record.withLock { $0.closed += 1 }
        }
    }
}
