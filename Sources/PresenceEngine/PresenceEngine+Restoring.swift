import PresenceModel

extension PresenceEngine {
    /// The device that stands for a user's devices from before a restart, for one lease.
    static let restoredDevice = "org.presenced.restored"

    /// Everything that was saved.
    public struct Snapshot: Sendable {
        /// Local users; users of other servers are skipped.
        public var statuses: [(user: UserID, status: StoredStatus)] = []
        /// Entries of the watch lists; an observer must be local.
        public var entries: [(observer: UserID, observed: UserID)] = []
        /// Users of other servers; those on nobody's watch list are skipped.
        public var remotes: [(user: UserID, remote: StoredRemote)] = []

        /// Nothing saved: a first start.
        public init() {}
    }

    /// Takes in what was saved; ``Event/started`` must follow.
    ///
    /// Users who were connected are held for one lease: nobody is online by memory alone for longer.
    public mutating func restore(_ snapshot: Snapshot, at now: Instant) {
        precondition(users.isEmpty, "restored into an engine in use")
        let device = try? DeviceID(parsing: PresenceEngine.restoredDevice)
        for (user, status) in snapshot.statuses where user.isHosted(by: server) {
            let number = intern(user)
            users[number].chosen = status.chosen
            users[number].statusText = status.statusText
            users[number].lastActive = status.lastActive.map { min($0, now) }
            users[number].lastSeen = status.lastSeen.map { min($0, now) }
            let text = status.chosen == .hidden ? nil : status.statusText
            users[number].published = Presence(
                state: .offline, statusText: text, lastActive: users[number].lastActive)
            guard status.isConnected, let device else { continue }
            let lease = DeviceLease(
                device: device, lastSeen: now, lastActive: users[number].lastActive ?? now)
            users[number].devices = [lease]
        }
        for (observer, observed) in snapshot.entries where observer.isHosted(by: server) && observer != observed {
            insertEntry(intern(observer), intern(observed))
        }
        for (user, remote) in snapshot.remotes {
            guard let number = numbers[user], !users[number].isLocal else { continue }
            version += 1
            users[number].version = version
            if let goodUntil = remote.goodUntil, goodUntil <= now {
                users[number].unknownSince = goodUntil
                continue
            }
            users[number].published = remote.presence
            users[number].goodUntil = remote.goodUntil
            deadlines.set(number, to: remote.goodUntil)
        }
    }
}
