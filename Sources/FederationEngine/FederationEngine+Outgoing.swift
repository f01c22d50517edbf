import PresenceModel

// Pushes: who is told what, when it leaves, and what happens to it. Design: section 4, rules 1, 2 and 9.
extension FederationEngine {
    mutating func publish(
        _ presence: Presence, of user: UserID, _ urgency: Urgency, at now: Instant, into effects: inout [Effect]
    ) {
        if !(locals[user]?.presence.says(theSameAs: presence) ?? false) {
            locals[user, default: LocalUser()].changed = now
        }
        locals[user, default: LocalUser()].presence = presence
        for server in (locals[user]?.audience ?? []).sorted() {
            let number = internPeer(server)
            let hasPromise = hasPromise(of: user, number, at: now)
            // After a restart those who forget are told of who is there; who is not they forget by themselves.
            let isNews = urgency != .restated || presence.state != .offline
            guard hasPromise || (isNews && isToldUnasked(user, number)) else {
                peers[number].counts.count(peers[number].dialect == .capable ? .notWanted : .largeRoom)
                continue
            }
            switch urgency {
            case .atOnce:
                // Of one that is known not to rely on it no promise is kept. A promise that holds is not prolonged before
                // there is word of it.
                if !hasPromise, peers[number].dialect != .legacy {
                    promise(user, to: number, at: now, into: &effects)
                }
                // Whoever comes and goes all the time is told of like every change.
                if hasJustHeard(number, of: user, at: now) {
                    note(presence, of: user, for: number, at: now)
                } else {
                    peers[number].owed.insert(user)
                    peers[number].isUrgent = true
                }
            case .batched, .restated:
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
        let isSaid = peers[number].said[user]?.isTheSame(as: presence) ?? false
        if isSaid, !peers[number].owed.contains(user) {
            if peers[number].dirty.remove(user) != nil {
                tally.statesCancelledOut += 1
                peers[number].counts.count(.cancelledOut)
            }
            peers[number].closeEmptyWindow()
            return
        }
        if !peers[number].dirty.insert(user).inserted { peers[number].counts.count(.superseded) }
        if peers[number].isSilent { peers[number].counts.count(.silent) }
        if peers[number].optedOutUntil != nil { peers[number].counts.count(.optedOut) }
        openWindow(number, at: now)
    }

    /// The other side is to be told unless it was told last what holds now.
    mutating func note(_ user: UserID, for number: Int, at now: Instant) {
        guard let presence = locals[user]?.presence, peers[number].said[user]?.isTheSame(as: presence) != true else {
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
        if isWorthSaving(until, after: given.savedUntil) {
            given.savedUntil = until
            effects.append(.save(.promiseGiven(user, to: peers[number].name, until: until)))
        }
        peers[number].given[user] = given
    }

    /// Whoever asked for the user before got no answer: the first word comes from here.
    mutating func admit(_ user: UserID, to server: ServerName, at now: Instant, into effects: inout [Effect]) {
        restoreAudience(user, server, at: now)
        let number = internPeer(server)
        if peers[number].dialect != .legacy { promise(user, to: number, at: now, into: &effects) }
        peers[number].owed.insert(user)
        peers[number].isUrgent = true
        rearm(number, at: now)
    }

    mutating func restoreAudience(_ user: UserID, _ server: ServerName, at now: Instant) {
        guard locals[user, default: LocalUser()].audience.insert(server).inserted else { return }
        let number = internPeer(server)
        peers[number].audienceCount += 1
        rearm(number, at: now)
    }

    /// No one at `server` may see the user any more: nothing leaves after this instant, nor is anything said of it.
    mutating func withdraw(
        _ user: UserID, from server: ServerName, at now: Instant, into effects: inout [Effect]
    ) {
        guard locals[user]?.audience.remove(server) != nil else { return }
        locals[user]?.seenWidely.remove(server)
        guard let number = peerNumbers[server] else { return }
        peers[number].audienceCount -= 1
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

    mutating func release(_ user: UserID, from number: Int, into effects: inout [Effect]) {
        guard peers[number].given.removeValue(forKey: user) != nil else { return }
        // A server that takes part holds what it was told only as long as it is promised more.
        if peers[number].dialect == .capable {
            peers[number].said[user] = nil
            peers[number].owed.remove(user)
            peers[number].dirty.remove(user)
            peers[number].closeEmptyWindow()
        }
        effects.append(.save(.promiseGivenEnded(user, to: peers[number].name)))
    }
}

// Transactions.
extension FederationEngine {
    /// Sends the outstanding transaction again, or a new one.
    mutating func send(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        peers[number].optedOutUntil = nil
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
        if configuration.canary == .overlapsTransactions { peers[number].inFlight = nil }
        peers[number].lastSent = now
        if messages.contains(where: { !$0.poll.isEmpty || !$0.unpoll.isEmpty }) { peers[number].lastAsked = now }
        count(transaction, number)
        effects.append(.send(transaction))
    }

    private mutating func count(_ transaction: OutgoingTransaction, _ number: Int) {
        let edus = UInt64(transaction.permissions.count + transaction.messages.count)
        tally.transactionsSent += 1
        tally.edusSent += edus
        tally.permissionsSent += UInt64(transaction.permissions.count)
        peers[number].counts.transactionsSent += 1
        peers[number].counts.edusSent += edus
        peers[number].counts.statesSent += transaction.messages.reduce(0) { $0 + UInt64($1.push.count) }
    }

    private mutating func composeMessages(
        _ number: Int, limit: Int, at now: Instant, into effects: inout [Effect]
    ) -> [PresenceMessage] {
        guard !peers[number].isSilent else {
            // The question whether it is back; everything else when it is.
            guard peers[number].watch != nil else { return [] }
            return [message { $0.reminder = composeReminder(number, for: .reminder, at: now, into: &effects) }]
        }
        let exchange = takeExchange(number)
        let reports = takeReports(number, limit: configuration.statesPerEDU * limit, at: now, into: &effects)
        let isLast = peers[number].dirty.isEmpty && peers[number].owed.isEmpty
        // Who is told everything is asked at the end of it, when both sides can compare.
        let asks = isLast || !exchange.contains(.polls)
        let names = asks ? configuration.pollsPerEDU * limit : 0
        let polls = takeNames(from: \.toPoll, names, number)
        for user in peers[number].leaving.sorted() {
            if let place = interestNumbers[user] { letGo(place, into: &effects) }
        }
        let unpolls = takeNames(from: \.toUnpoll, names, number)
        var messages = fill(reports, polls, unpolls)
        let isQuiet = peers[number].watch.map { watch in
            max(watch.since, watch.reminded ?? .epoch) + configuration.shortWatchdog <= now
        }
        if !isLast || !peers[number].toPoll.isEmpty {
            // More polls than one transaction takes are not said to be all.
            peers[number].exchange.formUnion(exchange.subtracting(asks ? [.states, .polls] : .states))
        } else if !exchange.isEmpty || (isQuiet ?? false && !messages.isEmpty) {
            let reminder = composeReminder(number, for: exchange, at: now, into: &effects)
            if messages.isEmpty { messages.append(message { _ in }) }
            messages[messages.count - 1].reminder = reminder
        }
        return messages
    }

    /// What is to be exchanged becomes states owed and users polled.
    private mutating func takeExchange(_ number: Int) -> Peer.Exchange {
        let exchange = peers[number].exchange
        peers[number].exchange = []
        if exchange == .full { tally.fullExchanges += 1 }
        if exchange.contains(.states) { peers[number].owed.formUnion(peers[number].given.keys) }
        if exchange.contains(.polls) {
            for place in peers[number].interests where interests[place].stage == .wanted {
                peers[number].toPoll.insert(interests[place].user)
            }
        }
        return exchange
    }

    private func message(_ change: (inout PresenceMessage) -> Void) -> PresenceMessage {
        var message = PresenceMessage()
        message.promise = configuration.promise
        message.speaksExtension = true
        change(&message)
        return message
    }

    /// At most so many of each kind in one message.
    private func fill(
        _ reports: [PresenceMessage.Report], _ polls: [UserID], _ unpolls: [UserID]
    ) -> [PresenceMessage] {
        var messages: [PresenceMessage] = []
        for start in stride(from: 0, to: reports.count, by: configuration.statesPerEDU) {
            messages.append(
                message { $0.push = Array(reports[start..<min(start + configuration.statesPerEDU, reports.count)]) })
        }
        let size = configuration.pollsPerEDU
        for (index, start) in stride(from: 0, to: max(polls.count, unpolls.count), by: size).enumerated() {
            if index == messages.count { messages.append(message { _ in }) }
            messages[index].poll = Array(polls.dropFirst(start).prefix(size))
            messages[index].unpoll = Array(unpolls.dropFirst(start).prefix(size))
        }
        return messages
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
            let isKnown = peers[number].said[user]?.isTheSame(as: local.presence) ?? false
            let isExpected = hasPromise(of: user, number, at: now) || isToldUnasked(user, number)
            // An answer that waited for longer than its promise is none any more.
            let isAnswer = isOwed && (isExpected || peers[number].given[user] == nil)
            guard isAnswer || (isExpected && !isKnown) else { continue }
            let said = Peer.Said(local.presence, at: now)
            if isKnown, peers[number].dialect != .capable, said.state != .offline { tally.statesRefreshed += 1 }
            peers[number].said[user] = said
            planRefresh(of: user, said, for: number)
            // A push is a promise: the other side may rely on hearing of the next change. An answer to a mere
            // query is not one.
            if peers[number].given[user] != nil || peers[number].dialect == .unheard {
                promise(user, to: number, at: now, into: &effects)
            }
            tally.statesSent += 1
            reports.append(PresenceMessage.Report(user: user, presence: local.presence))
        }
        return reports
    }

    private mutating func takeNames(
        from list: WritableKeyPath<Peer, Set<UserID>>, _ limit: Int, _ number: Int
    ) -> [UserID] {
        let names = Array(peers[number][keyPath: list].sorted().prefix(limit))
        peers[number][keyPath: list].subtract(names)
        return names
    }
}
