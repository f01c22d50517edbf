import MatrixHTTP
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Asks a server for a WebSocket, and makes way for it. RFC 6455, section 4.1.
final class ClientHandshake: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let address: WebSocketAddress
    private let connection: WebSocketConnection
    private let failed: (RPCClientError) -> Void
    private let key = NIOWebSocketClientUpgrader.randomRequestKey()
    private var bytes = ByteBuffer()
    private var isOver = false

    /// - Parameter failed: called if there will be no WebSocket.
    init(_ address: WebSocketAddress, _ connection: WebSocketConnection, failed: @escaping (RPCClientError) -> Void) {
        self.address = address
        self.connection = connection
        self.failed = failed
    }

    func channelActive(context: ChannelHandlerContext) {
        let request = """
            GET \(address.target) HTTP/1.1\r
            Host: \(address.hostField)\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Key: \(key)\r
            Sec-WebSocket-Version: 13\r
            \r

            """
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: request)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return context.fireChannelRead(data) }
        var part = unwrapInboundIn(data)
        bytes.writeBuffer(&part)
        switch HeadReader.read(bytes) {
        case .partial: break
        case .malformed: fail("no answer of HTTP", context)
        case .whole(let head):
            guard isAcceptance(head) else { return fail("no WebSocket: \(head.firstLine.prefix(100))", context) }
            isOver = true
            bytes.moveReaderIndex(forwardBy: head.length)
            do {
                try context.pipeline.syncOperations.addHandlers(connection.handlers, position: .last)
            } catch {
                return context.close(promise: nil)
            }
            // The server may have been quick to say more.
            if bytes.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(bytes)) }
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !isOver { fail("the connection ended", context) }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if isOver { context.fireErrorCaught(error) } else { fail("\(error)", context) }
    }

    private func isAcceptance(_ head: HeadReader.Head) -> Bool {
        let parts = head.firstLineParts
        guard parts.count >= 2, parts[0] == "HTTP/1.1", parts[1] == "101",
            head.fields[canonicalForm: "upgrade"].contains(where: { $0.lowercased() == "websocket" }),
            head.fields[canonicalForm: "connection"].contains(where: { $0.lowercased() == "upgrade" }),
            !head.fields.contains(name: "sec-websocket-extensions")
        else { return false }
        let upgrader = NIOWebSocketClientUpgrader(requestKey: key) { channel, _ in
            channel.eventLoop.makeSucceededVoidFuture()
        }
        return upgrader.shouldAllowUpgrade(
            upgradeResponse: HTTPResponseHead(
                version: .http1_1, status: .switchingProtocols, headers: head.fields))
    }

    private func fail(_ message: String, _ context: ChannelHandlerContext) {
        guard !isOver else { return }
        isOver = true
        failed(RPCClientError(.unreachable, message))
        context.close(promise: nil)
    }
}
