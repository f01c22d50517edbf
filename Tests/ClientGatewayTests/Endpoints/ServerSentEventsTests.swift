import HummingbirdCore
import Logging
import MatrixHTTP
import NIOCore
import NIOPosix
import PresenceEngine
import PresenceModel
import Testing

@testable import ClientGateway

struct `Server-sent events` {
    /// Opens the stream of `ada` over a socket, and hands what has come so far to `look` until that is satisfied.
    private func listen(
        _ bench: GatewayBench, query: String = "", headers: String = "",
        until look: @escaping @Sendable (String) async throws -> Bool
    ) async throws {
        let (ports, found) = AsyncStream.makeStream(of: Int.self)
        let listener = MatrixListener(
            host: "127.0.0.1", port: 0, server: .bounded(idleTimeout: .minutes(1)),
            group: MultiThreadedEventLoopGroup.singleton, routes: bench.routes, origins: .any,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { port in found.yield(port) }
        let running = Task { try await listener.run() }
        var iterator = ports.makeAsyncIterator()
        let port = try #require(await iterator.next())
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let request =
            "GET \(GatewayBench.own)/presence/stream\(query) HTTP/1.1\r\nHost: x.org\r\nAccept: text/event-stream\r\n"
            + "Authorization: Bearer \(bench.token(of: "ada"))\r\n\(headers)\r\n"
        try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: request))
            var text = ""
            for try await part in inbound {
                text += String(buffer: part)
                if try await look(text) { return }
            }
            Issue.record("the stream ended after: \(text)")
        }
        await bench.runtime.endStreams()
        running.cancel()
        _ = try? await running.value
    }

    @Test(.timeLimit(.minutes(1))) func `begin with the caller, go live, and bring what comes`() async throws {
        let bench = try await GatewayBench()
        try await listen(bench) { text in
            guard text.contains("event: org.presenced.live\nid: p") else { return false }
            let first = try #require(text.firstRange(of: "data: "))
            #expect(text[first.upperBound...].hasPrefix(#"{"type":"m.presence","sender":"@ada:x.org""#), "\(text)")
            if !text.contains("waiting_requests") {
                // Once more for every part that comes; asking again changes nothing.
                _ = try await bench.told("PUT", "\(GatewayBench.own)/presence/list/@ada:x.org", as: "bob")
                return false
            }
            return text.contains(#""org.presenced.waiting_requests":1}}"#)
        }
    }

    @Test(.timeLimit(.minutes(1))) func `resume after what was seen`() async throws {
        let bench = try await GatewayBench()
        let poll = try await bench.ask(
            "GET", "\(GatewayBench.own)/presence/stream?timeout=0&set_presence=offline", as: "ada")
        let position = try #require(poll.json["next_batch"]?.string)
        try await listen(bench, query: "?set_presence=offline", headers: "Last-Event-ID: \(position)\r\n") { text in
            guard text.contains("event: org.presenced.live") else { return false }
            #expect(!text.contains("m.presence"), "\(text)")
            return true
        }
    }
}
