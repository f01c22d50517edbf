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
    /// When ``presence`` last came to say something else.
    var changed = Instant.epoch
    /// Servers that host someone who may see the user.
    var audience: Set<ServerName> = []
    /// Those of them that see the user by large rooms only.
    var seenWidely: Set<ServerName> = []
}

/// One other server: the outbox, both sides' promises, and whether it still answers.
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
        /// When it was handed out.
        var at: Instant

        init(_ presence: Presence, at now: Instant) {
            state = presence.state
            statusText = presence.statusText
            deviceType = presence.deviceType
            at = now
        }

        func isTheSame(as presence: Presence) -> Bool {
            state == presence.state && statusText == presence.statusText && deviceType == presence.deviceType
        }
    }

    struct Window: Hashable, Sendable {
        var opened: Instant
        var closes: Instant
    }

    /// The two watchdogs of a server with which presence is exchanged.
    struct Watch: Hashable, Sendable {
        /// Since when they run.
        var since: Instant
        /// When everything is exchanged anew, if no reminder comes from the other side before.
        var longDue: Instant
        /// The last reminder handed out.
        var reminded: Instant?
    }

    /// What is to be said beside changes, answers and polls.
    struct Exchange: OptionSet, Hashable, Sendable {
        let rawValue: UInt8

        /// A reminder of what both should hold.
        static let reminder = Exchange(rawValue: 1)
        /// All states that are promised.
        static let states = Exchange(rawValue: 2)
        /// All polls.
        static let polls = Exchange(rawValue: 4)
        /// Everything, both ways.
        static let full: Exchange = [.reminder, .states, .polls]
    }

    let name: ServerName
    var dialect = Dialect.unheard
    /// Transactions taken from it lately, the latest last.
    var recent: [String] = []
    var given: [UserID: Given] = [:]
    var said: [UserID: Said] = [:]
    /// How many local users may be seen there.
    var audienceCount = 0
    /// Its users about whom this server cares, or did until lately, by number.
    var interests: [Int] = []
    /// How many of ``interests`` somebody cares about now.
    var wantedCount = 0

    // What the next transaction holds. States are looked up when it is composed.
    /// Changed users.
    var dirty: Set<UserID> = []
    /// Users to be pushed even if nothing changed: answers and first appearances.
    var owed: Set<UserID> = []
    var toPoll: Set<UserID> = []
    var toUnpoll: Set<UserID> = []
    /// Nobody cares any more, and the next transaction, whatever its cause, says so.
    var leaving: Set<UserID> = []
    /// Unlike states these are kept as they came, and told for certain.
    var permissions = PermissionQueue()
    var exchange: Exchange = []
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
    /// Until when nothing is sent because the other side wants nothing about presence.
    var optedOutUntil: Instant?
    /// Transactions made for it since the start.
    var transactionCount: UInt64 = 0
    var lastSent: Instant?
    /// The last transaction with polls or unpolls.
    var lastAsked: Instant?
    /// The last time that all states were sent because the other side held others.
    var lastCorrected: Instant?

    /// The last time that promises which ran out were looked for.
    var lastPruned: Instant?

    /// The last authenticated sign of life.
    var lastHeard: Instant?
    /// While there is interest in either direction.
    var watch: Watch?
    /// Set while it does not answer.
    var silentSince: Instant?
    /// Reminders in a row that told of something else than is held here, and were acted on.
    var mismatches = 0
    /// When the next user is to be told again to a server that forgets.
    var refreshDue: Instant?
    /// Since when there is nothing to keep of it.
    var idleSince: Instant?
    var counts = PeerCounts()

    init(name: ServerName) { self.name = name }

    var hasSomethingToSay: Bool {
        !permissions.isEmpty || !dirty.isEmpty || !owed.isEmpty || !toPoll.isEmpty || !toUnpoll.isEmpty
            || !exchange.isEmpty
    }

    var isSilent: Bool { silentSince != nil }

    /// Nothing is promised, wanted, waiting or visible.
    var isIdle: Bool {
        audienceCount == 0 && given.isEmpty && interests.isEmpty && inFlight == nil && !hasSomethingToSay
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
        /// Someone cares; the other side was asked, or is about to be.
        case wanted
        /// Nobody cares; the other side is told after the grace.
        case fading
    }

    let user: UserID
    let peer: Int
    var stage = Stage.wanted
    /// The other side's word; `nil`: not given.
    var until: Instant?
    /// What the user's server said last, in short, while it is to be relied on.
    var held: UInt64?

    /// Nothing, once the other side's word has run out.
    func held(at now: Instant) -> UInt64? { until.flatMap { now < $0 ? held : nil } }
}
