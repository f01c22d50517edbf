import PresenceModel
import SocialEngine
import SocialWire

// What friends, and others, do. One subscription of a kind for each connection.
extension ProductionClient {
    /// Each friend who is there now, one by one; then changes. Nothing says where the one ends and the other begins.
    /// - Throws: ``SocialClientError``, `CancellationError`.
    public func connectivityUpdates() async throws -> ProductionUpdates<FriendSighting> {
        try await subscribe("SubscribeToFriendConnectivityUpdates") { [profiles] bytes throws(SocialClientError) in
            guard let update = try? SocialV2FriendConnectivityUpdate(serializedBytes: bytes) else { return nil }
            if update.hasStreamClosed { throw update.streamClosed.error }
            guard let friend = update.friend.noted(in: profiles) else { return nil }
            return FriendSighting(friend: friend, state: update.status.state, whereabouts: nil)
        }
    }

    /// What others do about the user; not what the user does elsewhere.
    /// - Throws: ``SocialClientError``, `CancellationError`.
    public func friendshipUpdates() async throws -> ProductionUpdates<FriendshipNews> {
        try await subscribe("SubscribeToFriendshipUpdates") { [profiles, now] bytes throws(SocialClientError) in
            guard let update = try? SocialV2FriendshipUpdate(serializedBytes: bytes) else { return nil }
            if update.hasStreamClosed { throw update.streamClosed.error }
            return update.news(at: now(), noting: profiles)
        }
    }

    /// Who blocks the user, and does not any more.
    /// - Throws: ``SocialClientError``, `CancellationError`.
    public func blockUpdates() async throws -> ProductionUpdates<FriendshipNews> {
        try await subscribe("SubscribeToBlockUpdates") { [now] bytes throws(SocialClientError) in
            guard let update = try? SocialV2BlockUpdate(serializedBytes: bytes) else { return nil }
            if update.hasStreamClosed { throw update.streamClosed.error }
            guard let other = try? SocialAddress(parsing: update.address) else { return nil }
            return FriendshipNews(
                other: other, isOwn: false, body: .acted(update.isBlocked ? .block : .unblock, at: now()))
        }
    }
}
