import PresenceModel

// For the operator: what a user is, and by what. Asking changes nothing, and tells no texts.
extension PresenceEngine {
    /// What a local user is, as nobody but the user themself and the operator may know.
    public struct LocalCondition: Hashable, Sendable {
        /// What the user picked.
        public var chosen: ChosenState
        /// What the user insists on, if anything.
        public var override: ChosenState?
        /// When the override ends; `nil`: it does not.
        public var overrideUntil: Instant?
        /// What observers see, those on other servers at least.
        public var published: PublishedState
        /// Since when observers here are told that nothing is known, as ``UnknownReason/socialSideLost``; `nil`: they are
        /// told ``published``.
        public var unknownSince: Instant?
        /// Devices that are connected.
        public var devices: Int
        /// Every connected device is idle.
        public var isIdle: Bool
        /// When a device was in touch last; `nil`: never.
        public var lastSeen: Instant?
        /// When time alone may change something; `nil`: it may not.
        public var nextLook: Instant?

        /// The override, or the choice.
        public var effective: ChosenState { override ?? chosen }
    }

    /// What is known of another server's user, and by whom it is wanted.
    public struct RemoteCondition: Hashable, Sendable {
        /// `nil`: unknown.
        public var published: PublishedState?
        /// Why it is unknown.
        public var unknown: UnknownReason?
        /// Since when it is unknown; `nil` if it was never known.
        public var unknownSince: Instant?
        /// Until when what is known holds without a further word; `nil`: for good, or nothing is known.
        public var goodUntil: Instant?
        /// Observers here whose wish to know counts.
        public var interested: Int
        /// Entries for the user on lists here, in whatever state.
        public var listed: Int
        /// Rooms that the user is in, as far as this server knows.
        public var rooms: Int
    }

    /// `nil`: there is no such user here.
    public func localCondition(of user: UserID, at now: Instant) -> LocalCondition? {
        guard let number = number(of: user), users[number].isLocal, users[number].isKnown else { return nil }
        let record = users[number]
        let devices = record.devices.count { $0.isConnected(at: now, offlineAfter: limits.offlineAfter) }
        return LocalCondition(
            chosen: profiles[number].chosen, override: overrides[number]?.state,
            overrideUntil: overrides[number]?.until, published: record.state,
            unknownSince: record.loss == .shown ? losses[number]?.since : nil, devices: devices,
            isIdle: devices > 0 && record.isIdle, lastSeen: record.lastSeen == .epoch ? nil : record.lastSeen,
            nextLook: deadlines[number])
    }

    /// Of another server's user; of one whom nobody here has to do with nothing is known.
    public func remoteCondition(of user: UserID) -> RemoteCondition {
        guard let number = number(of: user), let remote = remotes[number] else {
            return RemoteCondition(unknown: .neverHeard, interested: 0, listed: 0, rooms: 0)
        }
        return RemoteCondition(
            published: remote.presence?.state,
            unknown: remote.presence == nil ? remote.unknown?.reason ?? .neverHeard : nil,
            unknownSince: remote.presence == nil ? remote.unknown?.since : nil, goodUntil: remote.goodUntil,
            interested: remote.interested, listed: relations[number]?.listed ?? 0,
            rooms: relations[number]?.rooms.count ?? 0)
    }
}
