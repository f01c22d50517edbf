import BridgeEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Synchronization

/// Hears of local users from the presence runtime, for every Matrix side that follows.
public final class LocalUserWatch: LocalUserListening {
    private struct State {
        var followers: [LocalUserNews]
        /// The first of ``followers`` that nobody reads yet.
        var unclaimed = 0
    }

    private let state: Mutex<State>

    /// - Parameter followers: so many sides are told everything from now on, whenever they begin to follow.
    public init(followers: Int) { state = Mutex(State(followers: (0..<followers).map { _ in LocalUserNews() })) }

    /// All that happened since the beginning; of more sides than were expected, from now on.
    func follow() -> LocalUserNews {
        state.withLock { state in
            if state.unclaimed == state.followers.count { state.followers.append(LocalUserNews()) }
            defer { state.unclaimed += 1 }
            return state.followers[state.unclaimed]
        }
    }

    private var followers: [LocalUserNews] { state.withLock { $0.followers } }

    /// As ``LocalUserListening``.
    public func userViewed(_ user: UserID, as view: LocalView) {
        for news in followers { news.note(user, view) }
    }

    /// As ``LocalUserListening``.
    public func tieChanged(of user: UserID, with other: UserID) {
        for news in followers { news.noteTie(of: user, with: other) }
    }

    /// As ``LocalUserListening``.
    public func groupsChanged(of user: UserID) {
        for news in followers { news.noteGroups(of: user) }
    }
}

/// What was heard of local users and not looked at yet: of each the latest, so no more than there are users, and pairs
/// of which one is observed.
final class LocalUserNews: Sendable {
    struct Batch: Sendable {
        /// In the order in which each was heard of first.
        var views: [(user: UserID, view: LocalView)] = []
        /// Pairs of which one is observed, that one first.
        var ties: [UserPair] = []
        /// Observed users whose groups changed.
        var groups: [UserID] = []
    }

    private struct State {
        var observed: Set<UserID> = []
        var views: [UserID: LocalView] = [:]
        var order: [UserID] = []
        var ties: [UserPair] = []
        var isNoted: Set<UserPair> = []
        var groups: [UserID] = []
    }

    private let state = Mutex(State())
    /// One for whatever was heard since the last look.
    let wakes: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation

    init() { (wakes, wakeUp) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

    func note(_ user: UserID, _ view: LocalView) {
        state.withLock { state in
            if state.views.updateValue(view, forKey: user) == nil { state.order.append(user) }
        }
        wakeUp.yield()
    }

    func noteTie(of user: UserID, with other: UserID) {
        let isNews = state.withLock { state in
            guard state.observed.contains(user) || state.observed.contains(other) else { return false }
            let pair = state.observed.contains(user) ? UserPair(user, other) : UserPair(other, user)
            guard state.isNoted.insert(pair).inserted else { return false }
            state.ties.append(pair)
            return true
        }
        if isNews { wakeUp.yield() }
    }

    func noteGroups(of user: UserID) {
        let isNews = state.withLock { state in
            guard state.observed.contains(user), !state.groups.contains(user) else { return false }
            state.groups.append(user)
            return true
        }
        if isNews { wakeUp.yield() }
    }

    /// From now on what is between the user and others is noted.
    func observe(_ user: UserID) { state.withLock { _ = $0.observed.insert(user) } }

    func isObserved(_ user: UserID) -> Bool { state.withLock { $0.observed.contains(user) } }

    func take() -> Batch {
        state.withLock { state in
            var batch = Batch(ties: state.ties, groups: state.groups)
            for user in state.order { if let view = state.views[user] { batch.views.append((user, view)) } }
            state = State(observed: state.observed)
            return batch
        }
    }
}

/// Two users, in an order.
struct UserPair: Hashable, Sendable {
    var user: UserID
    var other: UserID

    init(_ user: UserID, _ other: UserID) {
        self.user = user
        self.other = other
    }

    /// Who is asked, and by whom, of a bond seen from the first.
    func asked(_ bond: Bond) -> UserPair? {
        switch bond {
        case .requested(by: .first): UserPair(other, user)
        case .requested(by: .second): self
        case .nothing, .friends, .blocked: nil
        }
    }
}
