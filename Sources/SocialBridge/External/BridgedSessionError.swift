import SocialClient
import SocialEngine

/// Why a session's life ended, or why something in it was not done.
public struct BridgedSessionError: Error, Hashable, Sendable {
    /// Kinds that are counted, and told apart.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// No connection could be made.
        case unreachable
        /// The connection, or a subscription, ended.
        case lost
        /// No answer in time.
        case timedOut = "timed_out"
        /// The credential is not good: another one is asked for.
        case unauthorized
        /// There is no credential, until the user does something.
        case noCredential = "no_credential"
        /// Whoever has the credentials cannot be asked now.
        case credentialsUnavailable = "credentials_unavailable"
        /// All connections are in use: the session waits for one.
        case connectionsFull = "connections_full"
        /// Too much at once; later it may be done.
        case tooOften = "too_often"
        /// The service does not want this user, or no more streams of this connection.
        case refused
        /// The service failed.
        case failed
        /// The service does not offer what the bridge needs, or says what makes no sense.
        case notUnderstood = "not_understood"
    }

    /// What callers branch on.
    public var kind: Kind
    /// Of an act: why nothing changed; `nil` if it may have.
    public var refusal: FriendshipRefusal?
    /// For logs, reports and terminals, as ``SocialClientError/readable(_:)`` makes words; without secrets, texts and
    /// messages of users.
    public let message: String

    /// An error as given.
    public init(_ kind: Kind, _ message: String, refusal: FriendshipRefusal? = nil) {
        self.kind = kind
        self.message = SocialClientError.readable(message)
        self.refusal = refusal
    }
}
