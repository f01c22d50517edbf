import PresenceModel
import SocialEngine

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
