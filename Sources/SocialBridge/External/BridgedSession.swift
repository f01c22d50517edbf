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
    /// - Returns: whether the service took it; false where it takes none.
    /// - Throws: ``BridgedSessionError``, `CancellationError`.
    func heartbeat(_ whereabouts: Whereabouts?, _ state: FriendState) async throws -> Bool

    /// The user is not there any more, as far as this session is concerned. Nothing, where that cannot be said.
    /// - Throws: ``BridgedSessionError``, `CancellationError`.
    func leave() async throws

    /// Returns when the service did it. Never while another one of this session, or a reading, is under way.
    /// - Throws: ``BridgedSessionError``; with ``BridgedSessionError/refusal`` if nothing changed, else it is not known;
    ///   `CancellationError`.
    func act(_ action: FriendshipAction, towards other: SocialAddress) async throws

    /// Whether another life would wait for a connection that others make, with their pauses. Asked when one ended.
    var waitsForConnection: Bool { get async }

    /// No life follows; what it kept for the user goes.
    func close() async
}

extension BridgedSession {
    /// No: each connects for itself.
    public var waitsForConnection: Bool { get async { false } }
}
