import PresenceModel

// What is between two local users, as far as a group of their lists says.
extension PresenceEngine {
    /// What is between two users of this server; seen from one of them.
    public struct Tie: Hashable, Sendable {
        /// The user has the other one in the group, and was not denied.
        public var wants = false
        /// The other one has the user in theirs, and was not denied.
        public var isWanted = false
        /// The user blocks the other one.
        public var blocks = false
        /// The other one blocks the user.
        public var isBlocked = false

        /// Nothing is between the two.
        public init() {}
    }

    /// What is between a local user and another; nothing where one of them is of another server.
    public func tie(of user: UserID, with other: UserID, in group: GroupName) -> Tie {
        guard user != other, let mine = number(of: user), let theirs = number(of: other), users[mine].isLocal,
            users[theirs].isLocal
        else { return Tie() }
        return tie(mine, theirs, group)
    }

    /// Whether a user said that another may see them.
    public func grants(_ user: UserID, to other: UserID) -> Bool {
        guard let mine = number(of: user), let theirs = number(of: other) else { return false }
        return relations[mine]?.consent(for: theirs)?.state == .granted
    }

    /// Everybody of this server with whom there is something between the user and them, in the order of names.
    public func ties(of user: UserID, in group: GroupName) -> [(other: UserID, tie: Tie)] {
        guard let mine = number(of: user), users[mine].isLocal, let related = relations[mine] else { return [] }
        var others: [Int] = []
        for entry in related.entries { others.insertSorted(entry.target) }
        // Who wants to see the user asks, or may; a denied one wants nothing.
        for consent in related.consents { others.insertSorted(consent.observer) }
        for watcher in related.watchers { others.insertSorted(watcher) }
        for blocker in related.blockedBy { others.insertSorted(blocker) }
        return others.filter { users[$0].isLocal && $0 != mine }
            .map { (profiles[$0].id, tie(mine, $0, group)) }
            .filter { $0.1 != Tie() }
            .sorted { $0.0 < $1.0 }
    }

    private func tie(_ mine: Int, _ theirs: Int, _ group: GroupName) -> Tie {
        var tie = Tie()
        tie.wants = wants(mine, theirs, group)
        tie.isWanted = wants(theirs, mine, group)
        tie.blocks = isBlocked(theirs, by: mine)
        tie.isBlocked = isBlocked(mine, by: theirs)
        return tie
    }

    private func wants(_ one: Int, _ other: Int, _ group: GroupName) -> Bool {
        guard let related = relations[one], let entry = related.entry(for: other), entry.state != .denied,
            let slot = related.settings.groups.first(where: { $0.name == group })?.slot
        else { return false }
        return entry.groups & (1 << UInt64(slot)) != 0
    }
}
