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
        if isNew && !saved { save(number, into: &effects) }
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
        let outcome = users[number].derive(at: now, limits)
        deadlines.set(number, to: outcome.nextLook)
        let differs = outcome.change != nil
        if differs { noteChange(number, into: &effects) }
        if differs || occasion != nil {
            let presence = users[number].published ?? .neverActive
            let told = occasion ?? (outcome.change == .appeared ? .appeared : .changed)
            effects.append(.localPublished(users[number].id, presence, told))
        }
        // Who came or went unseen, being hidden or busy, is saved too: a restart holds who was connected.
        guard differs || (occasion == nil && outcome.cameOrWent) else { return false }
        save(number, into: &effects)
        return true
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

    func save(_ number: Int, into effects: inout [Effect]) {
        effects.append(.save(.status(users[number].id, users[number].stored)))
    }

    mutating func internLocal(_ user: UserID) -> Int {
        let number = intern(user)
        precondition(users[number].isLocal, "\(user) is not a user of \(server)")
        return number
    }
}
