import NIOCore

/// What is spoken over a WebSocket. Called on the connection's event loop alone.
protocol WebSocketSession: AnyObject {
    /// The connection stands. Called once, first.
    func opened(by connection: WebSocketConnection)
    /// A binary message, its fragments joined.
    func received(_ message: ByteBuffer)
    /// A text message has begun, with these bytes in its first frame; the rest is not passed on.
    func receivedText(_ beginning: ByteBuffer)
    /// The other side closes. Not called if the connection just ends.
    /// - Parameter code: `nil` for a close without one.
    func closing(_ code: UInt16?, _ reason: String)
    /// The server stops. The connection closes by itself if the session does not.
    func goingAway()
    /// The transport is gone, or useless. Called once, last.
    func ended()
}

/// Bounds of a WebSocket; each says what follows past it.
public struct WebSocketLimits: Hashable, Sendable {
    /// Bytes of a message, its fragments together: close 1009.
    public var messageBytesLimit = 1 << 20
    /// Bytes that the other side has not taken: nothing more is read from it until it takes them.
    public var unsentBytesLimit = 128 * 1024
    /// The same: if something more is to be sent, the connection is cut, after a close 1008 that may not arrive. Far
    /// more than ``unsentBytesLimit``, since a slow line holds a long answer for a while, and what was asked before is
    /// answered behind it.
    public var cutPastBytes = 2 << 20
    /// Between the close that was sent and the end of the connection: it is cut.
    public var cutAfter: Duration = .seconds(5)

    /// The limits above.
    public init() {}
}
