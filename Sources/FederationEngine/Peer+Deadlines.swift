import PresenceModel

// When something is to be done about a server.
extension Peer {
    /// Presence is exchanged with it, in whichever direction.
    var isLive: Bool { dialect == .capable && optedOutUntil == nil && (wantedCount > 0 || !given.isEmpty) }

    /// The earliest of all that may be due.
    func nextDue(_ configuration: FederationEngine.Configuration, at now: Instant) -> Instant? {
        var next = sendDue(at: now)
        func consider(_ due: Instant?) {
            guard let due else { return }
            next = next.map { min($0, due) } ?? due
        }
        consider(silenceDue(configuration))
        consider(shortDue(configuration))
        consider(longDue)
        if optedOutUntil == nil { consider(refreshDue) }
        return next
    }

    /// When the next transaction, or the outstanding one again, leaves.
    func sendDue(at now: Instant) -> Instant? {
        guard !isUnderway else { return nil }
        if inFlight != nil { return retryAt ?? now }
        var wanted = now
        if isSilent {
            // Nothing but the question whether it is back.
            guard watch != nil || !permissions.isEmpty else { return nil }
        } else {
            guard hasSomethingToSay else { return nil }
            if !isUrgent, let window { wanted = window.closes }
        }
        if let retryAt { wanted = max(wanted, retryAt) }
        if let optedOutUntil { wanted = max(wanted, optedOutUntil) }
        return wanted
    }

    /// When nothing was heard for too long: a reminder is due. A transaction that is out asks as well as a reminder does.
    func shortDue(_ configuration: FederationEngine.Configuration) -> Instant? {
        guard let watch, !isSilent, inFlight == nil else { return nil }
        if configuration.canary == .forgetsToRearm, watch.reminded != nil { return nil }
        var last = watch.since
        if let lastHeard { last = max(last, lastHeard) }
        if let reminded = watch.reminded { last = max(last, reminded) }
        return last + configuration.shortWatchdog
    }

    /// When everything is to be exchanged anew.
    var longDue: Instant? {
        guard let watch, !isSilent, inFlight == nil else { return nil }
        return watch.longDue
    }

    /// When it counts as silent.
    func silenceDue(_ configuration: FederationEngine.Configuration) -> Instant? {
        guard let watch, !isSilent else { return nil }
        let patience = configuration.shortWatchdog * configuration.silentAfter
        // While it is left alone as it asked to be, nothing is asked that it could fail to answer.
        return max(watch.since, lastHeard ?? .epoch, silenceAsked ?? .epoch) + patience
    }
}
