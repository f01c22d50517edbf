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
    /// How long the sender's own promise holds.
    public var promise: Duration?
    /// The sender used a key or an EDU of ours, or polled: it takes part in subscribe and push.
    public var speaksExtension = false

    /// An empty message.
    public init() {}

    var isEmpty: Bool { push.isEmpty && poll.isEmpty && unpoll.isEmpty && query.isEmpty && watch.isEmpty }
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
