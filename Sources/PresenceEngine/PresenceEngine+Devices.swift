import PresenceModel

// Devices → what the user is. Design: section 3, devices.
extension PresenceEngine {
    /// What kind of contact a device makes.
    enum Contact {
        case seen
        case active
        case synced(SetPresence)
        case reportedIdle(milliseconds: Int64)
    }

    /// False: the event is not about a device.
    mutating func handleDevice(_ event: Event, at now: Instant, into effects: inout [Effect]) -> Bool {
        switch event {
        case .statusChosen(let key, let state, let text):
            choose(state, text, on: key, at: now, into: &effects)
        case .overrideSet(let key, let override):
            insist(on: override, key, at: now, into: &effects)
        case .deviceSeen(let key):
            touch(key, .seen, at: now, into: &effects)
        case .deviceActed(let key):
            touch(key, .active, at: now, into: &effects)
        case .deviceSynced(let key, let presence):
            if presence != .offline { touch(key, .synced(presence), at: now, into: &effects) }
        case .deviceReported(let key, let report):
            take(report, of: key, at: now, into: &effects)
        case .deviceReportWithdrawn(let key):
            forgetType(of: key, into: &effects)
            touch(key, .active, at: now, into: &effects)
        case .deviceRevoked(let key):
            revoke(key, at: now, into: &effects)
        case .deviceShown(let key, let showing):
            show(key, as: showing, at: now, into: &effects)
        case .deviceLost(let key):
            lose(key, at: now, into: &effects)
        case .streamOpened(let stream, let key, let presence):
            open(stream, on: key, presence, at: now, into: &effects)
        case .streamClosed(let stream):
            close(stream, at: now, into: &effects)
        default:
            return false
        }
        return true
    }

    private mutating func choose(
        _ state: ChosenState, _ text: String?, on key: DeviceKey, at now: Instant, into effects: inout [Effect]
    ) {
        let number = internLocal(key.user)
        let isNew = profiles[number].chosen != state || profiles[number].statusText != text
        profiles[number].chosen = state
        profiles[number].statusText = text
        touchLease(number, key.device, .active, at: now, into: &effects)
        settleChoice(of: number, isNew: isNew, at: now, into: &effects)
    }

    private mutating func insist(
        on override: PresenceOverride?, _ key: DeviceKey, at now: Instant, into effects: inout [Effect]
    ) {
        let number = internLocal(key.user)
        let isNew = overrides[number] != override
        overrides[number] = override
        users[number].hasTimers = override?.until != nil || interests[number] != nil
        touchLease(number, key.device, .active, at: now, into: &effects)
        settleChoice(of: number, isNew: isNew, at: now, into: &effects)
    }

    private mutating func settleChoice(
        of number: Int, isNew: Bool, at now: Instant, into effects: inout [Effect]
    ) {
        if isNew { applyChoice(of: number, into: &effects) }
        let isSaved = refresh(number, at: now, into: &effects)
        if isNew && !isSaved { save(number, into: &effects) }
        updateInterest(of: number, into: &effects)
    }

    /// The choice or the override changed: the user's own clients are told even if nobody else sees it.
    mutating func applyChoice(of number: Int, into effects: inout [Effect]) {
        users[number].effective = overrides[number]?.state ?? profiles[number].chosen
        users[number].isOverridden = overrides[number] != nil
        users[number].isStale = true
        noteOwnChange(number, into: &effects)
    }

    /// What the user's text is, were it not hidden.
    func effectiveText(of number: Int) -> String? {
        guard users[number].isOverridden, case .replaced(let text)? = overrides[number]?.text else {
            return profiles[number].statusText
        }
        return text
    }

    mutating func touch(_ key: DeviceKey, _ contact: Contact, at now: Instant, into effects: inout [Effect]) {
        let number = internLocal(key.user)
        touchLease(number, key.device, contact, at: now, into: &effects)
        refresh(number, at: now, into: &effects)
        updateInterest(of: number, into: &effects)
    }

