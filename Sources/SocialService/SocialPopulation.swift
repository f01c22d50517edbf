import SocialEngine

/// Everyone whom the service knows: what procedures ask and tell.
public protocol SocialPopulation: Sendable {
    /// Carries out what `actor` does about `other`; returns what the actor is told, once it is on disk.
    func act(
        _ action: FriendshipAction, by actor: SocialAddress, towards other: SocialAddress
    ) async throws(FriendshipRefusal) -> FriendshipNews

    /// Sorted.
    func friends(of user: SocialAddress) async -> [SocialAddress]
    /// Sorted; nobody, if either blocks the other.
    func mutualFriends(of user: SocialAddress, and other: SocialAddress) async -> [SocialAddress]
    /// Sorted; those whom `user` may see online.
    func onlineFriends(of user: SocialAddress) async -> [SocialAddress]
    /// In the order in which they were made.
    func requests(of user: SocialAddress) async -> (outgoing: [FriendRequest], incoming: [FriendRequest])
    /// Sorted.
    func blocked(by user: SocialAddress) async -> [SocialAddress]
    /// What the user chose; full, if nothing.
    func privacy(of user: SocialAddress) async -> SocialPrivacy
    /// Returns once it is on disk. Hiding is never refused for being chosen too often.
    func setPrivacy(of user: SocialAddress, to privacy: SocialPrivacy) async throws(FriendshipRefusal)

    /// The user is there, by this session. - Parameter whereabouts: `nil`: those of before.
    func heartbeat(of user: SocialAddress, on session: SocialSessionID, whereabouts: Whereabouts?) async
    /// As a heartbeat of somebody who is there, but not at the keyboard.
    func heartbeatAway(of user: SocialAddress, on session: SocialSessionID, whereabouts: Whereabouts?) async
    /// The user is not there any more, by this session: at once, unless another one holds them.
    func leave(of user: SocialAddress, on session: SocialSessionID) async
    /// The session ended: its users go offline soon unless another one holds them; its subscriptions end.
    func sessionEnded(_ session: SocialSessionID) async

    /// First a snapshot, in one or more batches, then changes; the latest of each friend if they come faster than they
    /// are taken. Ends with the session, or when whoever iterates is cancelled.
    func presenceUpdates(
        for user: SocialAddress, on session: SocialSessionID
    ) async -> any AsyncSequence<PresenceBatch, Never> & Sendable
    /// What happens from now on, to be asked for before friends and requests are read.
    func friendshipUpdates(
        for user: SocialAddress, on session: SocialSessionID
    ) async -> any AsyncSequence<[FriendshipNews], Never> & Sendable
}
