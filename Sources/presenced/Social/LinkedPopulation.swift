import SocialEngine
import SocialService

/// The population as procedures see it; what its users do shows in Matrix where they are linked.
struct LinkedPopulation: SocialPopulation {
    let population: SocialRuntime
    let linked: LinkedUsers

    func act(
        _ action: FriendshipAction, by actor: SocialAddress, towards other: SocialAddress
    ) async throws(FriendshipRefusal) -> FriendshipNews {
        try await population.act(action, by: actor, towards: other)
    }

    func friends(of user: SocialAddress) async -> [SocialAddress] { await population.friends(of: user) }

    func mutualFriends(of user: SocialAddress, and other: SocialAddress) async -> [SocialAddress] {
        await population.mutualFriends(of: user, and: other)
    }

    func onlineFriends(of user: SocialAddress) async -> [SocialAddress] {
        await population.onlineFriends(of: user)
    }

    func requests(of user: SocialAddress) async -> (outgoing: [FriendRequest], incoming: [FriendRequest]) {
        await population.requests(of: user)
    }

    func blocked(by user: SocialAddress) async -> [SocialAddress] { await population.blocked(by: user) }

    func privacy(of user: SocialAddress) async -> SocialPrivacy { await population.privacy(of: user) }

    /// Who hides is gone from Matrix when it returns; who shows themselves again is there soon.
    func setPrivacy(of user: SocialAddress, to privacy: SocialPrivacy) async throws(FriendshipRefusal) {
        try await population.setPrivacy(of: user, to: privacy)
        if privacy == .hidden { await linked.hide(user) }
        linked.reconsider(user)
    }

    func heartbeat(of user: SocialAddress, on session: SocialSessionID, whereabouts: Whereabouts?) async {
        await population.heartbeat(of: user, on: session, whereabouts: whereabouts)
        if let whereabouts { await linked.moved(user, to: whereabouts, in: population) }
    }

    func heartbeatAway(of user: SocialAddress, on session: SocialSessionID, whereabouts: Whereabouts?) async {
        await population.heartbeatAway(of: user, on: session, whereabouts: whereabouts)
        if let whereabouts { await linked.moved(user, to: whereabouts, in: population) }
    }

    func leave(of user: SocialAddress, on session: SocialSessionID) async {
        await population.leave(of: user, on: session)
    }

    func sessionEnded(_ session: SocialSessionID) async { await population.sessionEnded(session) }

    func presenceUpdates(
        for user: SocialAddress, on session: SocialSessionID
    ) async -> any AsyncSequence<PresenceBatch, Never> & Sendable {
        await population.presenceUpdates(for: user, on: session)
    }

    func friendshipUpdates(
        for user: SocialAddress, on session: SocialSessionID
    ) async -> any AsyncSequence<[FriendshipNews], Never> & Sendable {
        await population.friendshipUpdates(for: user, on: session)
    }
}
