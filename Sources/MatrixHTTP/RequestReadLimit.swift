import NIOCore
import NIOHTTPTypes

/// Closes a connection whose request does not come to its end in time: half a body must hold up neither a stop of the
/// server nor a place in it.
final class RequestReadLimit: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    private let limit: TimeAmount
    private let isForEachPart: Bool
    private var isReading = false
    private var deadline: Scheduled<Void>?

    /// - Parameters:
    ///   - limit: from the end of a request's head to the end of its body.
    ///   - isForEachPart: the limit begins anew with every part of the body.
    init(_ limit: Duration, forEachPart isForEachPart: Bool = false) {
        self.limit = TimeAmount(limit)
        self.isForEachPart = isForEachPart
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: isReading = true
        case .body:
            if isForEachPart { stop() }
        case .end:
            isReading = false
            stop()
        }
        context.fireChannelRead(data)
    }

    /// Most requests are whole by now and never need a timer.
    func channelReadComplete(context: ChannelHandlerContext) {
        if isReading, deadline == nil {
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            deadline = context.eventLoop.scheduleTask(in: limit) { bound.value.close(promise: nil) }
        }
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    private func stop() {
        deadline?.cancel()
        deadline = nil
    }
}
