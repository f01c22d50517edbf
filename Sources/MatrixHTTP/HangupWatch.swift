import NIOCore
import NIOHTTPTypes

/// Notices that the client of a connection closed it, also while nothing is read from it and nothing written to it.
final class HangupWatch: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    let hangup = Hangup()

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { hangup.come() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        hangup.come()
        context.fireChannelInactive()
    }
}
