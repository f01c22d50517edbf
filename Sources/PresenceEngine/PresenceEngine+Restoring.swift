import PresenceModel

extension PresenceEngine {
    /// The device that stands for a user's devices from before a restart, for one lease.
    static let restoredDevice = "org.presenced.restored"

    /// Takes in what was saved; ``Event/started`` must follow.
    ///
    /// Users who were connected are held for one lease: nobody is online by memory alone for longer.
    public mutating func restore(_ snapshot: Snapshot, at now: Instant) {
        precondition(users.isEmpty, "restored into an engine in use")
        reserve(snapshot.statuses.count + snapshot.remotes.count)
        let device = try? DeviceID(parsing: PresenceEngine.restoredDevice)
        for (user, status) in snapshot.statuses where user.isHosted(by: server) {
            restore(status, of: user, holding: device, at: now)
        }
        for (key, type) in snapshot.deviceTypes where key.user.isHosted(by: server) {
            let number = intern(key.user)
            users[number].isKnown = true
            deviceTypes[number, default: []].append(RememberedType(device: key.device, type: type))
        }
        for (user, settings) in snapshot.listSettings where user.isHosted(by: server) {
            let number = intern(user)
            users[number].isKnown = true
            relate(number) { $0.settings = settings }
        }
        restoreLists(snapshot)
        for (room, user) in snapshot.members { enter(intern(user), intern(room)) }
        for (user, remote) in snapshot.remotes { restore(remote, of: user, at: now) }
    }

    private mutating func reserve(_ count: Int) {
        users.reserveCapacity(count)
        profiles.reserveCapacity(count)
        versions.reserveCapacity(count)
        marks.reserveCapacity(count)
        numbers.reserveCapacity(count)
    }

    private mutating func restore(
        _ status: StoredStatus, of user: UserID, holding device: DeviceID?, at now: Instant
    ) {
        func past(_ instant: Instant?) -> Instant { min(instant ?? .epoch, now) }
        let number = intern(user)
        profiles[number].chosen = status.chosen
        profiles[number].statusText = status.statusText
        profiles[number].shownText = status.shownText
        users[number].isKnown = true
        users[number].lastActive = past(status.lastActive)
        users[number].savedActive = users[number].lastActive
        users[number].lastSeen = past(status.lastSeen)
        users[number].savedSeen = users[number].lastSeen
        users[number].shownLastActive = past(status.shownLastActive)
        users[number].effective = status.override?.state ?? status.chosen
        if let override = status.override {
            overrides[number] = override
            users[number].isOverridden = true
            users[number].hasTimers = override.until != nil
        }
        if status.isConnected, let device {
            var lease = DeviceLease(
                device: device, lastSeen: now, lastActive: users[number].lastActive, isRestored: true)
            lease.idleness = status.isIdle ? .byReport : .heldActive
            users[number].devices = [lease]
        }
        // As others saw the user last, an override that ended meanwhile included; what is different now is a change.
        users[number].state = users[number].derive(at: now, limits).state
    }

    private mutating func restoreLists(_ snapshot: Snapshot) {
        for (observed, observer, consent) in snapshot.consents
        where observed.isHosted(by: server) && observer != observed {
            let (target, watcher) = (intern(observed), intern(observer))
            users[target].isKnown = true
            relate(target) { $0.setConsent(consent, for: watcher) }
            relate(watcher) { related in
                related.judged += 1
                if consent.state == .blocked { related.blockedBy.insertSorted(target) }
            }
        }
        for (observer, observed, entry) in snapshot.entries where observer.isHosted(by: server) && observer != observed
        {
            restore(entry, of: intern(observer), for: intern(observed))
        }
    }

    private mutating func restore(_ stored: StoredEntry, of watcher: Int, for target: Int) {
        var entry = stored
        users[watcher].isKnown = true
        // Rows may have been lost by a foreign hand: a group's place must not be inherited, nor leave that is not there.
        let groups = relations[watcher]?.settings.groups ?? []
        entry.groups &= groups.reduce(0) { $0 | 1 << UInt64($1.slot) }
        if users[target].isLocal, entry.state == .accepted {
            if relations[target]?.consent(for: watcher)?.state != .granted { entry.state = .denied }
        }
        relate(watcher) { $0.setEntry(entry, for: target) }
        relate(target) { related in
            related.listed += 1
            if entry.state == .accepted { related.watchers.insertSorted(watcher) }
        }
    }

    private mutating func restore(_ remote: StoredRemote, of user: UserID, at now: Instant) {
        guard let number = number(of: user), !users[number].isLocal, isNeeded(number) else { return }
        version += 1
        versions[number] = version
        if let goodUntil = remote.goodUntil, goodUntil <= now {
            remotes[number]?.unknown = (.promiseLapsed, goodUntil)
            return
        }
        remotes[number]?.presence = remote.presence
        remotes[number]?.goodUntil = remote.goodUntil
        deadlines.set(number, to: remote.goodUntil)
    }
}