    private mutating func revoke(_ key: DeviceKey, at now: Instant, into effects: inout [Effect]) {
        guard let number = number(of: key.user), users[number].isLocal else { return }
        removeLease(of: key.device, number, at: now)
        endLoss(of: number, if: key.device)
        endStreams(of: key.device, number, into: &effects)
        forgetType(of: key, into: &effects)
        refresh(number, at: now, into: &effects)
        updateInterest(of: number, into: &effects)
    }

    mutating func removeLease(of device: DeviceID, _ number: Int, at now: Instant) {
        guard let lease = users[number].devices.firstIndex(where: { $0.device == device }) else { return }
        // Who streams is seen until the end.
        if users[number].devices[lease].isHeldOpen { users[number].lastSeen = now }
        if users[number].devices[lease].isLeading { users[number].isStale = true }
        users[number].devices.remove(at: lease)
        setText(nil, of: device, number)
    }

    /// Notes contact with a device; a device not held yet begins with it.
    @discardableResult
    mutating func touchLease(
        _ number: Int, _ device: DeviceID, _ contact: Contact, at now: Instant, into effects: inout [Effect]
    ) -> Int {
        users[number].isKnown = true
        users[number].dropGoneDevices(at: now, limits)
        users[number].lastSeen = now
        if let lease = users[number].devices.firstIndex(where: { $0.device == device }) {
            users[number].devices[lease].take(contact, at: now)
            users[number].lastActive = max(users[number].lastActive, users[number].devices[lease].lastActive)
            return lease
        }
        if users[number].devices.count >= configuration.devicesPerUser { evictDevice(of: number, into: &effects) }
        var lease = DeviceLease(device: device, beginningWith: contact, at: now)
        lease.type = type(of: device, number)
        outliveLoss(of: number)
        users[number].lastActive = max(users[number].lastActive, lease.lastActive)
        users[number].devices.append(lease)
        return users[number].devices.count - 1
    }

    /// Makes room for one more device: the one seen longest ago goes, and its streams end. Who streams is seen all
    /// the time.
    private mutating func evictDevice(of number: Int, into effects: inout [Effect]) {
        let oldest = users[number].devices.indices.min {
            let (left, right) = (users[number].devices[$0], users[number].devices[$1])
            let (leftStreams, rightStreams) = (left.isHeldOpen, right.isHeldOpen)
            return leftStreams == rightStreams ? left.lastSeen < right.lastSeen : rightStreams
        }
        guard let oldest else { return }
        if users[number].devices[oldest].isLeading { users[number].isStale = true }
        let device = users[number].devices.remove(at: oldest).device
        setText(nil, of: device, number)
        endStreams(of: device, number, into: &effects)
    }
}

extension DeviceLease {
    init(device: DeviceID, beginningWith contact: PresenceEngine.Contact, at now: Instant) {
        self.init(device: device, lastSeen: now, lastActive: now)
        switch contact {
        case .seen, .active, .synced(.online), .synced(.offline): break
        case .synced(.unavailable): idleness = .bySync
        case .reportedIdle(let milliseconds):
            idleness = .byReport
            lastActive = now.advanced(byMilliseconds: -max(0, milliseconds))
        }
    }

    mutating func take(_ contact: PresenceEngine.Contact, at now: Instant) {
        lastSeen = now
        if idleness == .heldActive { idleness = .none }
        switch contact {
        case .seen, .synced(.offline):
            return
        case .synced(.online):
            guard idleness == .bySync else { return }
            fallthrough
        case .active:
            lastActive = now
            idleness = .none
        case .synced(.unavailable):
            if idleness != .byReport { idleness = .bySync }
        case .reportedIdle(let milliseconds):
            idleness = .byReport
            lastActive = max(lastActive, now.advanced(byMilliseconds: -max(0, milliseconds)))
        }
    }
}
