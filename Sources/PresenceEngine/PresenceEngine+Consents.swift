import PresenceModel

// Consents: by whom a user lets themself be seen. Design: sections 3 (presence list) and 4 (rule 8).
extension PresenceEngine {
    /// What a local user, or a policy in their name, says to a request: granted, to be asked, or (as to the blocked) no.
    ///
    /// - Parameter watcher: `nil` for a user of another server of whom nothing was ever heard.
    func decide(_ target: Int, about watcher: Int?, of server: ServerName) -> StoredConsent.State {
        guard users[target].isKnown || (server == self.server && isReserved(target)) else { return .blocked }
        let related = relations[target] ?? Relations()
        let before = watcher.flatMap { related.consent(for: $0)?.state }
        switch before {
        case .blocked: return .blocked
        case .granted: return .granted
        case .requested: break
        case nil:
            let open = related.consents.count { $0.stored.state != .blocked }
            if open >= configuration.consentsPerUser { return .blocked }
        }
        // Whoever stands for the user answers, no policy of this server.
        if !users[target].isKnown { return .requested }
        if configuration.grantsMutually, let watcher, let reverse = related.entry(for: watcher),
            reverse.state != .denied
        {
            return .granted
        }
        switch policy(of: related, for: server) {
        case .acceptAll: return .granted
        case .denyAll: return .blocked
        case .acceptSharedRoom where watcher.map { shareRoom(target, $0) } ?? false: return .granted
        case .acceptSharedRoom, .ask: break
        }
        if before == .requested { return .requested }
        return hasRoomForRequest(related, from: server) ? .requested : .blocked
    }

    /// Whether nothing but a policy speaks against asking a local user.
    func mayBeAsked(_ target: Int, by watcher: Int) -> Bool {
        guard users[target].isKnown else { return false }
        let related = relations[target] ?? Relations()
        if let consent = related.consent(for: watcher) { return consent.state != .blocked }
        let open = related.consents.count { $0.stored.state != .blocked }
        return open < configuration.consentsPerUser && hasRoomForRequest(related, from: server)
    }

    /// Of a name that is kept for people who are somewhere else, there or not yet.
    private func isReserved(_ target: Int) -> Bool {
        guard users[target].isLocal, !configuration.reservedPrefixes.isEmpty else { return false }
        let name = profiles[target].id.localpart
        return configuration.reservedPrefixes.contains { name.hasPrefix($0) }
    }

    /// One other server alone cannot fill up what waits for a user.
    private func hasRoomForRequest(_ related: Relations, from server: ServerName) -> Bool {
        let waiting = related.consents.filter { $0.stored.state == .requested }
        guard waiting.count < configuration.requestsPerUser else { return false }
        guard server != self.server, let number = serverNumbers[server] else { return true }
        return waiting.count { remotes[$0.observer]?.server == number } < configuration.requestsPerServer
    }

    private func policy(of related: Relations, for server: ServerName) -> ListPolicy {
        let forServer = configuration.listPolicyByServer[server]
        if forServer == .denyAll { return .denyAll }
        return related.settings.policy ?? forServer ?? configuration.listPolicy
    }

    mutating func grant(_ observed: UserID, _ observer: UserID, at now: Instant, into effects: inout [Effect]) {
        let (target, watcher) = (internLocal(observed), intern(observer))
        let before = relations[target]?.consent(for: watcher)
        let request = users[watcher].isLocal ? relations[watcher]?.entry(for: target)?.request : before?.request
        if before?.state != .granted {
            setConsent(
                StoredConsent(state: .granted, request: request, since: now, note: before?.note), target, watcher,
                into: &effects)
        }
        if users[watcher].isLocal {
            moveEntry(watcher, target, to: .accepted, at: now, into: &effects)
        } else {
            effects.append(
                .permission(PermissionMessage(.accept, observed: observed, observer: observer, request: request)))
        }
    }

    /// - Parameter state: what is left of the consent; `nil`: nothing.
    mutating func deny(
        _ observed: UserID, _ observer: UserID, as state: StoredConsent.State?, at now: Instant,
        into effects: inout [Effect]
    ) {
        let (target, watcher) = (internLocal(observed), intern(observer))
        let before = relations[target]?.consent(for: watcher)
        guard before?.state != state || before == nil else { return }
        // The entry first: nothing of what was granted is shown after this.
        if users[watcher].isLocal { moveEntry(watcher, target, to: .denied, at: now, into: &effects) }
        let stored = state.map { StoredConsent(state: $0, request: before?.request, since: now, note: nil) }
        setConsent(stored, target, watcher, into: &effects)
        let wasOpen = before?.state == .requested || before?.state == .granted
        if !users[watcher].isLocal, wasOpen {
            effects.append(
                .permission(
                    PermissionMessage(.deny, observed: observed, observer: observer, request: before?.request)))
        }
        releaseIfUnneeded(watcher)
    }

