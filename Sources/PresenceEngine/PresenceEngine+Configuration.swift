import PresenceModel

extension PresenceEngine {
    /// Times and bounds of the presence model; each is named by what follows it. Design: section 8.
    public struct Configuration: Hashable, Sendable {
        /// A device without a sync or stream is gone after this.
        public var offlineAfter: Duration = .seconds(30)
        /// A device without activity is idle after this.
        public var idleAfter: Duration = .minutes(5)
        /// Busy ends when no device has been seen for this long.
        public var busyEndsAfter: Duration = .hours(1)
        /// Ages leave this server as multiples of this.
        public var ageGranularity: Duration = .seconds(60)
        /// Past this the device seen longest ago is forgotten.
        public var devicesPerUser = 32
        /// Past this ``PresenceEngine/refusal(addingEntryOf:for:)`` refuses a further entry.
        public var watchEntriesPerUser = 1000

        /// The defaults above.
        public init() {}
    }

    /// What happened.
    public enum Event: Hashable, Sendable {
        /// The engine holds what was restored and goes to work. Comes once, first.
        case started
        /// A local user picked a state and a text (`nil` clears it) on one of their devices. Counts as activity.
        case statusChosen(DeviceKey, ChosenState, text: String?)
        /// A local device was in touch (a sync, a poll) without its user doing anything.
        case deviceSeen(DeviceKey)
        /// A local user did something on a device.
        case deviceActed(DeviceKey)
        /// A device lost its access token: it is gone at once.
        case deviceRevoked(DeviceKey)
        /// A device began to listen for changes; it is connected until the stream is closed.
        case streamOpened(StreamID, DeviceKey)
        case streamClosed(StreamID)
        /// A local user put someone on their watch list: a wish to see them, and leave to be seen by them.
        case entryAdded(observer: UserID, observed: UserID)
        case entryRemoved(observer: UserID, observed: UserID)
        /// Another server said what its user is, and until when it will tell of changes (`nil`: for good).
        case remoteReported(UserID, Presence, goodUntil: Instant?)
        /// Nothing is promised about a user of another server any more.
        case remoteLapsed(UserID)
        case deadlineReached
    }

    /// What is to be done.
    public enum Effect: Hashable, Sendable {
        /// There is something new for this stream: ask ``PresenceEngine/changes(for:after:at:)``.
        case wake(StreamID)
        /// A local user is something else now, as other servers may see it.
        case localPublished(UserID, Presence, Occasion)
        /// A server hosts someone who may see this local user.
        case audienceAdded(UserID, ServerName)
        /// As before the restart: nothing new for that server.
        case audienceRestored(UserID, ServerName)
        /// No one at that server may see this local user any more.
        case audienceRemoved(UserID, ServerName)
        /// The first connected local observer of a user of another server.
        case interestBegan(UserID)
        /// The last one is gone.
        case interestEnded(UserID)
        case save(Record)
    }

    /// Why a local user's presence is told.
    public enum Occasion: Hashable, Sendable {
        /// From offline to anything else.
        case appeared
        case changed
        /// This server came back and says again what holds.
        case restarted
    }

    /// One row to keep; the latest for a key wins.
    public enum Record: Hashable, Sendable {
        case status(UserID, StoredStatus)
        case entry(observer: UserID, observed: UserID)
        case entryRemoved(observer: UserID, observed: UserID)
        case remote(UserID, StoredRemote)
    }
}

/// A stream of one client, numbered by the runtime; a number is never used twice in a run.
public struct StreamID: Hashable, Comparable, Sendable {
    /// Rises by one with every stream opened.
    public let number: UInt64

    /// The stream of that number.
    public init(_ number: UInt64) { self.number = number }

    /// The stream opened earlier comes first.
    public static func < (left: StreamID, right: StreamID) -> Bool { left.number < right.number }
}

/// What is kept of a local user.
public struct StoredStatus: Hashable, Sendable {
    /// What the user picked last; `online` if never anything.
    public var chosen: ChosenState
    /// ``StatusText``, kept while the user is hidden too; `nil` for none.
    public var statusText: String?
    /// The last sign of activity that others may learn; `nil` for a user who was never active.
    public var lastActive: Instant?
    /// When one of the user's devices was last in touch; `nil` for never.
    public var lastSeen: Instant?
    /// A device was connected when this was written: after a restart the user is held for one more lease.
    public var isConnected: Bool

    /// A row as given, nothing checked.
    public init(
        chosen: ChosenState, statusText: String?, lastActive: Instant?, lastSeen: Instant?, isConnected: Bool
    ) {
        self.chosen = chosen
        self.statusText = statusText
        self.lastActive = lastActive
        self.lastSeen = lastSeen
        self.isConnected = isConnected
    }
}

/// What is kept of another server's user.
public struct StoredRemote: Hashable, Sendable {
    /// What the user's server said last.
    public var presence: Presence
    /// Until when the user's server promised to tell of changes; `nil`: for good.
    public var goodUntil: Instant?

    /// A row as given, nothing checked.
    public init(presence: Presence, goodUntil: Instant?) {
        self.presence = presence
        self.goodUntil = goodUntil
    }
}
