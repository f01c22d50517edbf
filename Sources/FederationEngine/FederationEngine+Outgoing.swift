import PresenceModel

// Pushes: who is told what, when it leaves, and what happens to it. Design: section 4, rules 1, 2 and 9.
extension FederationEngine {
    mutating func publish(
        _ presence: Presence, of user: UserID, _ urgency: Urgency, at now: Instant, into effects: inout [Effect]
    ) {
        locals[user, default: LocalUser()].presence = presence
        for server in (locals[user]?.audience ?? []).sorted() {
            let number = internPeer(server)
            switch urgency {
            case .atOnce:
                promise(user, to: number, at: now, into: &effects)
                // Whoever comes and goes all the time is told of like every change.
                if hasJustHeard(number, of: user, at: now) {
                    note(presence, of: user, for: number, at: now)
                } else {
                    peers[number].owed.insert(user)
                    peers[number].isUrgent = true
                }
            case .batched:
                guard hasPromise(of: user, number, at: now) || peers[number].dialect != .capable else { continue }
                note(presence, of: user, for: number, at: now)
            case .restated:
                guard hasPromise(of: user, number, at: now) else { continue }
                note(presence, of: user, for: number, at: now)
            }
            rearm(number, at: now)
        }
    }

    private func hasJustHeard(_ number: Int, of user: UserID, at now: Instant) -> Bool {
        guard let lastSent = peers[number].lastSent, peers[number].said[user] != nil else { return false }
        return now < lastSent + configuration.batchWindow
    }

    /// A change for one server: the latest wins, and one that leads back to what was said last is nothing.
    private mutating func note(_ presence: Presence, of user: UserID, for number: Int, at now: Instant) {
        if peers[number].said[user] == Peer.Said(presence), !peers[number].owed.contains(user) {
            if peers[number].dirty.remove(user) != nil { tally.statesCancelledOut += 1 }
            peers[number].closeEmptyWindow()
            return
        }
        peers[number].dirty.insert(user)
        openWindow(number, at: now)
    }

    mutating func openWindow(_ number: Int, at now: Instant) {
        let closes = now + configuration.batchWindow
        if let window = peers[number].window {
            peers[number].window?.closes = min(max(window.closes, closes), window.opened + configuration.batchStretch)
            return
        }
        let isQuiet = peers[number].lastSent.map { $0 + configuration.quietBeforeLead <= now } ?? true
        if configuration.batchLead == .immediate, isQuiet { peers[number].isUrgent = true }
        peers[number].window = Peer.Window(opened: now, closes: closes)
    }

    func hasPromise(of user: UserID, _ number: Int, at now: Instant) -> Bool {
        peers[number].given[user].map { now < $0.until } ?? false
    }

    mutating func promise(_ user: UserID, to number: Int, at now: Instant, into effects: inout [Effect]) {
        let until = now + configuration.promise
        var given = peers[number].given[user] ?? Peer.Given(until: until, savedUntil: .epoch)
        given.until = until
        // Saved a little coarsely: a crash then shortens a promise by a minute at most.
        if until.milliseconds(since: given.savedUntil) >= 60_000 {
            given.savedUntil = until
            effects.append(.save(.promiseGiven(user, to: peers[number].name, until: until)))
        }
        peers[number].given[user] = given
    }

    /// Whoever asked for the user before got no answer: the first word comes from here.
    mutating func admit(_ user: UserID, to server: ServerName, at now: Instant, into effects: inout [Effect]) {
        locals[user, default: LocalUser()].audience.insert(server)
        let number = internPeer(server)
        promise(user, to: number, at: now, into: &effects)
        peers[number].owed.insert(user)
        peers[number].isUrgent = true
        rearm(number, at: now)
    }

    /// No one at `server` may see the user any more: nothing leaves after this instant, nor is anything said of it.
    mutating func withdraw(
        _ user: UserID, from server: ServerName, at now: Instant, into effects: inout [Effect]
    ) {
        locals[user]?.audience.remove(server)
        guard let number = peerNumbers[server] else { return }
        release(user, from: number, into: &effects)
        peers[number].said[user] = nil
        if let inFlight = peers[number].inFlight, !peers[number].isUnderway {
            // A transaction that waits for its next try must not carry the state out after all.
            takeBack(inFlight, number)
        }
        peers[number].dirty.remove(user)
        peers[number].owed.remove(user)
        peers[number].closeEmptyWindow()
        rearm(number, at: now)
    }

    mutating func reachChanged(_ user: UserID, _ server: ServerName, _ reach: Reach) {
        switch reach {
        case .near: locals[user]?.seenWidely.remove(server)
        case .wide: locals[user, default: LocalUser()].seenWidely.insert(server)
        }
    }

