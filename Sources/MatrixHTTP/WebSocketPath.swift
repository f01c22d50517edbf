import NIOCore
import NIOHTTP1

/// A path of a listener whose requests become WebSockets; requests for it that do not ask for that go to the routes.
///
/// The request has to be the first of its connection. Subprotocols and extensions are declined. RFC 6455, section 4.2.
public struct WebSocketPath: Sendable {
    /// Makes the handlers of one connection, which take and give bytes behind the handshake; they are added on the
    /// channel's event loop, in this order, when the answer has been written. `nil`: there is no room, 503.
    public typealias Accept = @Sendable (any Channel, HTTPRequestHead) -> [any ChannelHandler]?

    let path: String
    let accept: Accept

    /// - Parameter path: without a query, as it stands in the request line.
    public init(_ path: String, accept: @escaping Accept) {
        self.path = path
        self.accept = accept
    }
}
