import NIOCore
import NIOHTTP1
import NIOSSL
import NIOTLS

/// One request, and where its reply is awaited.
struct HTTPExchange: Sendable {
    var method: String
    /// Path and query, percent-encoded.
    var target: String
    var headers: HTTPHeaders
    var body: [UInt8]?
    /// A longer reply is not read to its end.
    var replyLimitBytes: Int
    /// The reply must be whole by then.
    var deadline: NIODeadline
}

/// What came back, whatever its status.
struct HTTPReply: Sendable {
    var status: Int
    var headers: HTTPHeaders
    var body: [UInt8]
}

/// Why there is no reply.
enum ExchangeFailure: Error, Hashable, Sendable {
    /// The connection ended; nothing of the reply had arrived if `isUntouched`.
    case closed(isUntouched: Bool)
    case timedOut
    case tooLarge
    /// What came is not HTTP, or TLS broke.
    case broken(String)
}

/// One connection to one server: at most one exchange at a time, kept open in between for a while.
final class ExchangeCarrier: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private struct Current {
        var promise: EventLoopPromise<HTTPReply>
        var limit: Int
        var timer: Scheduled<Void?>
        var head: HTTPResponseHead?
        var body: [UInt8] = []
    }

    private let established: EventLoopPromise<Void>
    private let idleLimit: TimeAmount
    private var context: ChannelHandlerContext?
    private var current: Current?
    private var idleTimer: Scheduled<Void?>?
    private var isEstablished = false

    /// - Parameter established: told when TLS is agreed, or why it is not.
    init(established: EventLoopPromise<Void>, idleLimit: TimeAmount) {
        self.established = established
        self.idleLimit = idleLimit
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        // Without effect where TLS was agreed.
        established.fail(ExchangeFailure.closed(isUntouched: true))
        fail(.closed(isUntouched: true))
        idleTimer?.cancel()
        self.context = nil
    }

    /// Sends a request; the connection must be free.
    func begin(_ exchange: HTTPExchange, _ promise: EventLoopPromise<HTTPReply>) {
        guard let context, context.channel.isActive else {
            return promise.fail(ExchangeFailure.closed(isUntouched: true))
        }
        precondition(current == nil, "an exchange is under way")
        idleTimer?.cancel()
        let timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: exchange.deadline) { [weak self] in
            self?.fail(.timedOut)
        }
        current = Current(promise: promise, limit: exchange.replyLimitBytes, timer: timer)
        var head = HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: exchange.method), uri: exchange.target,
            headers: exchange.headers)
        if let body = exchange.body { head.headers.replaceOrAdd(name: "Content-Length", value: "\(body.count)") }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if let body = exchange.body {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard current != nil else { return context.close(promise: nil) }
        switch unwrapInboundIn(data) {
        case .head(let head): current?.head = head
        case .body(let bytes):
            guard let taken = current, taken.body.count + bytes.readableBytes <= taken.limit else {
                return fail(.tooLarge)
            }
            current?.body.append(contentsOf: bytes.readableBytesView)
        case .end: finish(context)
        }
    }

    private func finish(_ context: ChannelHandlerContext) {
        guard let done = current, let head = done.head else { return }
        current = nil
        done.timer.cancel()
        if head.isKeepAlive {
            idleTimer = context.eventLoop.assumeIsolated().scheduleTask(in: idleLimit) { [weak self] in
                self?.context?.close(promise: nil)
            }
        } else {
            context.close(promise: nil)
        }
        done.promise.succeed(HTTPReply(status: Int(head.status.code), headers: head.headers, body: done.body))
    }

    /// Ends the exchange, and with it the connection, which is at no known place any more.
    private func fail(_ failure: ExchangeFailure) {
        guard let failed = current else { return }
        current = nil
        failed.timer.cancel()
        if case .closed = failure {
            failed.promise.fail(ExchangeFailure.closed(isUntouched: failed.head == nil))
        } else {
            failed.promise.fail(failure)
        }
        context?.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted = event { established.succeed(()) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        established.fail(error)
        // A peer that closes without a word of TLS has closed.
        if case NIOSSLError.uncleanShutdown = error { fail(.closed(isUntouched: true)) }
        fail(.broken("\(error)"))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        established.fail(ExchangeFailure.closed(isUntouched: true))
        fail(.closed(isUntouched: true))
        context.fireChannelInactive()
    }
}
