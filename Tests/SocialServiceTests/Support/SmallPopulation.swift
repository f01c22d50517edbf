import PresenceModel
import SocialEngine
import SocialService

/// A population that keeps what it is told, and answers what a test put in.
actor SmallPopulation: SocialPopulation {
    struct Heartbeat: Hashable {
        var user: SocialAddress
        var session: SocialSessionID
        var whereabouts: Whereabouts?
        var isAway = false
    }

    struct Act: Hashable {
        var action: FriendshipAction
        var actor: SocialAddress
        var other: SocialAddress
    }

    static let actedAt = Instant(millisecondsSinceEpoch: 1_790_000_000_999)

    private(set) var heartbeats: [Heartbeat] = []
    private(set) var acts: [Act] = []
    private(set) var left: [Heartbeat] = []
    private(set) var ended: [SocialSessionID] = []
    private(set) var privacies: [SocialAddress: SocialPrivacy] = [:]
    private var refusal: FriendshipRefusal?
    private var friendLists: [SocialAddress: [SocialAddress]] = [:]
    private var onlineLists: [SocialAddress: [SocialAddress]] = [:]
    private var requestLists: [SocialAddress: (outgoing: [FriendRequest], incoming: [FriendRequest])] = [:]
    private var presence: [AsyncStream<PresenceBatch>.Continuation] = []
    private var news: [AsyncStream<[FriendshipNews]>.Continuation] = []

    func refuse(with refusal: FriendshipRefusal?) { self.refusal = refusal }

    func befriend(_ user: SocialAddress, with friends: [SocialAddress], online: [SocialAddress] = []) {
        friendLists[user] = friends.sorted()
        onlineLists[user] = online.sorted()
    }

    func request(
        _ user: SocialAddress, outgoing: [FriendRequest] = [], incoming: [FriendRequest] = []
    ) { requestLists[user] = (outgoing, incoming) }

    func tell(_ batch: PresenceBatch) { for subscription in presence { subscription.yield(batch) } }

    func tell(_ items: [FriendshipNews]) { for subscription in news { subscription.yield(items) } }

    // MARK: SocialPopulation

    func act(
        _ action: FriendshipAction, by actor: SocialAddress, towards other: SocialAddress
    ) async throws(FriendshipRefusal) -> FriendshipNews {
        acts.append(Act(action: action, actor: actor, other: other))
        if let refusal { throw refusal }
        return FriendshipNews(other: other, isOwn: true, body: .acted(action, at: SmallPopulation.actedAt))
    }

    func friends(of user: SocialAddress) -> [SocialAddress] { friendLists[user] ?? [] }

    func mutualFriends(of user: SocialAddress, and other: SocialAddress) -> [SocialAddress] {
        let theirs = Set(friendLists[other] ?? [])
        return friends(of: user).filter(theirs.contains)
    }

    func onlineFriends(of user: SocialAddress) -> [SocialAddress] { onlineLists[user] ?? [] }

    func requests(of user: SocialAddress) -> (outgoing: [FriendRequest], incoming: [FriendRequest]) {
        requestLists[user] ?? ([], [])
    }

    func blocked(by user: SocialAddress) -> [SocialAddress] {
        acts.filter { $0.actor == user && $0.action == .block }.map(\.other).sorted()
    }

    func privacy(of user: SocialAddress) -> SocialPrivacy { privacies[user] ?? .full }

    func setPrivacy(of user: SocialAddress, to privacy: SocialPrivacy) throws(FriendshipRefusal) {
        if let refusal { throw refusal }
        privacies[user] = privacy
    }

    func heartbeat(of user: SocialAddress, on session: SocialSessionID, whereabouts: Whereabouts?) {
        heartbeats.append(Heartbeat(user: user, session: session, whereabouts: whereabouts))
    }

    func heartbeatAway(of user: SocialAddress, on session: SocialSessionID, whereabouts: Whereabouts?) {
        heartbeats.append(Heartbeat(user: user, session: session, whereabouts: whereabouts, isAway: true))
    }

    func leave(of user: SocialAddress, on session: SocialSessionID) {
        left.append(Heartbeat(user: user, session: session))
    }

    func sessionEnded(_ session: SocialSessionID) { ended.append(session) }

    func presenceUpdates(
        for user: SocialAddress, on session: SocialSessionID
    ) -> any AsyncSequence<PresenceBatch, Never> & Sendable {
        let (stream, continuation) = AsyncStream.makeStream(of: PresenceBatch.self)
        presence.append(continuation)
        return stream
    }

    func friendshipUpdates(
        for user: SocialAddress, on session: SocialSessionID
    ) -> any AsyncSequence<[FriendshipNews], Never> & Sendable {
        let (stream, continuation) = AsyncStream.makeStream(of: [FriendshipNews].self)
        news.append(continuation)
        return stream
    }
}
