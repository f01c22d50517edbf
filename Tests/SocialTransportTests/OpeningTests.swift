import Foundation
import SocialTransport
import SocialWire
import Testing

/// What precedes the protocol, for servers that want to know first who comes. Facts: social service, section 6.1.
@Suite(.timeLimit(.minutes(2))) struct `An opening` {
    private let ready: [UInt8] = [0x0D, 0, 0, 0, 0x58]

    private func connect(_ port: Int, _ opening: String = "{}") async throws -> RPCClient {
        var configuration = RPCClient.Configuration()
        configuration.connectTimeout = .seconds(60)
        configuration.opening = { opening }
        return try await RPCClient.connect(to: "ws://127.0.0.1:\(port)/", configuration: configuration)
    }

    @Test func `is the first message, in text, and nothing follows before the server is ready`() async throws {
        let (frames, seen) = AsyncStream.makeStream(of: PlainSocket.Frame?.self)
        let (port, listener) = try await PlainSocket.listen { socket in
            try await socket.accept()
            seen.yield(await socket.frame())
            // Words of the server are no reason to go, whenever they come and in however many frames.
            try await socket.send(Array(#"{"hint":1}"#.utf8), opcode: 1)
            try await socket.send(Array("a".utf8), opcode: 1, isFinal: false)
            try await socket.send(Array("b".utf8), opcode: 0)
            try await socket.send([0x0D, 0, 0, 0, 0x58])
            seen.yield(await socket.frame())
            try await socket.send(Array("{}".utf8), opcode: 1)
            try await socket.send([0x0D, 1, 0, 0, 0x30, 0x15, 1, 0, 0, 0])
            seen.yield(await socket.frame())
            seen.finish()
        }
        let client = try await connect(port, #"{"who":"é"}"#)
        #expect(try await client.port("social").id == 1)
        await client.close()
        var all: [PlainSocket.Frame?] = []
        for await frame in frames { all.append(frame) }
        #expect(all.first == PlainSocket.Frame(opcode: 1, isMasked: true, payload: Array(#"{"who":"é"}"#.utf8)))
        #expect(all[1]?.opcode == 2 && all[1]?.payload.prefix(5) == [0x0D, 1, 0, 0, 0x28])
        #expect(all[2]?.opcode == 8)
        try await listener.close()
    }

    @Test func `that cannot be made is no connection`() async throws {
        struct NoKey: Error {}
        let (port, listener) = try await PlainSocket.listen { _ in Issue.record("somebody came") }
        var configuration = RPCClient.Configuration()
        configuration.opening = { throw NoKey() }
        await #expect(throws: NoKey.self) {
            _ = try await RPCClient.connect(to: "ws://127.0.0.1:\(port)/", configuration: configuration)
        }
        try await listener.close()
    }

    @Test(
        arguments: [
            (3003, #"{"error":"Invalid auth chain"}"#, #"{"error":"Invalid auth chain"}"#), (1013, nil, "gone"),
            (1011, "\u{7}x\u{202E}", "?x???"),
        ] as [(UInt16, String?, String)])
    func `that is refused fails with the code of the close, and the server's words`(
        code: UInt16, text: String?, words: String
    ) async throws {
        let (port, listener) = try await PlainSocket.listen { socket in
            try await socket.accept()
            _ = await socket.frame()
            if let text { try await socket.send(Array(text.utf8), opcode: 1) }
            try await socket.send([UInt8(code >> 8), UInt8(code & 0xFF)] + Array("gone".utf8), opcode: 8)
            _ = await socket.closing()
            socket.close()
        }
        let error = await #expect(throws: RPCClientError.self) { _ = try await connect(port) }
        #expect(error == RPCClientError(.closed(code), words))
        try await listener.close()
    }

    @Test func `a stream's source starts before anybody waits for it, if that is asked for`() async throws {
        let bench = try await RPCBench()
        let client = try await bench.client()
        let module = try await bench.echoModule(of: client)
        let elements = try await module.stream("ticker", Data())
        elements.begin()
        elements.begin()
        try await waits { bench.echo.sources.ever == 1 }
        var iterator = elements.makeAsyncIterator()
        #expect(try await iterator.next() == Data([1]))
        elements.close()
        await client.close()
        try await bench.isQuiet()
        try await bench.stop()
    }

    @Test func `a connection that ends tells how, once it was ready too`() async throws {
        let (port, listener) = try await PlainSocket.listen { socket in
            try await socket.accept()
            _ = await socket.frame()
            try await socket.send([0x0D, 0, 0, 0, 0x58])
            _ = await socket.frame()
            try await socket.send(Array(String(repeating: "x", count: 5000).utf8), opcode: 1)
            try await socket.send([0x03, 0xE9], opcode: 8)
            _ = await socket.closing()
            socket.close()
        }
        let client = try await connect(port)
        await #expect(throws: RPCClientError(.lost, "the connection ended")) { _ = try await client.port("x") }
        let farewell = await client.closed()
        #expect(farewell.code == 1001 && farewell.text?.count == RPCFarewell.wordsLimitBytes)
        try await listener.close()
    }
}
