import AuthChain
import Crypto
import Foundation
import MatrixWire
import NIOCore
import NIOPosix
import PresenceModel
import Synchronization

/// What stands before the production service: takes a WebSocket, checks the signed headers in its first message, and
/// passes everything on from then on, bytes as they are. Facts: social service, section 6.1.
final class SignedGate: Sendable {
    struct Seen: Sendable {
        var opened = 0
        var open = 0
        /// Whom the signatures are of.
        var addresses: [String] = []
        /// First messages.
        var openings: [String] = []
        /// Bytes that came while it was checked who this is.
        var earlyBytes = 0
    }

    /// What becomes of whoever connects.
    enum Mode: Sendable {
        case checks
        /// Says something in text, and closes.
        case closes(UInt16, text: String?)
    }

    private let behind: Int
    private let now: @Sendable () -> Instant
    private let state = Mutex(Seen())
    private let mode = Mutex(Mode.checks)
    private let cuts = Mutex<[any Channel]>([])
    private let listener: any Channel
    private let running: Task<Void, any Error>

    var port: Int { listener.localAddress?.port ?? 0 }
    var url: String { "ws://127.0.0.1:\(port)/" }
    var seen: Seen { state.withLock { $0 } }

    /// - Parameters:
    ///   - port: of the service behind it.
    ///   - now: what signatures are compared with.
    init(before port: Int, now: @escaping @Sendable () -> Instant) async throws {
        behind = port
        self.now = now
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        listener = server.channel
        let (guests, guest) = AsyncStream.makeStream(of: NIOAsyncChannel<ByteBuffer, ByteBuffer>.self)
        running = Task {
            try await server.executeThenClose { connections in
                for try await connection in connections { guest.yield(connection) }
            }
        }
        Task { [weak self] in
            await withDiscardingTaskGroup { group in
                for await connection in guests {
                    guard let self else { return }
                    group.addTask { try? await self.receive(connection) }
                }
            }
        }
    }

    func set(_ mode: Mode) { self.mode.withLock { $0 = mode } }

    /// Breaks the connections that stand.
    func cut() { for channel in cuts.withLock({ $0 }) { channel.close(promise: nil) } }

    func close() {
        running.cancel()
        cut()
    }

