import PresenceModel

/// What one server tells another about presence: one `m.presence` EDU with its ages turned into instants.
///
/// Design: section 4.
public struct PresenceMessage: Hashable, Sendable {
    /// A user as the user's server sees them.
    public struct Report: Hashable, Sendable {
        /// Hosted by the server that sends the report, or the receiver drops it.
        public var user: UserID
        /// As of the moment the message was composed.
        public var presence: Presence

        /// A report of `presence` for `user`.
        public init(user: UserID, presence: Presence) {
            self.user = user
            self.presence = presence
        }
    }

    /// States of the sender's users.
    public var push: [Report] = []
    /// Answer now and keep me posted.
    public var poll: [UserID] = []
    /// Keep me posted no longer.
    public var unpoll: [UserID] = []
    /// Answer now only.
    public var query: [UserID] = []
    /// Keep me posted; no answer needed.
    public var watch: [UserID] = []
    /// How the sender's view of what was promised is compared with the receiver's.
    public struct Reminder: Hashable, Sendable {
        /// Users' states in short. Two views that differ in a state or a text have different digests, but for one in
        /// 2^64.
        public struct Summary: Hashable, Sendable {
            /// How many users.
            public var count: Int
            /// The sum, modulo 2^64, of a hash for each user.
            public var digest: UInt64

            /// A summary of nothing.
            public init(count: Int = 0, digest: UInt64 = 0) {
                self.count = count
                self.digest = digest
            }
        }

        /// What the receiver should hold of the sender's users.
        public var promised: Summary
        /// What the sender holds of the receiver's users; `nil`: it does not say.
        public var held: Summary?
        /// The polls of this transaction are all that the sender wants: what else was promised to it may be let go.
        public var isComplete: Bool

        /// A reminder of what is promised.
        public init(promised: Summary, held: Summary? = nil, isComplete: Bool = false) {
            self.promised = promised
            self.held = held
            self.isComplete = isComplete
        }
    }

    /// What both sides should hold, in short.
    public var reminder: Reminder?
    /// How long the sender's own promise holds.
    public var promise: Duration?
    /// The sender used a key or an EDU of ours, or polled: it takes part in subscribe and push.
    public var speaksExtension = false

    /// An empty message.
    public init() {}

    var isEmpty: Bool {
        push.isEmpty && poll.isEmpty && unpoll.isEmpty && query.isEmpty && watch.isEmpty && reminder == nil
    }
}

/// A transaction on its way: the same value on every try, and by its `composed` the same bytes.
public struct OutgoingTransaction: Hashable, Sendable {
    /// `pd-<boot>-<n>`.
    public var id: String
    /// The one server that it is for.
    public var destination: ServerName
    /// The `origin_server_ts`, and the instant that ages are counted to.
    public var composed: Instant
    /// One EDU each, before those of ``messages``.
    public var permissions: [PermissionMessage]
    /// One EDU each; with ``permissions`` at most ``FederationEngine/Configuration/edusPerTransaction``.
    public var messages: [PresenceMessage]

    /// A transaction with nothing checked; the engine keeps the limits.
    public init(
        id: String, destination: ServerName, composed: Instant, permissions: [PermissionMessage] = [],
        messages: [PresenceMessage]
    ) {
        self.id = id
        self.destination = destination
        self.composed = composed
        self.permissions = permissions
        self.messages = messages
    }
}
