import BridgeEngine
import PresenceModel
import SocialEngine

/// One linked user's session with a social service, in whatever way that is spoken to.
///
/// ``BridgedSessions`` drives it: lives one after the other, with pauses between them; what is said and done in the
/// user's name during a life. Nothing here is repeated by the session itself.
public protocol BridgedSession: Sendable {
    /// One life of the session: connects, or waits for a connection that others make, logs in, and tells.
    ///
    /// First ``BridgedWord/opened``, when the service takes the credential; then a ``BridgedWord/snapshot(_:)``; then a
    /// ``BridgedWord/read(_:)``; then changes. Snapshots and changes of presence are told one after the other, and so
    /// are readings and news of friendships: a reading holds all news told before it, and none told after it but what
    /// happened while it was read.
    /// - Throws: ``BridgedSessionError``, whenever the life ends; `CancellationError` if it is cancelled. Nothing is
    ///   told once it threw.
    func follow(_ tell: @escaping @Sendable (BridgedWord) async -> Void) async throws

    /// Another ``BridgedWord/read(_:)`` is wanted of the life that goes on. Returns at once; asked again only when it
    /// was told. No action is under way meanwhile.
    func reread()

    /// The user is there. Nothing, where a service takes none.
    /// - Parameter whereabouts: `nil`: those that the service has.
    /// - Throws: ``BridgedSessionError``, `CancellationError`.
    func heartbeat(_ whereabouts: Whereabouts?, _ state: FriendState) async throws

    /// The user is not there any more, as far as this session is concerned. Nothing, where that cannot be said.
    /// - Throws: ``BridgedSessionError``, `CancellationError`.
    func leave() async throws

    /// Returns when the service did it. Never while another one of this session, or a reading, is under way.
    /// - Throws: ``BridgedSessionError``; with ``BridgedSessionError/refusal`` if nothing changed, else it is not known;
    ///   `CancellationError`.
    func act(_ action: FriendshipAction, towards other: SocialAddress) async throws

    /// No life follows; what it kept for the user goes.
    func close() async
}

/// What a session tells of its life.
public enum BridgedWord: Hashable, Sendable {
    /// The service takes what is said in the user's name.
    case opened
    /// All friends who are not offline.
    case snapshot([FriendSighting])
    /// These changed.
    case changed([FriendSighting])
    /// All that is between the user and others.
    case read(FriendshipReading)
    /// This happened, in this order.
    case happened([FriendshipNews])
}

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
    /// For the log; without secrets, texts and messages of users.
    public var message: String

    /// An error as given.
    public init(_ kind: Kind, _ message: String, refusal: FriendshipRefusal? = nil) {
        self.kind = kind
        self.message = message
        self.refusal = refusal
    }
}

/// A social service as the bridge reaches it.
public protocol BridgedService: Sendable {
    /// Whether sessions need a credential of ``SessionCredentials``. Without one they are made with `nil`.
    var takesCredentials: Bool { get }
    /// The most sessions at once where each has a connection of its own; the others wait. `nil`: they share.
    var sessionsLimit: Int? { get }

    /// A session that is not alive yet.
    /// - Throws: ``BridgedSessionError/Kind/unauthorized`` for a credential of a kind that the service does not take, or
    ///   of another address; ``BridgedSessionError/Kind/connectionsFull`` where nobody else can share a connection.
    func session(
        of user: UserID, at address: SocialAddress, with credential: SessionCredential?
    ) async throws(BridgedSessionError) -> any BridgedSession

    /// Connections that stand, and the most that there may be.
    func connections() async -> (standing: Int, limit: Int)
    /// Failures of connections that many sessions share, as they come; they are no session's own.
    func connectionFailures() -> AsyncStream<BridgedSessionError>
}

extension BridgedService {
    /// None: each session tells its own.
    public func connectionFailures() -> AsyncStream<BridgedSessionError> { AsyncStream { $0.finish() } }
}
