import PresenceModel

/// What one server tells another about presence: one `m.presence` EDU with its ages turned into instants.
///
/// Design: section 4.
public struct PresenceMessage: Hashable, Sendable {
    /// A user as the user's server sees them.
    public struct Report: Hashable, Sendable {
        public var user: UserID
        public var presence: Presence

        public init(user: UserID, presence: Presence) {
            self.user = user
            self.presence = presence
        }
    }

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
    /// The sender used a key of ours, or polled: it takes part in subscribe and push.
    public var speaksExtension = false

    public init() {}

    var isEmpty: Bool { push.isEmpty && poll.isEmpty && unpoll.isEmpty && query.isEmpty && watch.isEmpty }
}

/// A transaction on its way: the same value on every try, and by its `composed` the same bytes.
public struct OutgoingTransaction: Hashable, Sendable {
    /// `pd-<boot>-<n>`.
    public var id: String
    public var destination: ServerName
    /// The `origin_server_ts`, and the instant that ages are counted to.
    public var composed: Instant
    /// One EDU each; at most ``FederationEngine/Configuration/edusPerTransaction``.
    public var messages: [PresenceMessage]

    public init(id: String, destination: ServerName, composed: Instant, messages: [PresenceMessage]) {
        self.id = id
        self.destination = destination
        self.composed = composed
        self.messages = messages
    }
}
