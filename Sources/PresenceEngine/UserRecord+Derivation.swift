import PresenceModel

// Devices and choice → what observers see. Design: section 3, published state.
extension UserRecord {
    /// ``PresenceEngine/Configuration``'s times in milliseconds, worked out once: they are needed for every event.
    struct Limits: Sendable {
        let offlineAfter: Int64
        let idleAfter: Int64
        let busyEndsAfter: Int64
        let activitySavedEvery: Int64

        init(_ configuration: PresenceEngine.Configuration) {
            offlineAfter = configuration.offlineAfter.inMilliseconds
            idleAfter = configuration.idleAfter.inMilliseconds
            busyEndsAfter = configuration.busyEndsAfter.inMilliseconds
            activitySavedEvery = configuration.activitySavedEvery.inMilliseconds
        }
    }

    /// What a look at the user came to.
    struct Derivation: Sendable {
        /// What observers are to see.
        var state: PublishedState
        /// The leading device is another one, or there is none any more.
        var leadChanged: Bool
        /// A device is connected and none was, or the reverse.
        var cameOrWent: Bool
        var nextLook: Instant?
    }

    mutating func dropGoneDevices(at now: Instant, _ limits: Limits) {
        guard devices.contains(where: { !$0.isConnected(at: now, offlineAfter: limits.offlineAfter) }) else { return }
        if devices.contains(where: \.isLeading) { isStale = true }
        devices.removeAll { !$0.isConnected(at: now, offlineAfter: limits.offlineAfter) }
    }

    /// Works out anew what observers are to see. One mutating call, so that the record is not copied: this runs for
    /// every event.
    mutating func derive(at now: Instant, _ limits: Limits) -> Derivation {
        dropGoneDevices(at: now, limits)
        var next = Int64.max
        var leading = -1
        var best = -1
        var bestIsIdle = true
        isIdle = true
        var kinds: (own: Bool, world: Bool, restored: Bool) = (false, false, false)
        for place in devices.indices {
            switch devices[place].kind {
            case .own: kinds.own = true
            case .world: kinds.world = true
            case .restored: kinds.restored = true
            }
            let isIdleHere = devices[place].isIdle(at: now, idleAfter: limits.idleAfter)
            if !isIdleHere {
                isIdle = false
                if devices[place].isLeading { leading = place }
                let idle = devices[place].lastActive.millisecondsSinceEpoch + limits.idleAfter
                if devices[place].idleness == .none, idle < next { next = idle }
            }
            if !devices[place].isHeldOpen {
                next = min(next, devices[place].lastSeen.millisecondsSinceEpoch + limits.offlineAfter)
            }
            let isBetter =
                best < 0 || (bestIsIdle && !isIdleHere)
                || (bestIsIdle == isIdleHere && devices[place].lastActive > devices[best].lastActive)
            if isBetter {
                best = place
                bestIsIdle = isIdleHere
            }
        }
        // Who was held visible by what before the last device went stays so as long as they are visible without one.
        if kinds.own {
            basis = .devices
        } else if kinds.restored {
            basis = .memory
        } else if kinds.world {
            basis = .world
        }
        if leading < 0 { leading = best }
        let leadChanged = leading >= 0 && !devices[leading].isLeading
        if leadChanged { for place in devices.indices { devices[place].isLeading = place == leading } }
        if effective == .busy, !devices.isEmpty {
            // How long busy lasts counts from here, also after a crash: so it is looked at and saved now and then.
            if devices.contains(where: \.isHeldOpen) { lastSeen = now }
            next = min(next, max(savedSeen, now).millisecondsSinceEpoch + limits.activitySavedEvery)
        }
        if devices.isEmpty, effective == .busy, lastSeen != .epoch {
            let end = lastSeen.millisecondsSinceEpoch + limits.busyEndsAfter
            if end > now.millisecondsSinceEpoch { next = min(next, end) }
        }
        defer { wasConnected = !devices.isEmpty }
        return Derivation(
            state: derivedState(at: now, limits), leadChanged: leadChanged, cameOrWent: devices.isEmpty == wasConnected,
            nextLook: next == .max ? nil : Instant(millisecondsSinceEpoch: next))
    }

    private func derivedState(at now: Instant, _ limits: Limits) -> PublishedState {
        switch effective {
        case .offline, .hidden:
            return .offline
        case .busy:
            guard devices.isEmpty else { return .busy }
            guard lastSeen != .epoch else { return .offline }
            return now.milliseconds(since: lastSeen) < limits.busyEndsAfter ? .busy : .offline
        case .freeForChat, .online, .unavailable:
            guard !devices.isEmpty else { return .offline }
            guard isOverridden || !isIdle else { return .unavailable }
            return effective == .freeForChat ? .freeForChat : effective == .online ? .online : .unavailable
        }
    }
}
