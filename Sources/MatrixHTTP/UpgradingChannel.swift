import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypes

/// A connection of a listener with WebSockets: which of the two it is, is decided by its first request.
///
/// Until then there is neither a server for HTTP on it nor a task; of a connection that became a WebSocket, none
/// remains.
struct UpgradingChannel: ServerChildChannel {
    struct Value: ServerChildChannelValue {
        let channel: any Channel
        /// The connection as one of HTTP; `nil` once it is a WebSocket, or gone.
        let decision: EventLoopFuture<HTTP1Channel.Value?>
    }

    let http: HTTP1Channel
    let webSockets: [WebSocketPath]
    let firstRequestLimit: Duration

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let promise = channel.eventLoop.makePromise(of: HTTP1Channel.Value?.self)
            let gate = UpgradeGate(
                webSockets: webSockets, firstRequestLimit: firstRequestLimit, promise: promise,
                serve: { http.setup(channel: channel, logger: logger) })
            do {
                try channel.pipeline.syncOperations.addHandler(gate)
            } catch {
                promise.succeed(nil)
                throw error
            }
            return Value(channel: channel, decision: promise.futureResult)
        }
    }

    func handle(value: Value, logger: Logger) async {
        guard let connection = try? await value.decision.get() else { return }
        await http.handle(value: connection, logger: logger)
    }
}
