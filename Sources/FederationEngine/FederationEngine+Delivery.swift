import PresenceModel

// What became of a transaction. Design: section 4, rules 5 and 9.
extension FederationEngine {
    mutating func confirm(
        _ transaction: String, by destination: ServerName, at now: Instant, into effects: inout [Effect]
    ) {
        guard let number = peerNumbers[destination], let inFlight = peers[number].inFlight,
            inFlight.id == transaction
        else { return }
        peers[number].inFlight = nil
        peers[number].withdrawnInFlight.removeAll()
        peers[number].isUnderway = false
        let hadFailed = peers[number].failures > 0
        peers[number].failures = 0
        peers[number].retryAt = nil
        peers[number].silenceAsked = nil
        if hadFailed, !peers[number].isSilent { remember(number, into: &effects) }
        noteLife(number, at: now, into: &effects)
        settle(inFlight.permissions, number, into: &effects)
        for message in inFlight.messages {
            for report in message.push { extendPromise(of: report.user, number, at: now, into: &effects) }
        }
        if inFlight.messages.contains(where: { $0.reminder != nil }) { extendAll(number, at: now, into: &effects) }
        rearm(number, at: now)
    }

    /// The other side counts this server's word from when it took it, which may be long after it was given.
    private mutating func extendPromise(
        of user: UserID, _ number: Int, at now: Instant, into effects: inout [Effect]
    ) {
        guard peers[number].given[user] != nil else { return }
        let hadLapsed = !hasPromise(of: user, number, at: now)
        promise(user, to: number, at: now, into: &effects)
        if hadLapsed { note(user, for: number, at: now) }
    }

    mutating func retryLater(
        _ transaction: String, to destination: ServerName, _ failure: Failure, at now: Instant,
        into effects: inout [Effect]
    ) {
        guard let number = peerNumbers[destination], let inFlight = peers[number].inFlight,
            inFlight.id == transaction
        else { return }
        peers[number].isUnderway = false
        peers[number].failures += 1
        peers[number].silenceAsked = nil
        var wait = backoff(afterFailures: peers[number].failures)
        switch failure {
        case .unanswered(let asked):
            if let asked {
                let silence = min(asked, configuration.retryLimit)
                peers[number].silenceAsked = now + silence
                wait = max(wait, silence)
            }
            if carriesWithdrawn(inFlight) || peers[number].isSilent { takeBack(inFlight, number) }
        case .refused:
            takeBack(inFlight, number)
        case .optedOut:
            takeBack(inFlight, number)
            peers[number].failures = 0
            peers[number].optedOutUntil = now + configuration.optOutLasts
            wait = .zero
        }
        peers[number].retryAt = wait == .zero ? nil : gathered(now + wait, at: now)
        remember(number, into: &effects)
        rearm(number, at: now)
    }

    /// A request other than a transaction.
    mutating func hear(from origin: ServerName, at now: Instant, into effects: inout [Effect]) {
        guard origin != server, let number = peerNumbers[origin] else { return }
        noteLife(number, at: now, into: &effects)
        revive(number)
        rearm(number, at: now)
    }

    /// A sign of life ends the waiting, but for what the other side asked for itself.
    mutating func revive(_ number: Int) {
        guard peers[number].retryAt != nil else { return }
        peers[number].retryAt = peers[number].silenceAsked
        peers[number].failures = 0
    }

    /// What the outstanding transaction said counts as not said: it is composed anew from what holds then.
    mutating func takeBack(_ transaction: OutgoingTransaction, _ number: Int) {
        peers[number].inFlight = nil
        putBack(transaction.permissions, number)
        for message in transaction.messages {
            for report in message.push {
                peers[number].said[report.user] = nil
                if locals[report.user]?.audience.contains(peers[number].name) == true {
                    peers[number].dirty.insert(report.user)
                }
            }
            if peers[number].dialect != .legacy {
                for user in message.poll where isWanted(user) && !peers[number].leaving.contains(user) {
                    peers[number].toPoll.insert(user)
                }
                for user in message.unpoll where !isWanted(user) { peers[number].toUnpoll.insert(user) }
            }
            // Interest may have ended meanwhile.
            guard peers[number].watch != nil else { continue }
            if message.reminder != nil { peers[number].exchange.insert(.reminder) }
            if message.reminder?.isComplete == true { peers[number].exchange.insert(.polls) }
        }
    }

    private func carriesWithdrawn(_ transaction: OutgoingTransaction) -> Bool {
        transaction.messages.contains { message in
            message.push.contains { locals[$0.user]?.audience.contains(transaction.destination) != true }
        }
    }

    private func isWanted(_ user: UserID) -> Bool {
        interestNumbers[user] != nil
    }

    private mutating func backoff(afterFailures failures: Int) -> Duration {
        var milliseconds = Double(configuration.retryFirst.inMilliseconds)
        let limit = Double(configuration.retryLimit.inMilliseconds)
        for _ in 1..<max(failures, 1) where milliseconds < limit { milliseconds *= configuration.retryFactor }
        milliseconds = min(milliseconds, limit)
        let jitter = Double.random(in: -1...1, using: &generator) * configuration.retryJitter
        return .milliseconds(Int64(milliseconds * (1 + jitter)))
    }

    /// Those that wait for long are tried where a second begins: of thousands that do not answer, each would else
    /// wake everything for itself.
    private func gathered(_ instant: Instant, at now: Instant) -> Instant {
        guard instant.milliseconds(since: now) >= 5_000 else { return instant }
        return Instant(millisecondsSinceEpoch: (instant.millisecondsSinceEpoch + 999) / 1_000 * 1_000)
    }
}
