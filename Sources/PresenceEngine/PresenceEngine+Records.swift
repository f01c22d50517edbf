import PresenceModel

extension PresenceEngine {
    /// One row to keep; the latest for a key wins. The key is everything before the last value.
    public enum Record: Hashable, Sendable {
        case status(UserID, StoredStatus)
        case deviceType(DeviceKey, DeviceType)
        case deviceTypeRemoved(DeviceKey)
        case entry(observer: UserID, observed: UserID, StoredEntry)
        case entryRemoved(observer: UserID, observed: UserID)
        case consent(observed: UserID, observer: UserID, StoredConsent)
        case consentRemoved(observed: UserID, observer: UserID)
        case listSettings(UserID, StoredListSettings)
        case member(RoomID, UserID)
        case memberRemoved(RoomID, UserID)
        case remote(UserID, StoredRemote)
        case remoteRemoved(UserID)
    }

    /// Everything that was saved.
    public struct Snapshot: Sendable {
        /// Local users; users of other servers are skipped.
        public var statuses: [(user: UserID, status: StoredStatus)] = []
        /// Types that local users' devices reported.
        public var deviceTypes: [(device: DeviceKey, type: DeviceType)] = []
        /// Entries of presence lists; an observer must be local.
        public var entries: [(observer: UserID, observed: UserID, entry: StoredEntry)] = []
        /// Who may see whom, and who asked; an observed user must be local.
        public var consents: [(observed: UserID, observer: UserID, consent: StoredConsent)] = []
        /// Groups and policies of local users.
        public var listSettings: [(user: UserID, settings: StoredListSettings)] = []
        /// Who is in which room, local or not.
        public var members: [(room: RoomID, user: UserID)] = []
        /// Users of other servers; those who are on nobody's list and in no room are skipped.
        public var remotes: [(user: UserID, remote: StoredRemote)] = []

        /// Nothing saved: a first start.
        public init() {}
    }
}

/// What is kept of a local user.
public struct StoredStatus: Hashable, Sendable {
    /// What the user picked last; `online` if never anything.
    public var chosen: ChosenState
    /// ``StatusText`` of the choice, kept while the user is hidden too; `nil` for none.
    public var statusText: String?
    /// What the user insists on, if anything.
    public var override: PresenceOverride?
    /// The last sign of activity; `nil` for a user who was never active.
    public var lastActive: Instant?
    /// When one of the user's devices was last in touch; `nil` for never.
    public var lastSeen: Instant?
    /// A device was connected when this was written: after a restart the user is held for one more lease.
    public var isConnected: Bool
    /// Every connected device was idle.
    public var isIdle: Bool
    /// The text that others were shown last: not what a user does who is offline to them.
    public var shownText: String?
    /// The last activity that others may learn of.
    public var shownLastActive: Instant?

    /// A row as given, nothing checked.
    public init(
        chosen: ChosenState = .online, statusText: String? = nil, override: PresenceOverride? = nil,
        lastActive: Instant? = nil, lastSeen: Instant? = nil, isConnected: Bool = false, isIdle: Bool = false,
        shownText: String? = nil, shownLastActive: Instant? = nil
    ) {
        self.chosen = chosen
        self.statusText = statusText
        self.override = override
        self.lastActive = lastActive
        self.lastSeen = lastSeen
        self.isConnected = isConnected
        self.isIdle = isIdle
        self.shownText = shownText
        self.shownLastActive = shownLastActive
    }
}

/// What is kept of an entry of a local user's presence list.
public struct StoredEntry: Hashable, Sendable {
    /// Where it stands.
    public var state: EntryState
    /// The number of the latest request, see ``PermissionMessage/request``.
    public var request: Int64
    /// When it came to stand there.
    public var since: Instant
    /// ``EntryText``: words to the one asked; `nil` for none.
    public var note: String?
    /// ``EntryText``: what the client wants remembered; `nil` for none.
    public var acl: String?
    /// The groups it is in: a bit for each ``StoredListSettings/Group/slot``.
    public var groups: UInt64

    /// A row as given, nothing checked.
    public init(
        state: EntryState, request: Int64, since: Instant, note: String? = nil, acl: String? = nil, groups: UInt64 = 0
    ) {
        self.state = state
        self.request = request
        self.since = since
        self.note = note
        self.acl = acl
        self.groups = groups
    }
}

/// What a local user said, or is asked, about being seen by someone.
public struct StoredConsent: Hashable, Sendable {
    /// Which of the three.
    public enum State: String, Hashable, Sendable, CaseIterable {
        /// They asked, and wait.
        case requested
        /// They may.
        case granted
        /// They may not, whatever else holds, and need not ask.
        case blocked
    }

    /// Where it stands.
    public var state: State
    /// The number of their latest request; `nil` if it bore none or they never asked.
    public var request: Int64?
    /// When it came to stand there.
    public var since: Instant
    /// Their words; `nil` for none.
    public var note: String?

    /// A row as given, nothing checked.
    public init(state: State, request: Int64? = nil, since: Instant, note: String? = nil) {
        self.state = state
        self.request = request
        self.since = since
        self.note = note
    }
}

/// What is kept of a local user's groups and policies.
public struct StoredListSettings: Hashable, Sendable {
    /// One group of a presence list.
    public struct Group: Hashable, Sendable {
        /// 0 to 63, once for each user; what entries are marked with, so that a new name changes one row.
        public var slot: UInt8
        /// Once for each user.
        public var name: GroupName

        /// The group of that slot and name.
        public init(slot: UInt8, name: GroupName) {
            self.slot = slot
            self.name = name
        }
    }

    /// In the order of their names.
    public var groups: [Group] = []
    /// `nil`: what the configuration says.
    public var policy: ListPolicy?
    /// Who may open a chat.
    public var contact = ContactPolicy()

    /// No groups, nothing picked.
    public init() {}
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
