import PresenceModel

/// One user, as the engine keeps them.
struct Person: Sendable {
    /// Someone or something that says that the user is there, until a time.
    struct Hold: Sendable {
        enum Holder: Hashable, Sendable {
            case session(SocialSessionID)
            case process(UInt64)
        }

        var holder: Holder
        var until: Instant
        /// Offline: another process said that the user left it. Kept for the sequence.
        var state: FriendState
        /// Of a process; 0 for others.
        var sequence: UInt64 = 0
        /// It is of a bridge, or of a process that has no other: the user themself is not in the world by it.
        var isBridged = false

        var isLocal: Bool {
            if case .process = holder { false } else { true }
        }
    }

    /// What friends see.
    struct Shown: Hashable, Sendable {
        var state = FriendState.offline
        var whereabouts: Whereabouts?
    }

    /// What limits count.
    struct Counts: Sendable {
        var friends = 0
        var outgoing = 0
        var incoming = 0
        var blocked = 0

        init() {}

        /// What one friendship counts for the user on that side.
        init(_ friendship: Friendship, for side: SocialPair.Side) {
            switch friendship.state {
            case .friends: friends = 1
            case .requested(side): outgoing = 1
            case .requested: incoming = 1
            case .none, .ended: break
            }
            if friendship.isBlocked(by: side) { blocked = 1 }
        }

        /// By how much each rises from `before`.
        func risen(from before: Counts) -> Counts {
            var risen = Counts()
            risen.friends = max(0, friends - before.friends)
            risen.outgoing = max(0, outgoing - before.outgoing)
            risen.incoming = max(0, incoming - before.incoming)
            risen.blocked = max(0, blocked - before.blocked)
            return risen
        }

        mutating func add(_ other: Counts, times: Int = 1) {
            friends += times * other.friends
            outgoing += times * other.outgoing
            incoming += times * other.incoming
            blocked += times * other.blocked
        }
    }

    let address: SocialAddress
    var settings = SocialSettings()
    /// Numbers of the pairs that the user is one of, in the order in which they came.
    var pairs: [Int32] = []
    /// Numbers of the user's friends, in no order but the same in every run.
    var friends: [Int32] = []
    /// Numbers of the pairs with an open request, of either; ordered like ``friends``.
    var requests: [Int32] = []
    /// Numbers of the pairs in which the user blocks the other; ordered like ``friends``.
    var blocks: [Int32] = []
    var counts = Counts()
    /// What ``counts`` will rise by when what is being written is.
    var reserved = Counts()

    var holds: [Hold] = []
    var whereabouts: Whereabouts?
    /// Of ``whereabouts``, on the clock of whoever said so.
    var whereaboutsAt = Instant.epoch
    /// The process that ``whereabouts`` came by: of the same instant the higher one holds, everywhere.
    var whereaboutsBy: UInt64 = 0
    /// There, as last told by ``SocialEngine/Effect/userAppeared(_:)``.
    var isPresent = false
    /// Other processes think that the user is here.
    var isShared = false
    /// Other processes think that only a bridge holds the user here.
    var isSharedAsBridged = false
    var shown = Shown()

    var presenceSubscriptions: [SocialSubscriptionID] = []
    var newsSubscriptions: [SocialSubscriptionID] = []
    var recentRequests = RecentTimes()
    var recentBlocks = RecentTimes()
    var recentPrivacies = RecentTimes()
    /// Changes of ``settings`` that are under way.
    var pins = 0

    init(_ address: SocialAddress) { self.address = address }

    /// Nobody has to do with the user.
    var isNobody: Bool {
        pairs.isEmpty && holds.isEmpty && settings == SocialSettings() && presenceSubscriptions.isEmpty
            && newsSubscriptions.isEmpty && pins == 0
    }

    /// There, by a hold of this process.
    var isHere: Bool { state(localOnly: true) != .offline }

    /// There by other holds than those of bridges; by those of this process alone.
    func isInWorld(localOnly: Bool = false) -> Bool {
        holds.contains { $0.state != .offline && !$0.isBridged && ($0.isLocal || !localOnly) }
    }

    mutating func place(at whereabouts: Whereabouts, _ at: Instant, by process: UInt64) {
        guard (at, process) >= (whereaboutsAt, whereaboutsBy) else { return }
        (self.whereabouts, whereaboutsAt, whereaboutsBy) = (whereabouts, at, process)
    }

    /// How the user is by all holds, or by those of this process alone.
    func state(localOnly: Bool = false) -> FriendState {
        var state = FriendState.offline
        for hold in holds where hold.state != .offline && (hold.isLocal || !localOnly) {
            if hold.state == .online { return .online }
            state = .away
        }
        return state
    }
}

/// When something happened within the last hour.
struct RecentTimes: Sendable {
    private var times: [Instant] = []

    /// How often within the hour before `now`.
    func count(at now: Instant) -> Int { times.count { $0 > now.advanced(by: .hours(-1)) } }

    mutating func note(_ now: Instant) {
        let hourAgo = now.advanced(by: .hours(-1))
        times.removeAll { $0 <= hourAgo }
        times.append(now)
    }
}