    mutating func unblock(_ observed: UserID, _ observer: UserID, into effects: inout [Effect]) {
        guard let target = number(of: observed), let watcher = number(of: observer),
            relations[target]?.consent(for: watcher)?.state == .blocked
        else { return }
        setConsent(nil, target, watcher, into: &effects)
        releaseIfUnneeded(watcher)
    }

    /// Sets, or with `nil` removes, a consent; streams and the audience follow. The observer's entry is the caller's.
    mutating func setConsent(
        _ consent: StoredConsent?, _ target: Int, _ watcher: Int, into effects: inout [Effect]
    ) {
        let (observed, observer) = (profiles[target].id, profiles[watcher].id)
        let before = relations[target]?.consent(for: watcher)?.state
        effects.append(
            .save(
                consent.map { .consent(observed: observed, observer: observer, $0) }
                    ?? .consentRemoved(observed: observed, observer: observer)))
        changing(target, for: watcher, into: &effects) { engine, _ in
            engine.relate(target) { $0.setConsent(consent, for: watcher) }
            let change = (consent == nil ? 0 : 1) - (before == nil ? 0 : 1)
            if change != 0 { engine.relate(watcher) { $0.judged += change } }
            if consent?.state == .blocked {
                engine.relate(watcher) { $0.blockedBy.insertSorted(target) }
            } else if before == .blocked {
                engine.relate(watcher) { $0.blockedBy.removeSorted(target) }
            }
        }
        if let server = remotes[watcher]?.server { reviewAudience(of: target, at: server, into: &effects) }
        if (before == .requested) != (consent?.state == .requested) { noteOwnChange(target, into: &effects) }
    }

    /// Who was denied does not wait any more.
    mutating func dropRequest(to target: Int, _ watcher: Int, into effects: inout [Effect]) {
        guard relations[target]?.consent(for: watcher)?.state == .requested else { return }
        setConsent(nil, target, watcher, into: &effects)
    }

    // MARK: Other servers

    /// Who may say it was looked at before; whether anybody asked is looked at here.
    mutating func take(_ message: PermissionMessage, at now: Instant, into effects: inout [Effect]) {
        switch message.kind {
        case .invite: takeInvite(message, at: now, into: &effects)
        case .accept, .deny:
            guard let watcher = number(of: message.observer), let target = number(of: message.observed),
                !users[target].isLocal, let entry = relations[watcher]?.entry(for: target)
            else { return }
            take(message.kind, message.request, for: watcher, target, entry, at: now, into: &effects)
        }
    }

    /// The latest word of the one observed counts: also one that lifts a denial of the same request, which a request
    /// that was repeated after its answer got lost can bring.
    private mutating func take(
        _ kind: PermissionMessage.Kind, _ request: Int64?, for watcher: Int, _ target: Int, _ entry: StoredEntry,
        at now: Instant, into effects: inout [Effect]
    ) {
        guard request == nil || request == entry.request else { return }
        if kind == .accept {
            guard entry.state == .pending || (entry.state == .denied && request != nil) else { return }
        }
        if entry.state == .pending {
            // What is answered need not be asked any more.
            effects.append(
                .permissionWithdrawn(
                    PermissionMessage(
                        .invite, observed: profiles[target].id, observer: profiles[watcher].id,
                        request: entry.request)))
        }
        moveEntry(watcher, target, to: kind == .accept ? .accepted : .denied, at: now, into: &effects)
    }

    private mutating func takeInvite(_ message: PermissionMessage, at now: Instant, into effects: inout [Effect]) {
        guard message.observed.isHosted(by: server) else { return }
        // A request that was overtaken by a later one: its answer would be to nothing.
        let kept = consent(of: message.observed, for: message.observer)?.request
        if let kept, let request = message.request, request < kept { return }
        var answer = PermissionMessage(
            .deny, observed: message.observed, observer: message.observer, request: message.request)
        let known = number(of: message.observer)
        let decision = number(of: message.observed).map { decide($0, about: known, of: message.observer.server) }
        // Of who is denied nothing is kept.
        guard let target = number(of: message.observed), let decision, decision != .blocked else {
            if let known, let target = number(of: message.observed) {
                dropRequest(to: target, known, into: &effects)
                releaseIfUnneeded(known)
            }
            effects.append(.permission(answer))
            return
        }
        let watcher = intern(message.observer)
        let since = relations[target]?.consent(for: watcher)?.since ?? now
        setConsent(
            StoredConsent(
                state: decision, request: message.request, since: since,
                note: decision == .requested ? message.note : nil),
            target, watcher, into: &effects)
        guard decision == .granted else { return }
        answer.kind = .accept
        effects.append(.permission(answer))
    }
}
