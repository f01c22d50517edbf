import PresenceModel

// For the operator: by which rule somebody sees a user or does not. Asking changes nothing, and tells no texts.
extension PresenceEngine {
    /// How a user stands to one observer.
    public struct Explanation: Hashable, Sendable {
        /// Whether this server shows the user to the observer, or tells the observer's server; `nil` if that is not for
        /// this server to decide.
        public var isSeen: Bool?
        /// The rule that decides.
        public var cause: Cause
        /// Since when the cause holds, where that is kept.
        public var since: Instant?
        /// Where the observer's entry for the user stands, if the observer is local and has one.
        public var entry: EntryState?
        /// What a request of the observer would be answered with now; only of a local user, where it matters.
        public var answerIfAsked: StoredConsent.State?
        /// Rooms that both are in, those that do not count included.
        public var rooms: SharedRooms
        /// Without an entry: streams show the user only in rooms, but asking for the user is answered.
        public var isAnsweredOnly: Bool
        /// Whether the observer's wish to know counts; only for a local observer of another server's user.
        public var attention: Attention?
    }

    /// The rule that decides whether somebody sees a user: of those that apply, the first.
    public enum Cause: String, Hashable, Sendable, CaseIterable {
        /// Neither of them is a user of this server.
        case notHere = "not_here"
        case oneself
        /// The user's server would be this one, and there is no such user here.
        case noSuchUser = "no_such_user"
        /// The user lets the observer see them.
        case granted
        /// The user blocks the observer, which goes before rooms.
        case blocked
        /// The user is on the observer's list, and the user's server agreed.
        case entryAccepted = "entry_accepted"
        /// They share a room that counts.
        case sharedRoom = "shared_room"
        /// The observer asked, and the user has not answered.
        case requested
        /// The observer asked, and the user's server has not answered.
        case entryPending = "entry_pending"
        /// The observer asked, and was refused.
        case entryDenied = "entry_denied"
        /// The only rooms that they share are excluded.
        case excludedRooms = "excluded_rooms"
        /// No leave, and no room: never asked, or denied, of which nothing is kept.
        case noLeave = "no_leave"
    }

    /// Whether an observer's wish to know of another server's user counts.
    public enum Attention: String, Hashable, Sendable, CaseIterable {
        /// It does: the user's server is asked.
        case counts
        /// The observer is hidden or offline by choice, and a poll would tell that somebody is there.
        case away
        /// No client of the observer is connected, and nothing was asked for expressly.
        case noClient = "no_client"
        /// The observer asked expressly for others.
        case notSelected = "not_selected"
        /// The observer may not see the user.
        case notEntitled = "not_entitled"
    }

    /// Rooms, the first of them by name.
    public struct SharedRooms: Hashable, Sendable {
        /// At most ``listLimit``.
        public var first: [SharedRoom] = []
        /// How many there are.
        public var count = 0

        /// Past this only the count tells.
        public static let listLimit = 10
    }

    /// A room that a user shares.
    public struct SharedRoom: Hashable, Sendable {
        /// Which one.
        public var id: RoomID
        /// Sharing it makes nobody visible.
        public var isExcluded: Bool
        /// Everybody in it.
        public var members: Int
        /// Those of them at the server asked about; of one observer: 1.
        public var membersThere: Int
        /// Every one of those is blocked by the user.
        public var isBlocked: Bool
    }

    /// What makes a server hear of a local user, or not.
    public struct AudienceExplanation: Hashable, Sendable {
        /// By what someone at the server may see the user; `nil`: nobody may.
        public var reach: Reach?
        /// There is such a user here.
        public var isKnown: Bool
        /// Users of the server who were given leave, the first by name: at most ``SharedRooms/listLimit``.
        public var granted: [UserID]
        /// How many they are.
        public var grantedCount: Int
        /// Users of the server who asked and wait.
        public var requestedCount: Int
        /// Users of the server whom the user blocks.
        public var blockedCount: Int
        /// Rooms of the user with somebody of that server in them.
        public var rooms: SharedRooms
        /// Rooms with more members than this are large.
        public var nearRoomLimit: Int
    }

    /// By which rule `observer` sees `user`, or does not.
    public func explain(_ user: UserID, to observer: UserID) -> Explanation {
        let (target, watcher) = (number(of: user), number(of: observer))
        let consent = user.isHosted(by: server) ? consent(of: user, for: observer) : nil
        let entry = observer.isHosted(by: server) ? self.entry(of: observer, for: user) : nil
        var shared = SharedRooms()
        if let target, let watcher, target != watcher { shared = sharedRooms(target, watcher) }
        let cause = cause(user, observer, consent, entry, shared)
        var explanation = Explanation(
            isSeen: cause.isSeen, cause: cause, since: nil, entry: entry?.state, answerIfAsked: nil, rooms: shared,
            isAnsweredOnly: cause == .granted && observer.isHosted(by: server) && entry?.state != .accepted
                && !shared.counts, attention: nil)
        switch cause {
        case .granted, .blocked, .requested: explanation.since = consent?.since
        case .entryAccepted, .entryPending, .entryDenied: explanation.since = entry?.since
        default: break
        }
        if let target, users[target].isLocal, target != watcher, cause != .granted, cause != .blocked {
            explanation.answerIfAsked = decide(target, about: watcher, of: observer.server)
        }
        if observer.isHosted(by: server), !user.isHosted(by: server) {
            explanation.attention = attention(of: watcher, for: target)
        }
        return explanation
    }

