import PresenceModel

// Devices → what the user is. Design: section 3, published state and devices.
extension PresenceEngine {
    mutating func choose(
        _ state: ChosenState, _ text: String?, on key: DeviceKey, at now: Instant, into effects: inout [Effect]
    ) {
        let number = internLocal(key.user)
        let isNew = users[number].chosen != state || users[number].statusText != text
        users[number].chosen = state
        users[number].statusText = text
        touchLease(number, key.device, isActive: true, at: now, into: &effects)
        let saved = refresh(number, at: now, into: &effects)
        if isNew && !saved { save(number, at: now, into: &effects) }
        updateInterest(of: number, into: &effects)
    }

    mutating func touch(_ key: DeviceKey, isActive: Bool, at now: Instant, into effects: inout [Effect]) {
        let number = internLocal(key.user)
        touchLease(number, key.device, isActive: isActive, at: now, into: &effects)
        refresh(number, at: now, into: &effects)
        updateInterest(of: number, into: &effects)
    }

    mutating func revoke(_ key: DeviceKey, at now: Instant, into effects: inout [Effect]) {
        guard let number = numbers[key.user],
            let lease = users[number].devices.firstIndex(where: { $0.device == key.device })
        else { return }
        // Who streams is seen until the end.
        if users[number].devices[lease].openStreams > 0 { users[number].lastSeen = now }
        users[number].devices.remove(at: lease)
        endStreams(of: key.device, number, into: &effects)
        refresh(number, at: now, into: &effects)
        updateInterest(of: number, into: &effects)
    }

    mutating func open(_ stream: StreamID, on key: DeviceKey, at now: Instant, into effects: inout [Effect]) {
        precondition(streams[stream] == nil, "stream \(stream) opened twice")
        let number = internLocal(key.user)
        streams[stream] = StreamRecord(user: number, device: key.device)
        users[number].streams.append(stream)
        let lease = touchLease(number, key.device, isActive: false, at: now, into: &effects)
        users[number].devices[lease].openStreams += 1
        refresh(number, at: now, into: &effects)
        updateInterest(of: number, into: &effects)
    }

    mutating func close(_ stream: StreamID, at now: Instant, into effects: inout [Effect]) {
        guard let record = streams.removeValue(forKey: stream) else { return }
        let number = record.user
        users[number].streams.removeAll { $0 == stream }
        guard let lease = users[number].devices.firstIndex(where: { $0.device == record.device }) else { return }
        users[number].devices[lease].openStreams = max(0, users[number].devices[lease].openStreams - 1)
        users[number].devices[lease].lastSeen = now
        users[number].lastSeen = now
        refresh(number, at: now, into: &effects)
        updateInterest(of: number, into: &effects)
    }

    /// Notes contact with a device; a device not held yet begins active.
    @discardableResult
    private mutating func touchLease(
        _ number: Int, _ device: DeviceID, isActive: Bool, at now: Instant, into effects: inout [Effect]
    ) -> Int {
        users[number].lastSeen = now
        if let lease = users[number].devices.firstIndex(where: { $0.device == device }) {
            users[number].devices[lease].lastSeen = now
            guard isActive else { return lease }
            users[number].devices[lease].lastActive = now
            users[number].lastActive = now
            return lease
        }
        if users[number].devices.count >= configuration.devicesPerUser { evictDevice(of: number, into: &effects) }
        users[number].lastActive = now
        users[number].devices.append(DeviceLease(device: device, lastSeen: now, lastActive: now))
        return users[number].devices.count - 1
    }

    /// Makes room for one more device: the one seen longest ago goes, and its streams end. Who streams is seen all
    /// the time.
    private mutating func evictDevice(of number: Int, into effects: inout [Effect]) {
        let oldest = users[number].devices.indices.min {
            let (left, right) = (users[number].devices[$0], users[number].devices[$1])
            let (leftStreams, rightStreams) = (left.openStreams > 0, right.openStreams > 0)
            return leftStreams == rightStreams ? left.lastSeen < right.lastSeen : rightStreams
        }
        guard let oldest else { return }
        let device = users[number].devices.remove(at: oldest).device
        endStreams(of: device, number, into: &effects)
    }

    private mutating func endStreams(of device: DeviceID, _ number: Int, into effects: inout [Effect]) {
        for stream in users[number].streams where streams[stream]?.device == device {
            streams[stream] = nil
            users[number].streams.removeAll { $0 == stream }
            effects.append(.wake(stream))
        }
    }

