import Crypto
import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// One end of a TCP connection on the loopback address that speaks WebSocket by hand, well or badly.
final class PlainSocket: Sendable {
    struct Frame: Hashable, Sendable {
        var opcode: UInt8
        var isFinal = true
        var isMasked: Bool
        var payload: [UInt8]

        /// Of a close; `nil` without one.
        var code: UInt16? { payload.count < 2 ? nil : UInt16(payload[0]) << 8 | UInt16(payload[1]) }
    }

    private struct State {
        var bytes: [UInt8] = []
        var isClosed = false
        var changes = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    let channel: any Channel
    private let masks: Bool
    private let state = Mutex(State())

    private init(_ channel: any Channel, masks: Bool) {
        self.channel = channel
        self.masks = masks
    }

    // MARK: Connecting

    /// A TCP connection on which nothing was said.
    static func connect(to port: Int) async throws -> PlainSocket {
        let made = Mutex<PlainSocket?>(nil)
        _ = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in add(to: channel, masks: true) { socket in made.withLock { $0 = socket } } }
            .connect(host: "127.0.0.1", port: port).get()
        guard let socket = made.withLock({ $0 }) else { throw ChannelError.ioOnClosedChannel }
        return socket
    }

    /// A WebSocket.
    static func open(_ path: String, on port: Int) async throws -> PlainSocket {
        let socket = try await connect(to: port)
        try await socket.send(text: request(path))
        let head = await socket.head()
        guard head.hasPrefix("HTTP/1.1 101 ") else { throw Refused(head: head) }
        return socket
    }

    struct Refused: Error { var head: String }

    static let key = "dGhlIHNhbXBsZSBub25jZQ=="

    static func request(_ path: String, _ fields: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: x.org\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
            + "Sec-WebSocket-Key: \(key)\r\nSec-WebSocket-Version: 13\r\n\(fields)\r\n"
    }

    /// A server whose connections are handled by `script`, behind the handshake. - Returns: its port.
    static func listen(
        _ script: @escaping @Sendable (PlainSocket) async throws -> Void
    ) async throws -> (port: Int, listener: any Channel) {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                add(to: channel, masks: false) { socket in Task { try await script(socket) } }
            }.bind(host: "127.0.0.1", port: 0).get()
        return (listener.localAddress?.port ?? 0, listener)
    }

    private static func add(
        to channel: any Channel, masks: Bool, _ made: @escaping @Sendable (PlainSocket) -> Void
    ) -> EventLoopFuture<Void> {
        let socket = PlainSocket(channel, masks: masks)
        return channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(Receiving(socket))
            made(socket)
        }
    }

    /// The server's part of the handshake, with `extra` right behind it.
    func accept(_ extra: [UInt8] = []) async throws {
        let asked = await head()
        guard let field = asked.components(separatedBy: "\r\n").first(where: { $0.hasPrefix("Sec-WebSocket-Key: ") })
        else { throw Refused(head: asked) }
        let text = field.dropFirst(19) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        let proof = Data(Insecure.SHA1.hash(data: Data(text.utf8))).base64EncodedString()
        let answer =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: \(proof)\r\n\r\n"
        try await channel.writeAndFlush(ByteBuffer(bytes: Array(answer.utf8) + extra)).get()
    }

    // MARK: Sending

    func send(text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)).get() }

    func send(_ payload: [UInt8], opcode: UInt8 = 2, isFinal: Bool = true, masked: Bool? = nil) async throws {
        let bytes = encode(payload, opcode: opcode, isFinal: isFinal, masked: masked)
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    func encode(_ payload: [UInt8], opcode: UInt8 = 2, isFinal: Bool = true, masked: Bool? = nil) -> [UInt8] {
        let isMasked = masked ?? masks
        var bytes: [UInt8] = [(isFinal ? 0x80 : 0) | opcode]
        let bit: UInt8 = isMasked ? 0x80 : 0
        switch payload.count {
        case ..<126: bytes.append(bit | UInt8(payload.count))
        case ..<65536: bytes += [bit | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default:
            bytes.append(bit | 127)
            bytes += (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> (56 - 8 * $0)) }
        }
        let key: [UInt8] = [1, 2, 3, 4]
        if isMasked { bytes += key }
        return bytes + (isMasked ? payload.enumerated().map { $1 ^ key[$0 % 4] } : payload)
    }

    func close() { channel.close(promise: nil) }

    // MARK: Receiving

    /// Up to the empty line; as much as came if the connection was closed before.
    func head() async -> String {
        await wait { state in
            let end = Array("\r\n\r\n".utf8)
            guard let place = state.bytes.indices.first(where: { state.bytes[$0...].starts(with: end) }) else {
                return state.isClosed ? String(decoding: state.bytes, as: UTF8.self) : nil
            }
            defer { state.bytes.removeFirst(place + 4) }
            return String(decoding: state.bytes.prefix(place), as: UTF8.self)
        }
    }

    /// The next frame; `nil` once the connection is closed.
    func frame() async -> Frame? {
        await wait { state -> Frame?? in
            if let (frame, length) = PlainSocket.parse(state.bytes) {
                state.bytes.removeFirst(length)
                return frame
            }
            return state.isClosed ? .some(nil) : nil
        }
    }

    /// The next binary message; `nil` once the connection closes. Answers pings.
    func message() async throws -> [UInt8]? {
        while let frame = await frame() {
            switch frame.opcode {
            case 2: return frame.payload
            case 8: return nil
            case 9: try await send(frame.payload, opcode: 10)
            default: break
            }
        }
        return nil
    }

    /// Until the connection is closed. - Returns: the code of a close that came.
    func closing() async -> UInt16? {
        var code: UInt16?
        while let frame = await frame() {
            if frame.opcode == 8 { code = frame.code ?? 1005 }
        }
        return code
    }

    private static func parse(_ bytes: [UInt8]) -> (Frame, Int)? {
        guard bytes.count >= 2 else { return nil }
        let isMasked = bytes[1] & 0x80 != 0
        var length = Int(bytes[1] & 0x7F)
        var start = 2
        if length >= 126 {
            let count = length == 126 ? 2 : 8
            guard bytes.count >= start + count else { return nil }
            length = bytes[start..<(start + count)].reduce(0) { $0 << 8 | Int($1) }
            start += count
        }
        let key = isMasked ? start : nil
        if isMasked { start += 4 }
        guard bytes.count >= start + length else { return nil }
        var payload = Array(bytes[start..<(start + length)])
        if let key { for place in payload.indices { payload[place] ^= bytes[key + place % 4] } }
        let frame = Frame(
            opcode: bytes[0] & 0x0F, isFinal: bytes[0] & 0x80 != 0, isMasked: isMasked, payload: payload)
        return (frame, start + length)
    }

    private func wait<Value: Sendable>(_ look: @Sendable (inout State) -> Value?) async -> Value {
        while true {
            let (value, seen) = state.withLock { (look(&$0), $0.changes) }
            if let value { return value }
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard state.changes == seen else { return true }
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
}

private final class Receiving: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let socket: PlainSocket

    init(_ socket: PlainSocket) { self.socket = socket }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { socket.take(unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) { socket.take(nil) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
