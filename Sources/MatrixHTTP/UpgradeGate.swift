import HummingbirdCore
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Holds back what a connection begins with until it is clear what it asks for, and closes it if that takes too long.
final class UpgradeGate: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let webSockets: [WebSocketPath]
    private let firstRequestLimit: TimeAmount
    private let serve: () -> EventLoopFuture<HTTP1Channel.Value>
    /// Parts that a head of a WebSocket's request may come in.
    private static let readsLimit = 64
    private let promise: EventLoopPromise<HTTP1Channel.Value?>
    private var bytes = ByteBuffer()
    private var reads = 0
    private var deadline: Scheduled<Void>?
    private var isDecided = false

    /// - Parameters:
    ///   - firstRequestLimit: from the beginning of the connection to the end of its first request's head.
    ///   - promise: fulfilled in any case.
    ///   - serve: adds what serves HTTP.
    init(
        webSockets: [WebSocketPath], firstRequestLimit: Duration, promise: EventLoopPromise<HTTP1Channel.Value?>,
        serve: @escaping () -> EventLoopFuture<HTTP1Channel.Value>
    ) {
        self.webSockets = webSockets
        self.firstRequestLimit = TimeAmount(firstRequestLimit)
        self.promise = promise
        self.serve = serve
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: firstRequestLimit) { bound.value.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { settle(nil) }

    func channelInactive(context: ChannelHandlerContext) {
        settle(nil)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var part = unwrapInboundIn(data)
        guard !isDecided else { return context.fireChannelRead(data) }
        bytes.writeBuffer(&part)
        // Everything is read anew each time; whoever sends byte by byte is for the usual server, which is not.
        reads += 1
        guard reads <= UpgradeGate.readsLimit else { return becomeHTTP(context) }
        guard let path = HeadReader.path(bytes) else {
            // So is a first line that never ends, or says nothing.
            let view = bytes.readableBytesView
            if view.count > HeadReader.lengthLimit || view.contains(UInt8(ascii: "\n")) { becomeHTTP(context) }
            return
        }
        guard let wanted = webSockets.first(where: { $0.path == path }) else { return becomeHTTP(context) }
        switch HeadReader.read(bytes) {
        case .partial: break
        case .malformed: becomeHTTP(context)
        case .whole(let head):
            guard head.asksForWebSocket else { return becomeHTTP(context) }
            becomeWebSocket(wanted, head, context)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Whoever has not asked yet gets no answer.
        if !isDecided, event is ChannelShouldQuiesceEvent || event as? ChannelEvent == .inputClosed {
            return context.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard isDecided else { return context.close(promise: nil) }
        context.fireErrorCaught(error)
    }

    private func becomeHTTP(_ context: ChannelHandlerContext) {
        let connection = serve()
        settle(connection.map { $0 })
        // It stands already: nothing comes in between.
        connection.assumeIsolated().whenComplete { [self] result in
            if case .success = result { handOver(context) } else { context.close(promise: nil) }
        }
    }

    private func becomeWebSocket(_ path: WebSocketPath, _ head: HeadReader.Head, _ context: ChannelHandlerContext) {
        bytes.moveReaderIndex(forwardBy: head.length)
        let request = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: String(head.firstLineParts[1]), headers: head.fields)
        guard head.isGoodHandshake, let fields = acceptance(of: request, context) else {
            return refuse("400 Bad Request", "Sec-WebSocket-Version: 13\r\n", context)
        }
        guard let handlers = path.accept(context.channel, request) else {
            return refuse("503 Service Unavailable", "", context)
        }
        var answer = "HTTP/1.1 101 Switching Protocols\r\n"
        for field in fields { answer += "\(field.name): \(field.value)\r\n" }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer + "\r\n")), promise: nil)
        settle(nil)
        do {
            try context.pipeline.syncOperations.addHandlers(handlers, position: .last)
        } catch {
            return context.close(promise: nil)
        }
        handOver(context)
    }

    /// The fields of the answer, by which a client sees that its key was read; `nil` for a bad key or version.
    private func acceptance(of request: HTTPRequestHead, _ context: ChannelHandlerContext) -> HTTPHeaders? {
        let upgrader = NIOWebSocketServerUpgrader(
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(HTTPHeaders()) },
            upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
        var fields: HTTPHeaders?
        upgrader.buildUpgradeResponse(
            channel: context.channel, upgradeRequest: request, initialResponseHeaders: HTTPHeaders()
        ).assumeIsolated().whenSuccess { fields = $0 }
        return fields
    }

    private func refuse(_ status: String, _ fields: String, _ context: ChannelHandlerContext) {
        settle(nil)
        let answer = "HTTP/1.1 \(status)\r\n\(fields)Connection: close\r\nContent-Length: 0\r\n\r\n"
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer))).whenComplete { _ in
            bound.value.close(promise: nil)
        }
    }

    private func handOver(_ context: ChannelHandlerContext) {
        let rest = bytes
        bytes = ByteBuffer()
        if rest.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(rest)) }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    /// - Parameter connection: what the decision is, unless it was made before.
    private func settle(_ connection: EventLoopFuture<HTTP1Channel.Value?>?) {
        deadline?.cancel()
        deadline = nil
        guard !isDecided else { return }
        isDecided = true
        if let connection { promise.completeWith(connection) } else { promise.succeed(nil) }
    }
}

extension HeadReader.Head {
    /// RFC 6455, section 4.2.1, 3.
    fileprivate var asksForWebSocket: Bool {
        fields[canonicalForm: "upgrade"].contains { $0.lowercased() == "websocket" }
    }

    /// Of the rest of that section, what does not concern the key and the version.
    fileprivate var isGoodHandshake: Bool {
        firstLineParts.count == 3 && firstLineParts[0] == "GET" && firstLineParts[2] == "HTTP/1.1"
            && fields["host"].count == 1
            && fields[canonicalForm: "connection"].contains { $0.lowercased() == "upgrade" }
            && !fields.contains(name: "content-length") && !fields.contains(name: "transfer-encoding")
    }
}