    private func cause(
        _ user: UserID, _ observer: UserID, _ consent: StoredConsent?, _ entry: StoredEntry?, _ shared: SharedRooms
    ) -> Cause {
        if user.isHosted(by: server) {
            guard let target = number(of: user),
                users[target].isKnown || !(relations[target]?.rooms.isEmpty ?? true)
            else { return .noSuchUser }
            if user == observer { return .oneself }
            if consent?.state == .granted { return .granted }
            if consent?.state == .blocked { return .blocked }
        } else {
            guard observer.isHosted(by: server) else { return .notHere }
            if entry?.state == .accepted { return .entryAccepted }
        }
        if shared.counts { return .sharedRoom }
        if consent?.state == .requested { return .requested }
        switch entry?.state {
        case .pending: return .entryPending
        case .denied: return .entryDenied
        case .accepted, nil: return shared.count > 0 ? .excludedRooms : .noLeave
        }
    }

    private func sharedRooms(_ target: Int, _ watcher: Int) -> SharedRooms {
        let theirs = relations[watcher]?.rooms ?? []
        let isBlocked = isBlocked(watcher, by: target)
        return listed((relations[target]?.rooms ?? []).filter { theirs.containsSorted($0) }) { room in
            SharedRoom(
                id: rooms[room].id, isExcluded: rooms[room].isExcluded, members: rooms[room].members.count,
                membersThere: 1, isBlocked: isBlocked)
        }
    }

    /// Those that count first.
    private func listed(_ numbers: [Int], _ described: (Int) -> SharedRoom) -> SharedRooms {
        let sorted = numbers.sorted {
            (rooms[$0].isExcluded ? 1 : 0, rooms[$0].id) < (rooms[$1].isExcluded ? 1 : 0, rooms[$1].id)
        }
        return SharedRooms(first: sorted.prefix(SharedRooms.listLimit).map(described), count: numbers.count)
    }

    private func attention(of watcher: Int?, for target: Int?) -> Attention {
        guard let watcher, let target, maySee(observer: watcher, observed: target) else { return .notEntitled }
        if relations[watcher]?.counted.containsSorted(target) ?? false { return .counts }
        if users[watcher].caresInRooms, shareRoom(watcher, target) { return .counts }
        let effective = users[watcher].effective
        if effective == .hidden || effective == .offline, !configuration.hiddenUsersCare { return .away }
        return interests[watcher] == nil ? .noClient : .notSelected
    }

    /// Why `server` hears of a local user, or does not.
    public func explain(_ user: UserID, at server: ServerName) -> AudienceExplanation {
        let limit = configuration.nearRoomLimit
        guard let number = number(of: user), let there = serverNumbers[server] else {
            return AudienceExplanation(
                reach: nil, isKnown: isKnownHere(user), granted: [], grantedCount: 0, requestedCount: 0,
                blockedCount: 0, rooms: SharedRooms(), nearRoomLimit: limit)
        }
        let consents = (relations[number]?.consents ?? []).filter { remotes[$0.observer]?.server == there }
        let granted = consents.filter { $0.stored.state == .granted }.map { profiles[$0.observer].id }.sorted()
        let shared = (relations[number]?.rooms ?? []).filter { !rooms[$0].members(of: there).isEmpty }
        return AudienceExplanation(
            reach: toldReach(of: number, at: there), isKnown: isKnownHere(user),
            granted: Array(granted.prefix(SharedRooms.listLimit)), grantedCount: granted.count,
            requestedCount: consents.count { $0.stored.state == .requested },
            blockedCount: consents.count { $0.stored.state == .blocked },
            rooms: listed(shared) { room in
                let members = rooms[room].members(of: there)
                return SharedRoom(
                    id: rooms[room].id, isExcluded: rooms[room].isExcluded, members: rooms[room].members.count,
                    membersThere: members.count,
                    isBlocked: members.allSatisfy { isBlocked($0, by: number) })
            }, nearRoomLimit: limit)
    }

    /// Whether there is such a user here, as far as was heard.
    public func isKnownHere(_ user: UserID) -> Bool {
        number(of: user).map { users[$0].isLocal && users[$0].isKnown } ?? false
    }
}

extension PresenceEngine.Cause {
    /// `nil`: not for this server to decide.
    public var isSeen: Bool? {
        switch self {
        case .notHere: nil
        case .oneself, .granted, .entryAccepted, .sharedRoom: true
        case .noSuchUser, .blocked, .requested, .entryPending, .entryDenied, .excludedRooms, .noLeave: false
        }
    }
}

extension PresenceEngine.SharedRooms {
    /// One of them makes its members visible. Those that do come first.
    var counts: Bool { first.first.map { !$0.isExcluded } ?? false }
}
