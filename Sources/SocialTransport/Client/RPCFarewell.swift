/// How a server ended a connection: what it said last. Empty if the connection just broke, or the client closed it.
public struct RPCFarewell: Hashable, Sendable {
    /// Of its close; `nil` if there was none, or one without a code.
    public var code: UInt16?
    /// The words of its close, at most ``wordsLimitBytes`` of them.
    public var reason = ""
    /// The beginning of the last text message, of servers that say something outside the protocol.
    public var text: String?

    /// Nothing was said.
    public init() {}

    /// More of a server's words is not kept.
    public static let wordsLimitBytes = 300

    /// For logs, reports and terminals: what is no visible ASCII is a question mark, and the end is left out.
    public static func readable(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: bytes.prefix(wordsLimitBytes).map { (0x20...0x7E).contains($0) ? $0 : 0x3F }, as: UTF8.self)
    }

    /// The server's own words, if it had any.
    public var words: String { text ?? reason }
}

extension RPCClientError {
    init(beforeReady farewell: RPCFarewell) {
        let words = farewell.words
        guard let code = farewell.code else {
            self.init(
                .unreachable, "the connection ended before the server was ready" + (words.isEmpty ? "" : ": \(words)"))
            return
        }
        self.init(.closed(code), words.isEmpty ? "the server closed with \(code)" : words)
    }
}
