import NIOCore
import NIOHTTP1

/// Puts the target of a request on its request line as it came.
///
/// What other servers sign is the target to the byte, and a URL type may write it anew. So the target travels to the
/// connection in a header field of its own, and is taken out of it here.
final class RequestTarget: ChannelOutboundHandler {
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = HTTPClientRequestPart

    /// Never leaves this process.
    static let field = "presenced-request-target"

    /// Behind the encoder of a connection that is there.
    static func install(in channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.submit {
            let pipeline = channel.pipeline.syncOperations
            let encoder = try pipeline.handler(type: HTTPRequestEncoder.self)
            try pipeline.addHandler(RequestTarget(), position: .after(encoder))
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(var head) = unwrapOutboundIn(data), let target = head.headers.first(name: RequestTarget.field)
        else { return context.write(data, promise: promise) }
        head.uri = target
        head.headers.remove(name: RequestTarget.field)
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }
}
