import PresenceModel

// What both sides should hold, in short, and what follows if they do not. Design: section 4, rule 4.
extension FederationEngine {
    /// What the other side should hold of users here. One that does not answer was not told what changed since, and must
    /// not take a question whether it is back for a word that nothing did.
    func promisedSummary(_ number: Int, at now: Instant) -> PresenceMessage.Reminder.Summary {
        var summary = PresenceMessage.Reminder.Summary()
        let peer = peers[number]
        for (user, given) in peer.given where now < given.until {
            guard let said = peer.said[user], let local = locals[user], local.audience.contains(peer.name) else {
                continue
            }
            let state = peer.isSilent ? local.presence.state : said.state
            let text = peer.isSilent ? local.presence.statusText : said.statusText
            summary.add(StableHash.of(user, state, configuration.canary == .digestLacksText ? nil : text))
        }
        return summary
    }

    /// As it would be compared with a reminder of that server, for tests; `nil` if nothing was ever exchanged with it.
    package func summaryHeld(of name: ServerName, at now: Instant) -> PresenceMessage.Reminder.Summary? {
        peerNumbers[name].map { heldSummary($0, at: now) }
    }

    /// What is held here of users there.
    func heldSummary(_ number: Int, at now: Instant) -> PresenceMessage.Reminder.Summary {
        var summary = PresenceMessage.Reminder.Summary()
        for place in peers[number].interests {
            if let held = interests[place].held(at: now) { summary.add(held) }
        }
        return summary
    }

    /// The reminder that the transaction being composed carries, once everything else is in it.
    ///
    /// With states and polls the other side finds out by itself; only a mere reminder says what is held here, and only
    /// that is answered with states: two servers that disagree for good do not go on at it.
    mutating func composeReminder(
        _ number: Int, for exchange: Peer.Exchange, at now: Instant, into effects: inout [Effect]
    ) -> PresenceMessage.Reminder {
        let polls = exchange.contains(.polls)
        let reminder = PresenceMessage.Reminder(
            promised: promisedSummary(number, at: now),
            held: polls || exchange.contains(.states) ? nil : heldSummary(number, at: now), isComplete: polls)
        if polls {
            for place in peers[number].interests {
                interests[place].held = nil
                // Whoever is not named is let go there: if somebody cares again they are asked for anew.
                if interests[place].stage == .fading { interests[place].until = nil }
            }
        }
        peers[number].watch?.reminded = now
        tally.remindersSent += 1
        // A server that does not answer cannot rely on anything.
        if !peers[number].isSilent { extendAll(number, at: now, into: &effects) }
        return reminder
    }

    /// A reminder is this server's word for everything promised before.
    mutating func extendAll(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        let until = now + configuration.promise
        var moved: [UserID] = []
        for (user, given) in peers[number].given where now < given.until {
            peers[number].given[user]?.until = until
            if isWorthSaving(until, after: given.savedUntil) { moved.append(user) }
        }
        for user in moved.sorted() {
            peers[number].given[user]?.savedUntil = until
            effects.append(.save(.promiseGiven(user, to: peers[number].name, until: until)))
        }
    }

    /// Saved coarsely: a crash then shortens a promise by a quarter at most, and what was promised is said again at the
    /// start.
    func isWorthSaving(_ until: Instant, after saved: Instant) -> Bool {
        until.milliseconds(since: saved) * 4 >= configuration.promise.inMilliseconds
    }

    /// - Parameter named: whom the polls of the same transaction name.
    mutating func take(
        _ reminder: PresenceMessage.Reminder, naming named: Set<UserID>, promise: Duration, _ number: Int,
        at now: Instant, into effects: inout [Effect]
    ) {
        tally.remindersReceived += 1
        let next = now + spreadLongWatchdog()
        peers[number].watch?.longDue = next
        if reminder.isComplete {
            for user in peers[number].given.keys.filter({ !named.contains($0) }).sorted() {
                release(user, from: number, into: &effects)
            }
        }
        if reminder.promised == heldSummary(number, at: now) {
            peers[number].mismatches = 0
            rely(on: number, for: promise, at: now, into: &effects)
        } else if mayAskAnew(number, at: now) {
            tally.mismatches += 1
            peers[number].mismatches += 1
            owe([.polls, .reminder], to: number)
        }
        if let held = reminder.held, held != promisedSummary(number, at: now), mayCorrect(number, at: now) {
            tally.mismatches += 1
            peers[number].lastCorrected = now
            owe([.states, .reminder], to: number)
        }
    }

    /// What is held is what the other side promises: its word holds anew. Whom it was asked about and does not count any
    /// more it has let go.
    private mutating func rely(
        on number: Int, for promise: Duration, at now: Instant, into effects: inout [Effect]
    ) {
        let until = now + promise
        for place in peers[number].interests {
            let interest = interests[place]
            guard let current = interest.until else { continue }
            if interest.held(at: now) == nil {
                interests[place].until = nil
                effects.append(.save(.promiseAsked(interest.user, until: nil)))
                effects.append(.remoteLapsed(interest.user, .promiseLapsed))
            } else if current.milliseconds(since: now) * 2 < promise.inMilliseconds {
                noteAnswer(from: interest.user, until: until, at: now, into: &effects)
                effects.append(.remoteRenewed(interest.user, goodUntil: until))
            }
        }
    }

    /// Views differ for a moment while a question is on its way.
    private func mayAskAnew(_ number: Int, at now: Instant) -> Bool {
        let peer = peers[number]
        guard peer.toPoll.isEmpty, peer.toUnpoll.isEmpty, !peer.exchange.contains(.polls), peer.mismatches < 3 else {
            return false
        }
        if let inFlight = peer.inFlight, inFlight.messages.contains(where: { !$0.poll.isEmpty || !$0.unpoll.isEmpty }) {
            return false
        }
        return peer.lastAsked.map { $0 + configuration.batchWindow <= now } ?? true
    }

    /// Views differ for a moment while a state is on its way. At most one answer of that kind a short watchdog.
    private func mayCorrect(_ number: Int, at now: Instant) -> Bool {
        let peer = peers[number]
        guard peer.inFlight == nil, !peer.exchange.contains(.states) else { return false }
        if let last = peer.lastSent, now < last + configuration.batchWindow { return false }
        return peer.lastCorrected.map { $0 + configuration.shortWatchdog <= now } ?? true
    }
}
