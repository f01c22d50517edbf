import NIOCore

/// What is spoken over a WebSocket. Called on the connection's event loop alone.
protocol WebSocketSession: AnyObject {
    /// The connection stands. Called once, first.
    func opened(by connection: WebSocketConnection)
    /// A binary message, its fragments joined.
    func received(_ message: ByteBuffer)
    /// A text message has begun.
    func receivedText()
    /// The server stops. The connection closes by itself if the session does not.
    func goingAway()
    /// The transport is gone, or useless. Called once, last.
    func ended()
}

/// Bounds of a WebSocket; each says what follows past it.
public struct WebSocketLimits: Hashable, Sendable {
    /// Bytes of a message, its fragments together: close 1009.
    public var messageBytesLimit = 1 << 20
    /// Bytes that the other side has not taken: nothing more is read from it, and if something more is to be sent,
    /// the connection is cut, after a close 1008 that may not arrive. One message may go past it.
    public var unsentBytesLimit = 128 * 1024
    /// Between the close that was sent and the end of the connection: it is cut.
    public var cutAfter: Duration = .seconds(5)

    /// The limits above.
    public init() {}
}