    private func receive(_ connection: NIOAsyncChannel<ByteBuffer, ByteBuffer>) async throws {
        cuts.withLock { $0.append(connection.channel) }
        state.withLock {
            $0.opened += 1
            $0.open += 1
        }
        defer { state.withLock { $0.open -= 1 } }
        try await connection.executeThenClose { inbound, outbound in
            var reader = Reader(inbound.makeAsyncIterator())
            try await outbound.write(Self.acceptance(try await reader.head()))
            if case .closes(let code, let text) = mode.withLock({ $0 }) {
                if let text { try await outbound.write(Self.frame(0x81, Array(text.utf8))) }
                return try await Self.close(code, "no", outbound, &reader)
            }
            let opening = try await reader.frame()
            state.withLock { $0.openings.append(opening) }
            do {
                let address = try check(opening)
                state.withLock { $0.addresses.append(address) }
            } catch {
                try await outbound.write(Self.frame(0x81, Array(#"{"error":"Authentication failed"}"#.utf8)))
                return try await Self.close(3003, "Invalid auth chain", outbound, &reader)
            }
            let early = reader.rest.readableBytes
            state.withLock { $0.earlyBytes += early }
            try await pass(&reader, outbound, of: connection.channel)
        }
    }

    /// Whose the signature is, as the service sees to it.
    private func check(_ opening: String) throws -> String {
        let headers = try JSONParser.strict.parse(Array(opening.utf8)).value
        guard let timestamp = headers["x-identity-timestamp"]?.string,
            let metadata = headers["x-identity-metadata"]?.string, let milliseconds = Int64(timestamp)
        else { throw CancellationError() }
        var links: [String] = []
        while let link = headers["x-identity-auth-chain-\(links.count)"]?.string { links.append(link) }
        let chain = try AuthChain(parsing: "[\(links.joined(separator: ","))]")
        let signed = Instant(millisecondsSinceEpoch: milliseconds)
        guard abs(now().milliseconds(since: signed)) <= 300_000 else { throw AuthChainError.stale }
        return try chain.signer(of: "get:/:\(timestamp):\(metadata)", at: now()).text
    }

    /// To the service behind it, which takes the same frames.
    private func pass(
        _ reader: inout Reader, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>, of guest: any Channel
    ) async throws {
        let service = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: behind) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let request =
            "GET /social HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        let (writers, writer) = AsyncStream.makeStream(of: NIOAsyncChannelOutboundWriter<ByteBuffer>.self)
        let back = Task {
            try await service.executeThenClose { answers, questions in
                var answer = Reader(answers.makeAsyncIterator())
                try await questions.write(ByteBuffer(string: request))
                _ = try await answer.head()
                if answer.rest.readableBytes > 0 { try await outbound.write(answer.rest) }
                writer.yield(questions)
                while let bytes = try await answer.iterator.next() { try await outbound.write(bytes) }
            }
        }
        defer { service.channel.close(promise: nil) }
        Task {
            _ = await back.result
            writer.finish()
            guest.close(promise: nil)
        }
        for await questions in writers {
            while let bytes = try await reader.iterator.next() { try await questions.write(bytes) }
            break
        }
    }

    // MARK: WebSocket by hand

    struct Reader {
        typealias Bytes = NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator

        var iterator: Bytes
        var rest = ByteBuffer()

        init(_ iterator: Bytes) { self.iterator = iterator }

        private mutating func more() async throws {
            guard var bytes = try await iterator.next() else { throw CancellationError() }
            rest.writeBuffer(&bytes)
        }

        /// Up to the empty line.
        mutating func head() async throws -> String {
            while true {
                let text = String(buffer: rest)
                if let end = text.range(of: "\r\n\r\n") {
                    let head = String(text[..<end.lowerBound])
                    rest.moveReaderIndex(forwardBy: head.utf8.count + 4)
                    return head
                }
                try await more()
            }
        }

        /// One masked frame of less than 64 KiB, as text.
        mutating func frame() async throws -> String {
            while true {
                let bytes = Array(rest.readableBytesView)
                if bytes.count >= 8 {
                    let short = Int(bytes[1] & 0x7F)
                    let (length, start) = short < 126 ? (short, 2) : (Int(bytes[2]) << 8 | Int(bytes[3]), 4)
                    if bytes.count >= start + 4 + length {
                        let key = bytes[start..<start + 4]
                        rest.moveReaderIndex(forwardBy: start + 4 + length)
                        let payload = bytes[(start + 4)..<(start + 4 + length)].enumerated()
                        return String(
                            decoding: payload.map { $1 ^ key[start + $0 % 4] }, as: UTF8.self)
                    }
                }
                try await more()
            }
        }
    }

    private static func acceptance(_ head: String) throws -> ByteBuffer {
        guard let line = head.components(separatedBy: "\r\n").first(where: { $0.hasPrefix("Sec-WebSocket-Key: ") })
        else { throw CancellationError() }
        let text = line.dropFirst(19) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        let proof = Data(Insecure.SHA1.hash(data: Data(text.utf8))).base64EncodedString()
        return ByteBuffer(
            string: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: \(proof)\r\n\r\n")
    }

    private static func frame(_ first: UInt8, _ payload: [UInt8]) -> ByteBuffer {
        precondition(payload.count < 126, "a long frame")
        return ByteBuffer(bytes: [first, UInt8(payload.count)] + payload)
    }

    /// Says goodbye, and waits for the other side to.
    private static func close(
        _ code: UInt16, _ reason: String, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>, _ reader: inout Reader
    ) async throws {
        try await outbound.write(frame(0x88, [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(reason.utf8)))
        var iterator = reader.iterator
        _ = try? await iterator.next()
    }
}
