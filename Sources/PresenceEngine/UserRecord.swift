import PresenceModel

/// What every event of a user touches. Kept small: with many users, memory is what an event costs.
///
/// ``Instant/epoch`` stands for "never".
struct UserRecord: Sendable {
    var devices: [DeviceLease] = []
    /// All open streams, those that touch no device among them.
    var streams: [StreamID] = []
    var lastSeen = Instant.epoch
    var lastActive = Instant.epoch
    /// The age that others see while the user is offline to them.
    var shownLastActive = Instant.epoch
    /// The `lastActive` and the `lastSeen` that were saved last.
    var savedActive = Instant.epoch
    var savedSeen = Instant.epoch

    /// The override's state, or the chosen one.
    var effective = ChosenState.online
    /// What observers see; of a remote user, what its server says, if ``RemoteRecord/presence`` is there.
    var state = PublishedState.offline
    var interest = InterestMode.none
    /// Members of the user's rooms are counted as cared about.
    var caresInRooms = false
    let isLocal: Bool
    /// There is such a user here.
    var isKnown = false
    var isOverridden = false
    /// An override or an explicit interest may end: see ``PresenceEngine/overrides`` and ``PresenceEngine/interests``.
    var hasTimers = false
    /// The effective text or a device's type may differ from what observers see.
    var isStale = false
    var wasConnected = false
    /// Every connected device is idle.
    var isIdle = false
    /// There are ``Arrivals`` of the user.
    var collectsArrivals = false
    /// There are ``Relations`` of the user.
    var hasRelations = false
    /// What holds the user visible.
    var basis = LocalView.Basis.memory
    var loss = Loss.none
    /// What was told last by ``PresenceEngine/Effect/localViewed(_:_:)``, but for the text; 0: nothing.
    var viewMark: UInt8 = 0

    /// Whether a device is gone of which nobody knows what became of it: see ``PresenceEngine/losses``.
    enum Loss: Sendable {
        case none
        /// There is one, and others see what they would see anyway.
        case noted
        /// There is one, and the user is unknown to others for it.
        case shown
    }

    init(isLocal: Bool) { self.isLocal = isLocal }

    /// Someone's client may listen, or come back for what it missed.
    var isAttentive: Bool { !devices.isEmpty || !streams.isEmpty }
}

/// Whether a user's wish to be kept posted counts.
enum InterestMode: Sendable {
    /// Not at all: hidden, offline by choice.
    case none
    /// Only what was asked for expressly.
    case explicit
    /// A client is there.
    case implied
}

/// What only changes and questions touch.
struct Profile: Sendable {
    let id: UserID
    var chosen = ChosenState.online
    var statusText: String?
    /// What observers see.
    var shownText: String?
    /// What observers see.
    var shownType: DeviceType?
    /// Of what was told by ``PresenceEngine/Effect/localViewed(_:_:)``.
    var viewedText: String?
    /// Rises with what only the user's own clients are told.
    var revision: UInt64 = 0
}

/// One device of a local user: connected while it streams, and for a while after it was last seen.
struct DeviceLease: Hashable, Sendable {
    enum Idleness: Sendable {
        case none
        /// A sync said so; a sync that says otherwise is activity.
        case bySync
        case byReport
        /// From before a restart, or said to be in use until it is said otherwise: not idle, however old the last
        /// activity is.
        case heldActive
    }

    enum Kind: Sendable {
        case own
        /// Of the type `world`.
        case world
        /// Stands for others of before a restart.
        case restored
    }

    let device: DeviceID
    var type: DeviceType? { didSet { if kind != .restored { kind = type?.isWorld ?? false ? .world : .own } } }
    var lastSeen: Instant
    var lastActive: Instant
    /// Streams that hold the device connected.
    var openStreams: Int32 = 0
    var idleness = Idleness.none
    /// The device whose type observers see.
    var isLeading = false
    private(set) var kind = Kind.own
    /// Somebody says that it is there, until they say otherwise.
    var isHeld = false

    init(device: DeviceID, lastSeen: Instant, lastActive: Instant, isRestored: Bool = false) {
        self.device = device
        self.lastSeen = lastSeen
        self.lastActive = lastActive
        if isRestored { kind = .restored }
    }

    /// Connected whatever the time.
    var isHeldOpen: Bool { openStreams > 0 || isHeld }

    func isConnected(at now: Instant, offlineAfter: Int64) -> Bool {
        isHeldOpen || now.milliseconds(since: lastSeen) < offlineAfter
    }

    func isIdle(at now: Instant, idleAfter: Int64) -> Bool {
        switch idleness {
        case .bySync, .byReport: true
        case .heldActive: false
        case .none: now.milliseconds(since: lastActive) >= idleAfter
        }
    }
}

struct StreamRecord: Sendable {
    let user: Int
    let device: DeviceID
    /// The stream holds its device connected.
    let holds: Bool
}

/// What is known of another server's user.
struct RemoteRecord: Sendable {
    var presence: Presence?
    /// Set when `presence` was lost.
    var unknown: (reason: UnknownReason, since: Instant)?
    var goodUntil: Instant?
    /// Local observers who care.
    var interested = 0
    /// Number of the user's server.
    let server: Int
}
