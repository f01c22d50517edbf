import PresenceModel

// Devices and choice → what observers see. Design: section 3, published state.
extension UserRecord {
    /// ``PresenceEngine/Configuration``'s times in milliseconds, worked out once: they are needed for every event.
    struct Limits: Sendable {
        let offlineAfter: Int64
        let idleAfter: Int64
        let busyEndsAfter: Int64

        init(_ configuration: PresenceEngine.Configuration) {
            offlineAfter = configuration.offlineAfter.inMilliseconds
            idleAfter = configuration.idleAfter.inMilliseconds
            busyEndsAfter = configuration.busyEndsAfter.inMilliseconds
        }
    }

    /// What a look at the user came to.
    struct Derivation: Sendable {
        enum Change: Hashable, Sendable {
            /// From offline to anything else.
            case appeared
            case other
        }

        /// `nil`: observers see what they saw before.
        var change: Change?
        /// A device is connected and none was counted, or the reverse.
        var cameOrWent: Bool
        var nextLook: Instant?
    }

    /// Works out anew what observers see. One mutating call, so that the record is not copied: this runs for every
    /// event.
    mutating func derive(at now: Instant, _ limits: Limits) -> Derivation {
        dropGoneDevices(at: now, limits)
        let state = publishedState(at: now, limits)
        let before = published?.state ?? .offline
        var change: Derivation.Change?
        if before != state || published?.statusText != visibleText {
            change = before == .offline && state != .offline ? .appeared : .other
            published = derivedPresence(in: state)
        } else if state != .offline {
            published?.lastActive = lastActive
        } else if published == nil {
            published = derivedPresence(in: state)
        }
        return Derivation(
            change: change, cameOrWent: devices.isEmpty == countsAsInterested, nextLook: nextLook(at: now, limits))
    }

    private mutating func dropGoneDevices(at now: Instant, _ limits: Limits) {
        guard devices.contains(where: { !$0.isConnected(at: now, offlineAfter: limits.offlineAfter) }) else { return }
        devices.removeAll { !$0.isConnected(at: now, offlineAfter: limits.offlineAfter) }
    }

    /// The text that observers see.
    var visibleText: String? { chosen == .hidden ? nil : statusText }

    private func publishedState(at now: Instant, _ limits: Limits) -> PublishedState {
        switch chosen {
        case .offline, .hidden:
            return .offline
        case .busy:
            guard devices.isEmpty else { return .busy }
            guard let lastSeen else { return .offline }
            return now.milliseconds(since: lastSeen) < limits.busyEndsAfter ? .busy : .offline
        case .freeForChat, .online, .unavailable:
            guard !devices.isEmpty else { return .offline }
            let isIdle = devices.allSatisfy { now.milliseconds(since: $0.lastActive) >= limits.idleAfter }
            guard !isIdle else { return .unavailable }
            return chosen == .freeForChat ? .freeForChat : chosen == .online ? .online : .unavailable
        }
    }

    /// What observers see. What a user does while offline to others moves no age: it is frozen at the step to offline.
    private func derivedPresence(in state: PublishedState) -> Presence {
        let wasOffline = (published?.state ?? .offline) == .offline
        let age = state == .offline && wasOffline ? published?.lastActive : lastActive
        return Presence(state: state, statusText: visibleText, lastActive: age)
    }

    /// The earliest moment at which time alone changes the ``publishedState(at:_:)``.
    private func nextLook(at now: Instant, _ limits: Limits) -> Instant? {
        var next = Instant.distantFuture
        for lease in devices {
            if lease.openStreams == 0 {
                let offline = lease.lastSeen.advanced(byMilliseconds: limits.offlineAfter)
                if offline > now, offline < next { next = offline }
            }
            let idle = lease.lastActive.advanced(byMilliseconds: limits.idleAfter)
            if idle > now, idle < next { next = idle }
        }
        if devices.isEmpty, chosen == .busy, let lastSeen {
            let end = lastSeen.advanced(byMilliseconds: limits.busyEndsAfter)
            if end > now, end < next { next = end }
        }
        return next == .distantFuture ? nil : next
    }

    /// What is kept. Who is offline to others is kept as they saw the user: a restart must not show what was done
    /// since.
    var stored: StoredStatus {
        let isAway = (published?.state ?? .offline) == .offline
        return StoredStatus(
            chosen: chosen, statusText: statusText, lastActive: isAway ? published?.lastActive : lastActive,
            lastSeen: lastSeen, isConnected: !devices.isEmpty)
    }
}
