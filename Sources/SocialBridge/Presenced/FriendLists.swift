import BridgeEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime
import SocialEngine

/// Friendships in presenced's own presence lists: read, edited, and told of when somebody else edits them.
///
/// It remembers what was between two users, and so knows a friendship that one of them ended from a request of the other:
/// what is left of it in the lists is taken out then, as ``Bond`` says of delete.
actor FriendLists {
    private let presence: PresenceRuntime
    private let news: LocalUserNews
    private let group: GroupName
    private let ghosts: GhostRule
    /// What was between two when they were looked at last, as each of them sees it; what is nothing is left out.
    private var bonds: [UserID: [UserID: Bond]] = [:]
    /// Who is asked and has not said yet whether the other may see them, and who asks.
    private var unanswered: Set<UserPair> = []
    private var latest: Task<Void, Never>?

    /// - Parameter ghosts: who stands for people of the social side.
    init(presence: PresenceRuntime, news: LocalUserNews, group: GroupName, ghosts: GhostRule) {
        self.presence = presence
        self.ghosts = ghosts
        self.news = news
        self.group = group
    }

    /// All that is between a user and others, and what changes of it from now on.
    func read(_ user: UserID, telling ears: any BridgeEars) async {
        await inTurn { await self.readNow(user, telling: ears) }
    }

    /// What is between observed users and others may be another.
    func review(_ batch: LocalUserNews.Batch, telling ears: any BridgeEars) async {
        guard !batch.ties.isEmpty || !batch.groups.isEmpty else { return }
        await inTurn {
            for pair in batch.ties { await self.report(pair, telling: ears) }
            for user in batch.groups { await self.readNow(user, telling: ears) }
        }
    }

    /// Does in the lists what a user did elsewhere, and tells what came of it.
    func edit(
        _ user: UserID, _ action: FriendshipAction, towards other: UserID, telling ears: any BridgeEars
    ) async {
        await inTurn { await self.editNow(user, action, towards: other, telling: ears) }
    }

    /// One after the other: what is told of two must be told in the order in which it was.
    private func inTurn(_ work: @escaping @Sendable () async -> Void) async {
        let before = latest
        let task = Task {
            await before?.value
            await work()
        }
        latest = task
        await task.value
    }

    private func readNow(_ user: UserID, telling ears: any BridgeEars) async {
        news.observe(user)
        var read: [UserID: Bond] = [:]
        let others = await presence.read { [group] engine, _ in engine.ties(of: user, in: group).map(\.other) }
        for other in Set(others).union((bonds[user] ?? [:]).keys).sorted() {
            let (bond, _) = await look(at: UserPair(user, other))
            if bond != .nothing { read[other] = bond }
        }
        await ears.hear(.listRead(user, read))
    }

    private func report(_ pair: UserPair, telling ears: any BridgeEars) async {
        let before = known(pair)
        let (bond, at) = await look(at: pair)
        guard bond != before else { return }
        await ears.hear(.listReported(pair.user, other: pair.other, bond, at: at))
    }

    private func editNow(
        _ user: UserID, _ action: FriendshipAction, towards other: UserID, telling ears: any BridgeEars
    ) async {
        let (before, group) = (known(UserPair(user, other)), group)
        let expected: Bond? = await presence.submit { engine, _ in
            let bond = FriendLists.settled(Bond(engine.tie(of: user, with: other, in: group)), after: before)
            guard let expected = bond.after(action, by: .first) else { return ([], nil) }
            return (FriendLists.events(of: action, by: user, towards: other, in: group), expected)
        }
        let (bond, at) = await look(at: UserPair(user, other), from: nil)
        if news.isObserved(user) {
            await ears.hear(.listReported(user, other: other, bond, at: at))
        } else if news.isObserved(other) {
            await ears.hear(.listReported(other, other: user, bond.turned, at: at))
        }
        if bond != expected { await ears.hear(.editRefused(user, action, towards: other)) }
    }

    // MARK: Looking

    /// What is between the two; of a friendship between linked users, or with a ghost, that one of them ended, what is
    /// left is taken out.
    private func look(at pair: UserPair) async -> (Bond, Instant) { await look(at: pair, from: known(pair)) }

    /// Lists of two of whom one has nothing to do with the bridge are their own.
    private func isBridged(_ pair: UserPair) -> Bool {
        [pair.user, pair.other].allSatisfy { news.isObserved($0) || ghosts.address(of: $0) != nil }
    }

    private func look(at pair: UserPair, from before: Bond?) async -> (Bond, Instant) {
        let (group, isBridged) = (group, isBridged(pair))
        let (before, unanswered) = (isBridged ? before : nil, unanswered)
        let (bond, at) = await presence.submit { engine, now in
            let bond = Bond(engine.tie(of: pair.user, with: pair.other, in: group))
            if let asked = pair.asked(bond), unanswered.contains(asked), engine.grants(asked.user, to: asked.other) {
                let events = FriendLists.events(of: .accept, by: asked.user, towards: asked.other, in: group)
                return (events, (Bond.friends, now))
            }
            guard let before, bond.leavesRemains(of: before) else { return ([], (bond, now)) }
            let events = FriendLists.events(of: .delete, by: pair.user, towards: pair.other, in: group)
            return (events, (FriendLists.settled(bond, after: before), now))
        }
        keep(bond, of: pair)
        if isBridged { await note(pair.asked(bond), of: pair) }
        return (bond, at)
    }

    /// Who was asked and lets the other see them has accepted: the entry that makes it a friendship is the bridge's to
    /// make. Consents from before the request, by whatever policy, are none.
    private func note(_ asked: UserPair?, of pair: UserPair) async {
        unanswered.subtract([pair, UserPair(pair.other, pair.user)])
        guard let asked, await !presence.read({ engine, _ in engine.grants(asked.user, to: asked.other) }) else {
            return
        }
        unanswered.insert(asked)
    }

    private func keep(_ bond: Bond, of pair: UserPair) {
        let kept = bond == .nothing ? nil : bond
        for (user, other, bond) in [(pair.user, pair.other, kept), (pair.other, pair.user, kept?.turned)] {
            bonds[user, default: [:]][other] = bond
            if bonds[user]?.isEmpty ?? false { bonds[user] = nil }
        }
    }

    private func known(_ pair: UserPair) -> Bond { bonds[pair.user]?[pair.other] ?? .nothing }

    /// What there is without what is left of something that ended.
    private static func settled(_ bond: Bond, after before: Bond) -> Bond {
        guard before == .friends, case .requested = bond else { return bond }
        return .nothing
    }

    // MARK: Editing

    /// What does in the lists what the user did, as the table at ``Bond`` has it. Events that do not apply change
    /// nothing.
    static func events(
        of action: FriendshipAction, by user: UserID, towards other: UserID, in group: GroupName
    ) -> [PresenceEngine.Event] {
        switch action {
        case .request(let message):
            let note = message.flatMap { StatusText.truncating($0, toBytes: EntryText.noteLimitBytes) }
            return entry(of: user, for: other, note: note, in: group)
        case .accept:
            return [.consentRelayed(observed: user, observer: other)]
                + entry(of: user, for: other, note: nil, in: group)
                + [.consentRelayed(observed: other, observer: user)]
        case .reject: return [.requestDenied(observed: user, observer: other)]
        case .cancel: return [.entryRemoved(observer: user, observed: other)]
        case .delete: return end(of: user, and: other, in: group)
        case .block: return end(of: user, and: other, in: group) + [.userBlocked(by: user, other)]
        case .unblock: return [.userUnblocked(by: user, other)]
        }
    }

    private static func entry(
        of user: UserID, for other: UserID, note: String?, in group: GroupName
    ) -> [PresenceEngine.Event] {
        [
            .groupAdded(user, group), .requestRelayed(observer: user, observed: other, note: note),
            .memberAdded(user, group, other),
        ]
    }

    private static func end(of one: UserID, and other: UserID, in group: GroupName) -> [PresenceEngine.Event] {
        [(one, other), (other, one)].flatMap { user, friend -> [PresenceEngine.Event] in
            [.requestDenied(observed: user, observer: friend), .memberRemoved(user, group, friend)]
        }
    }
}
