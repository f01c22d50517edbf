import PresenceModel

/// Why a request to another server did not do what it should.
public struct FederationError: Error, Sendable {
    /// The kinds of failure that callers tell apart.
    public enum Code: Hashable, Sendable {
        case unreachable
        case timedOut
        /// It is said to be where no connection is made: at an address that is not public, nor allowed.
        case addressRefused
        /// Any status but 200.
        case refused(status: Int)
        case badSignature
        case malformed
    }

    /// Callers branch on this alone.
    public var code: Code
    /// The server that the request was for.
    public var destination: ServerName
    /// What happened, and what would mend it.
    public var message: String
    /// The error underneath, if there was one.
    public var cause: (any Error)?

    init(_ code: Code, _ destination: ServerName, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.destination = destination
        self.message = message
        self.cause = cause
    }
}
