import Foundation
import SocialTransport
import SocialWire
import Testing

@Suite(.timeLimit(.minutes(2))) struct `A client` {
    @Test func `calls in all four kinds, many at once`() async throws {
        let bench = try await RPCBench()
        let client = try await bench.client()
        let module = try await bench.echoModule(of: client)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<12 as Range<UInt8> {
                group.addTask {
                    #expect(try await module.call("identity", Data([number])) == Data([number]))
                    #expect(try await EchoModule.collect(module.stream("basicStream", Data())) == Data([0, 1, 2, 3]))
                    let numbers = EchoModule().pulled { $0 < 3 ? Data([UInt8($0) + number]) : nil }
                    let all = Data([number, number + 1, number + 2])
                    let whole = try await module.call("clientStreamConsumedCompletely", sending: numbers)
                    #expect(whole == all)
                    let doubled = Data(all.flatMap { [$0, $0 * 2] })
                    let both = try await EchoModule.collect(module.stream("bidi", sending: numbers))
                    #expect(both == doubled)
                }
            }
            try await group.waitForAll()
        }
        await client.close()
        try await bench.isQuiet()
        try await bench.stop()
    }

    @Test func `ends a stream by letting go of it, while it waits for an element too`() async throws {
        let bench = try await RPCBench()
        let client = try await bench.client()
        let module = try await bench.echoModule(of: client)
        for try await element in try await module.stream("infiniteCounter", Data()) where element == Data([5]) { break }
        try await waits { bench.echo.sources.open == 0 && bench.service.counts.streams == 0 }
        let waiting = Task {
            for try await _ in try await module.stream("ticker", Data()) {}
        }
        try await waits { bench.echo.sources.ever == 2 }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        try await waits { bench.echo.sources.open == 0 && bench.service.counts.streams == 0 }
        let unread = try await module.stream("ticker", Data())
        unread.close()
        for try await _ in unread { Issue.record("an element of a closed stream") }
        #expect(try await module.call("identity", Data([1])) == Data([1]))
        await client.close()
        try await bench.isQuiet()
        try await bench.stop()
    }

    @Test func `tells a remote error, a lost connection and a time-out apart`() async throws {
        let slow = RPCModule(
            "slow",
            [
                RPCProcedure("never", .unary { _ in try await EchoModule.never() ?? Data() }),
                RPCProcedure("coded", .unary { _ in throw RPCFailure(code: 7, "no") }),
                RPCProcedure("other", .unary { _ in throw CocoaError(.featureUnsupported) }),
            ])
        let bench = try await RPCBench(modules: [slow])
        let client = try await bench.client()
        let module = try await client.port("main").module("slow")
        func code(_ act: () async throws -> Void) async -> RPCClientError? {
            do {
                try await act()
                return nil
            } catch {
                return error as? RPCClientError
            }
        }
        #expect(await code { _ = try await module.call("coded", Data()) } == RPCClientError(.remote(7), "no"))
        // What else goes wrong in a procedure is nobody's business.
        let hidden = RPCClientError(.remote(0), "Error processing the request")
        #expect(await code { _ = try await module.call("other", Data()) } == hidden)
        #expect(
            await code { _ = try await module.call("never", Data(), timeout: .milliseconds(20)) }?.code == .timedOut)
        #expect(await code { _ = try await module.call("nothing", Data()) }?.code == .unknownProcedure)
        #expect(await code { _ = try await client.port("main").module("nope") }?.code == .remote(0))
        #expect(await code { _ = try await module.call("coded", Data(count: 2_000_000)) }?.code == .refused)
        let waiting = Task { await code { _ = try await module.call("never", Data()) } }
        try await waits { bench.service.counts.calls == 2 }
        await bench.service.close()
        #expect(await waiting.value?.code == .lost)
        await client.closed()
        #expect(await code { _ = try await module.call("coded", Data()) }?.code == .lost)
        #expect(await code { _ = try await bench.client() }?.code == .unreachable)
        try await bench.isQuiet()
        try await bench.stop()
    }

    @Test func `throws what its own source throws, and does not pass half a stream for the whole`() async throws {
        struct Broken: Error {}
        let bench = try await RPCBench()
        let client = try await bench.client()
        let module = try await bench.echoModule(of: client)
        let source = EchoModule().pulled { place in
            guard place < 2 else { throw Broken() }
            return Data([1])
        }
        await #expect(throws: Broken.self) {
            _ = try await module.call("clientStreamConsumedCompletely", sending: source)
        }
        #expect(bench.service.counts.calls == 1)
        await client.close()
        try await bench.isQuiet()
        try await bench.stop()
    }

    @Test func `closes its connection when it is forgotten`() async throws {
        let bench = try await RPCBench()
        _ = try await bench.client()
        try await bench.isQuiet()
        #expect(bench.service.counts.connectionsOpened == 1)
        try await bench.stop()
    }

    @Test func `reads what comes right behind the handshake, and masks what it sends`() async throws {
        let ready: [UInt8] = [0x82, 5, 0x0D, 0, 0, 0, 0x58]
        let (frames, continuation) = AsyncStream.makeStream(of: PlainSocket.Frame.self)
        let (port, listener) = try await PlainSocket.listen { socket in
            try await socket.accept(ready)
            while let frame = await socket.frame() { continuation.yield(frame) }
            continuation.finish()
        }
        let client = try await RPCClient.connect(to: "ws://127.0.0.1:\(port)/a?b=c")
        let asking = Task { try await client.port("main") }
        var iterator = frames.makeAsyncIterator()
        let frame = await iterator.next()
        #expect(frame?.isMasked == true && frame?.payload.prefix(5) == [0x0D, 1, 0, 0, 0x28])
        asking.cancel()
        await #expect(throws: CancellationError.self) { try await asking.value }
        try await listener.close()
    }

    @Test func `gives up on servers that are none`() async throws {
        let scripts: [@Sendable (PlainSocket) async throws -> Void] = [
            { try await $0.send(text: "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") },
            {
                try await $0.send(
                    text:
                        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: a\r\n\r\n"
                )
            },
            { try await $0.send(text: "SSH-2.0\r\n\r\n") },
            { $0.close() },
            { socket in
                try await socket.accept()
                try await socket.send([0xFF])
            },
        ]
        for script in scripts {
            let (port, listener) = try await PlainSocket.listen { try await script($0) }
            let error = await #expect(throws: RPCClientError.self) {
                _ = try await RPCClient.connect(to: "ws://127.0.0.1:\(port)/")
            }
            #expect(error?.code == .unreachable)
            try await listener.close()
        }
        let (port, listener) = try await PlainSocket.listen { try await $0.accept() }
        let hasty = { () -> RPCClient.Configuration in
            var configuration = RPCClient.Configuration()
            configuration.connectTimeout = .milliseconds(50)
            return configuration
        }()
        let error = await #expect(throws: RPCClientError.self) {
            _ = try await RPCClient.connect(to: "ws://127.0.0.1:\(port)/", configuration: hasty)
        }
        #expect(error?.code == .timedOut)
        try await listener.close()
    }

    @Test(arguments: [
        ("ws://x.org", "x.org", 80, "/"), ("WSS://x.org:8443/rpc?a=b", "x.org", 8443, "/rpc?a=b"),
        ("ws://[::1]:81/", "::1", 81, "/"), ("wss://x.org?a", "x.org", 443, "/?a"),
    ]) func `reads addresses`(text: String, host: String, port: Int, target: String) throws {
        let address = try WebSocketAddress(parsing: text)
        #expect(address.host == host && address.port == port && address.target == target)
    }

    @Test(arguments: [
        "http://x.org/", "ws://", "ws://x:y/", "ws://x:0/", "ws://a@b/", "ws://x/#a", "ws://x/ b", "x.org",
    ])
    func `refuses what is no address`(text: String) {
        #expect(throws: RPCClientError.self) { try WebSocketAddress(parsing: text) }
    }
}
