import HummingbirdCore
import NIOCore
import NIOEmbedded
import Testing

@testable import MatrixHTTP

struct `The gate before WebSockets` {
    private struct Refused: Error {}

    /// How many parts it takes until the request is the usual server's.
    private func partsUntilServed(_ parts: [String]) throws -> Int? {
        let loop = EmbeddedEventLoop()
        var isServed = false
        let gate = UpgradeGate(
            webSockets: [WebSocketPath("/social") { _, _ in [] }], firstRequestLimit: .seconds(30),
            promise: loop.makePromise(of: HTTP1Channel.Value?.self)
        ) {
            isServed = true
            return loop.makeFailedFuture(Refused())
        }
        let channel = EmbeddedChannel(handler: gate, loop: loop)
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        for (place, part) in parts.enumerated() {
            try channel.writeInbound(ByteBuffer(string: part))
            if isServed { return place + 1 }
        }
        return nil
    }

    /// It reads all of a head anew with each part.
    @Test func `leaves who sends byte by byte to the usual server`() throws {
        let head = "GET /social HTTP/1.1\r\nX: " + String(repeating: "y", count: 200)
        #expect(try partsUntilServed(head.utf8.map { String(decoding: [$0], as: UTF8.self) }) == 65)
        #expect(try partsUntilServed([head, "yy"]) == nil)
    }

    @Test(arguments: [["hello\r", "\n"], ["\r", "\n"], ["GET /", "\n"], ["GET /other HTTP/1.1", "\r\n"]])
    func `decides as soon as the first line has come`(parts: [String]) throws {
        #expect(try partsUntilServed(parts).map { $0 <= 2 } == true)
    }
}