    /// Derives anew what observers see of a local user, tells of it if it differs, and sets the next look.
    ///
    /// - Returns: whether the user was saved.
    @discardableResult
    mutating func refresh(
        _ number: Int, at now: Instant, occasion: Occasion? = nil, into effects: inout [Effect]
    ) -> Bool {
        let offlineAfter = configuration.offlineAfter.inMilliseconds
        users[number].devices.removeAll { !$0.isConnected(at: now, offlineAfter: offlineAfter) }
        let derived = derivePublished(number, at: now)
        deadlines.set(number, to: nextLook(number, at: now))
        let before = users[number].published ?? .neverActive
        users[number].published = derived
        let differs = !derived.says(theSameAs: before)
        if differs { noteChange(number, into: &effects) }
        if differs || occasion != nil {
            let appeared = before.state == .offline && derived.state != .offline
            effects.append(.localPublished(users[number].id, derived, occasion ?? (appeared ? .appeared : .changed)))
        }
        // Who came or went unseen, being hidden or busy, is saved too: a restart holds who was connected.
        let cameOrWent = occasion == nil && users[number].devices.isEmpty == users[number].countsAsInterested
        guard differs || cameOrWent else { return false }
        save(number, at: now, into: &effects)
        return true
    }

    private func derivePublished(_ number: Int, at now: Instant) -> Presence {
        let user = users[number]
        let state = publishedState(of: user, at: now)
        let text = user.chosen == .hidden ? nil : user.statusText
        // What a user does while offline to others moves no age: it is frozen at the step to offline.
        let wasOffline = (user.published?.state ?? .offline) == .offline
        let lastActive = state == .offline && wasOffline ? user.published?.lastActive : user.lastActive
        return Presence(state: state, statusText: text, lastActive: lastActive)
    }

    private func publishedState(of user: UserRecord, at now: Instant) -> PublishedState {
        switch user.chosen {
        case .offline, .hidden:
            return .offline
        case .busy:
            guard user.devices.isEmpty else { return .busy }
            guard let lastSeen = user.lastSeen else { return .offline }
            return now.milliseconds(since: lastSeen) < configuration.busyEndsAfter.inMilliseconds ? .busy : .offline
        case .freeForChat, .online, .unavailable:
            guard !user.devices.isEmpty else { return .offline }
            let idleAfter = configuration.idleAfter.inMilliseconds
            let isIdle = user.devices.allSatisfy { now.milliseconds(since: $0.lastActive) >= idleAfter }
            guard !isIdle else { return .unavailable }
            return user.chosen == .freeForChat ? .freeForChat : user.chosen == .online ? .online : .unavailable
        }
    }

    /// The earliest moment at which time alone changes what ``derivePublished`` says.
    private func nextLook(_ number: Int, at now: Instant) -> Instant? {
        let offlineAfter = configuration.offlineAfter.inMilliseconds
        let idleAfter = configuration.idleAfter.inMilliseconds
        var next: Instant?
        func look(at instant: Instant) {
            if instant > now, next.map({ instant < $0 }) ?? true { next = instant }
        }
        for lease in users[number].devices {
            if lease.openStreams == 0 { look(at: lease.lastSeen.advanced(byMilliseconds: offlineAfter)) }
            look(at: lease.lastActive.advanced(byMilliseconds: idleAfter))
        }
        if users[number].devices.isEmpty, users[number].chosen == .busy, let lastSeen = users[number].lastSeen {
            look(at: lastSeen.advanced(by: configuration.busyEndsAfter))
        }
        return next
    }

    /// A change that observers see: a new version, and a wake for every stream of theirs.
    mutating func noteChange(_ number: Int, into effects: inout [Effect]) {
        version += 1
        users[number].version = version
        for stream in users[number].streams { effects.append(.wake(stream)) }
        for watcher in users[number].watchers where !users[watcher].streams.isEmpty {
            guard watcher != number, maySee(observer: watcher, observed: number) else { continue }
            for stream in users[watcher].streams { effects.append(.wake(stream)) }
        }
    }

    func save(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        let user = users[number]
        // Who is offline to others is kept as they saw the user: a restart must not show what was done since.
        let isAway = (user.published?.state ?? .offline) == .offline
        let status = StoredStatus(
            chosen: user.chosen, statusText: user.statusText,
            lastActive: isAway ? user.published?.lastActive : user.lastActive, lastSeen: user.lastSeen,
            isConnected: !user.devices.isEmpty)
        effects.append(.save(.status(user.id, status)))
    }

    mutating func internLocal(_ user: UserID) -> Int {
        let number = intern(user)
        precondition(users[number].isLocal, "\(user) is not a user of \(server)")
        return number
    }
}
