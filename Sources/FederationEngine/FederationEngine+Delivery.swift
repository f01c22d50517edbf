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
        peers[number].failures = 0
        peers[number].retryAt = nil
        peers[number].silenceAsked = nil
        settle(inFlight.permissions, number, into: &effects)
        for message in inFlight.messages {
            for report in message.push { extendPromise(of: report.user, number, at: now, into: &effects) }
        }
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
        _ transaction: String, to destination: ServerName, _ failure: Failure, at now: Instant
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
            if carriesWithdrawn(inFlight) { takeBack(inFlight, number) }
        case .refused, .optedOut:
            takeBack(inFlight, number)
        }
        peers[number].retryAt = now + wait
        rearm(number, at: now)
    }

    /// A sign of life ends the waiting, but for what the other side asked for itself.
    mutating func revive(_ number: Int, at now: Instant) {
        guard peers[number].retryAt != nil else { return }
        peers[number].retryAt = peers[number].silenceAsked
        peers[number].failures = 0
        rearm(number, at: now)
    }

    mutating func noteLife(of origin: ServerName, at now: Instant) {
        guard origin != server, let number = peerNumbers[origin] else { return }
        revive(number, at: now)
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
            for user in message.poll where isWanted(user) { peers[number].toPoll.insert(user) }
            for user in message.unpoll where !isWanted(user) { peers[number].toUnpoll.insert(user) }
        }
    }

    private func carriesWithdrawn(_ transaction: OutgoingTransaction) -> Bool {
        transaction.messages.contains { message in
            message.push.contains { locals[$0.user]?.audience.contains(transaction.destination) != true }
        }
    }

    private func isWanted(_ user: UserID) -> Bool {
        interestNumbers[user].map { interests[$0].stage != .none } ?? false
    }

    private mutating func backoff(afterFailures failures: Int) -> Duration {
        var milliseconds = Double(configuration.retryFirst.inMilliseconds)
        let limit = Double(configuration.retryLimit.inMilliseconds)
        for _ in 1..<max(failures, 1) where milliseconds < limit { milliseconds *= configuration.retryFactor }
        let jitter = Double.random(in: -1...1, using: &generator) * configuration.retryJitter
        return .milliseconds(Int64(min(milliseconds, limit) * (1 + jitter)))
    }
}
