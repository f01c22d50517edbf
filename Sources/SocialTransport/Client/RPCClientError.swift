/// Why a client got nothing.
public struct RPCClientError: Error, Hashable, Sendable {
    /// What callers branch on.
    public enum Code: Hashable, Sendable {
        /// The server says that what was asked for failed, with a number of its choice; the connection goes on. Asking
        /// again brings the same.
        case remote(UInt32)
        /// The connection could not be made, or the server did not say that it is ready. Try later.
        case unreachable
        /// The server closed with that code before it was ready. Which codes pass, its documentation says.
        case closed(UInt16)
        /// The connection ended. Whether the server did what was asked is not known. Connect again.
        case lost
        /// No answer within the time; the connection goes on.
        case timedOut
        /// The module has no such procedure.
        case unknownProcedure
        /// The answer was of another kind than the call.
        case unexpectedAnswer
        /// The argument, or the number of calls at once, is past a limit of the client.
        case refused
        /// The address is none that can be connected to, or the certificates of the trusted cannot be read.
        case badAddress
    }

    /// What callers branch on.
    public var code: Code
    /// For logs. Of a remote error: the server's words.
    public var message: String

    /// An error as given.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
