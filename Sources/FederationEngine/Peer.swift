import PresenceModel

/// How a server talks about presence.
public enum Dialect: String, Hashable, Sendable, CaseIterable {
    /// Nothing was heard from it that tells. Treated as legacy.
    case unheard
    /// It pushes, and ignores polls: Synapse and its kin.
    case legacy
    /// It has shown a poll or one of our keys: subscribe and push.
    case capable
}

/// What is said of a local user, and to whom it may be said.
struct LocalUser: Hashable, Sendable {
    var presence = Presence.neverActive
    /// Servers that host someone who may see the user.
    var audience: Set<ServerName> = []
    /// Those of them that see the user by large rooms only.
    var seenWidely: Set<ServerName> = []
}

/// One other server: the outbox, and both sides' promises.
struct Peer: Sendable {
    /// This server's word about one local user.
    struct Given: Hashable, Sendable {
        var until: Instant
        /// The `until` that was saved last; saving every push would be too much.
        var savedUntil: Instant
    }

    /// What the other side holds of a local user, by our last delivered or outstanding push.
    struct Said: Hashable, Sendable {
        var state: PublishedState
        var statusText: String?
        var deviceType: DeviceType?

        init(_ presence: Presence) {
            state = presence.state
            statusText = presence.statusText
            deviceType = presence.deviceType
        }
    }

    struct Window: Hashable, Sendable {
        var opened: Instant
        var closes: Instant
    }

    let name: ServerName
    var dialect = Dialect.unheard
    /// Transactions taken from it lately, the latest last.
    var recent: [String] = []
    var given: [UserID: Given] = [:]
    var said: [UserID: Said] = [:]

    // What the next transaction holds. States are looked up when it is composed.
    /// Changed users.
    var dirty: Set<UserID> = []
    /// Users to be pushed even if nothing changed: answers and first appearances.
    var owed: Set<UserID> = []
    var toPoll: Set<UserID> = []
    var toUnpoll: Set<UserID> = []
    /// Unlike states these are kept as they came, and told for certain.
    var permissions = PermissionQueue()
    var window: Window?
    var isUrgent = false

    var inFlight: OutgoingTransaction?
    /// Permissions in the outstanding transaction that are not to be told anew if it is refused.
    var withdrawnInFlight: Set<PermissionKey> = []
    /// The outstanding transaction is with the shell; otherwise it waits for `retryAt`.
    var isUnderway = false
    var retryAt: Instant?
    /// Until when the other side, with its latest answer, asked to be left alone.
    var silenceAsked: Instant?
    var failures = 0
    /// Transactions made for it since the start.
    var transactionCount: UInt64 = 0
    var lastSent: Instant?

    init(name: ServerName) { self.name = name }

    var hasSomethingToSay: Bool {
        !permissions.isEmpty || !dirty.isEmpty || !owed.isEmpty || !toPoll.isEmpty || !toUnpoll.isEmpty
    }

    func hasInFlight(_ key: PermissionKey) -> Bool {
        inFlight?.permissions.contains { PermissionKey($0) == key } ?? false
    }

    /// The next change opens a window of its own.
    mutating func closeEmptyWindow() {
        guard !hasSomethingToSay else { return }
        window = nil
        isUrgent = false
    }
}

/// One user of another server whom someone here cares about, or did until lately.
struct Interest: Sendable {
    enum Stage: Hashable, Sendable {
        /// Nobody cares, and the other side knows.
        case none
        /// Someone cares; the other side was asked, or is about to be.
        case wanted
        /// Nobody cares; the other side is told after the grace.
        case fading
    }

    let user: UserID
    let peer: Int
    var stage = Stage.none
    /// The other side's word; `nil`: not given.
    var until: Instant?
}