    mutating func release(_ user: UserID, from number: Int, into effects: inout [Effect]) {
        guard peers[number].given.removeValue(forKey: user) != nil else { return }
        effects.append(.save(.promiseGivenEnded(user, to: peers[number].name)))
    }

    /// Sets when the peer is looked at again.
    mutating func rearm(_ number: Int, at now: Instant) {
        peerDeadlines.set(number, to: dueTime(of: peers[number], at: now))
    }

    private func dueTime(of peer: Peer, at now: Instant) -> Instant? {
        guard !peer.isUnderway else { return nil }
        if peer.inFlight != nil { return peer.retryAt ?? now }
        guard peer.hasSomethingToSay else { return nil }
        let wanted = peer.isUrgent ? now : peer.window?.closes ?? now
        return peer.retryAt.map { max($0, wanted) } ?? wanted
    }

    /// Sends what is due to one server: the outstanding transaction again, or a new one.
    mutating func compose(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        defer { rearm(number, at: now) }
        guard let due = dueTime(of: peers[number], at: now), due <= now else { return }
        if let inFlight = peers[number].inFlight {
            peers[number].isUnderway = true
            tally.retries += 1
            effects.append(.send(inFlight))
            return
        }
        let permissions = peers[number].permissions.take(configuration.edusPerTransaction)
        let room = configuration.edusPerTransaction - permissions.count
        let messages = room > 0 ? composeMessages(number, limit: room, at: now, into: &effects) : []
        let isEmptied = !peers[number].hasSomethingToSay
        if isEmptied { peers[number].window = nil }
        peers[number].isUrgent = !isEmptied
        guard !permissions.isEmpty || !messages.isEmpty else { return }
        // Counted for each server: the number must not tell one of them what others are told.
        peers[number].transactionCount += 1
        let transaction = OutgoingTransaction(
            id: "pd-\(boot)-\(peers[number].transactionCount)", destination: peers[number].name, composed: now,
            permissions: permissions, messages: messages)
        peers[number].inFlight = transaction
        peers[number].isUnderway = true
        peers[number].lastSent = now
        tally.transactionsSent += 1
        tally.edusSent += UInt64(permissions.count + messages.count)
        tally.permissionsSent += UInt64(permissions.count)
        effects.append(.send(transaction))
    }

    private mutating func composeMessages(
        _ number: Int, limit: Int, at now: Instant, into effects: inout [Effect]
    ) -> [PresenceMessage] {
        let statesLimit = configuration.statesPerEDU * limit
        let reports = takeReports(number, limit: statesLimit, at: now, into: &effects)
        let polls = takeNames(from: \.toPoll, number)
        let unpolls = takeNames(from: \.toUnpoll, number)
        var messages: [PresenceMessage] = []
        for start in stride(from: 0, to: max(reports.count, 1), by: configuration.statesPerEDU) {
            var message = PresenceMessage()
            message.push = Array(reports[start..<min(start + configuration.statesPerEDU, reports.count)])
            message.promise = configuration.promise
            message.speaksExtension = true
            messages.append(message)
        }
        messages[0].poll = polls
        messages[0].unpoll = unpolls
        return messages.filter { !$0.isEmpty }
    }

    private mutating func takeReports(
        _ number: Int, limit: Int, at now: Instant, into effects: inout [Effect]
    ) -> [PresenceMessage.Report] {
        var reports: [PresenceMessage.Report] = []
        for user in peers[number].dirty.union(peers[number].owed).sorted() {
            guard reports.count < limit else { break }
            peers[number].dirty.remove(user)
            let isOwed = peers[number].owed.remove(user) != nil
            guard let local = locals[user], local.audience.contains(peers[number].name) else { continue }
            let said = Peer.Said(local.presence)
            let isExpected = hasPromise(of: user, number, at: now) || peers[number].dialect != .capable
            guard isOwed || (isExpected && peers[number].said[user] != said) else { continue }
            peers[number].said[user] = said
            // A push is a promise: the other side may rely on hearing of the next change. An answer to a mere
            // query is not one.
            if peers[number].given[user] != nil || peers[number].dialect != .capable {
                promise(user, to: number, at: now, into: &effects)
            }
            tally.statesSent += 1
            reports.append(PresenceMessage.Report(user: user, presence: local.presence))
        }
        return reports
    }

    private mutating func takeNames(from list: WritableKeyPath<Peer, Set<UserID>>, _ number: Int) -> [UserID] {
        let names = Array(peers[number][keyPath: list].sorted().prefix(configuration.pollsPerEDU))
        peers[number][keyPath: list].subtract(names)
        return names
    }
}
