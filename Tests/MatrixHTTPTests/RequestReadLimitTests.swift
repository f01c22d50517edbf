import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing

@testable import MatrixHTTP

@Suite struct `A request that does not end` {
    private let head = HTTPRequestPart.head(HTTPRequest(method: .put, scheme: "http", authority: "x", path: "/"))

    @Test func `is given up in time, and its connection closed`() throws {
        let channel = EmbeddedChannel(handler: RequestReadLimit(.seconds(60)))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.writeInbound(head)
        try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: "{")))
        channel.embeddedEventLoop.advanceTime(by: .seconds(59))
        #expect(channel.isActive)
        // A byte now and then buys no time.
        try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: " ")))
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
    }

    @Test func `may take long where bodies of any length pass, as long as something comes`() throws {
        let channel = EmbeddedChannel(handler: RequestReadLimit(.seconds(60), forEachPart: true))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.writeInbound(head)
        for _ in 0..<5 {
            channel.embeddedEventLoop.advanceTime(by: .seconds(59))
            try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: " ")))
            #expect(channel.isActive)
        }
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(!channel.isActive)
    }

    @Test func `is the only one that is`() throws {
        let channel = EmbeddedChannel(handler: RequestReadLimit(.seconds(60)))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        for _ in 0..<3 {
            try channel.writeInbound(head)
            channel.embeddedEventLoop.advanceTime(by: .seconds(40))
            try channel.writeInbound(HTTPRequestPart.end(nil))
            channel.embeddedEventLoop.advanceTime(by: .hours(1))
            #expect(channel.isActive)
        }
        _ = try channel.finish()
    }
}
