import PresenceModel

// Whether the other side is still there, and when both views are compared. Design: section 4, rules 3 to 5.
extension FederationEngine {
    /// The watchdogs run while there is interest in either direction, of a server that takes part.
    mutating func reviewWatch(_ number: Int, at now: Instant) {
        let isLive = peers[number].isLive
        if isLive, peers[number].watch == nil {
            let phase = StableHash.share(of: configuration.longWatchdog, server.text, peers[number].name.text)
            peers[number].watch = Peer.Watch(since: now, longDue: now + phase)
        } else if !isLive, peers[number].watch != nil {
            peers[number].watch = nil
            // No reminder takes the word along any more.
            for user in peers[number].leaving.sorted() {
                if let place = interestNumbers[user] { interestDeadlines.set(place, to: now) }
            }
            // Nothing is left to compare; what the other side believes wrongly is still put right.
            if peers[number].exchange == .reminder || peers[number].exchange == .full {
                peers[number].exchange = []
                peers[number].closeEmptyWindow()
            }
        }
    }

    /// Any authenticated traffic resets the short watchdog, and ends silence.
    mutating func noteLife(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        peers[number].lastHeard = now
        guard peers[number].isSilent, configuration.canary != .silenceNeverEnds else { return }
        peers[number].silentSince = nil
        if peers[number].watch != nil { owe(.full, to: number) }
        effects.append(.standingChanged(peers[number].name, .answering))
        remember(number, into: &effects)
    }

    mutating func owe(_ exchange: Peer.Exchange, to number: Int) {
        peers[number].exchange.formUnion(exchange)
        peers[number].isUrgent = true
    }

    mutating func heedWatchdogs(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        if let due = peers[number].silenceDue(configuration), due <= now { fallSilent(number, at: now, into: &effects) }
        if peers[number].isSilent, let inFlight = peers[number].inFlight, !peers[number].isUnderway {
            // What was said then need not be said for ever: what holds is said when it is back.
            takeBack(inFlight, number)
        }
        if let due = peers[number].shortDue(configuration), due <= now {
            peers[number].watch?.reminded = now
            owe(.reminder, to: number)
        }
        if let due = peers[number].longDue, due <= now {
            let next = now + spreadLongWatchdog()
            peers[number].watch?.longDue = next
            peers[number].mismatches = 0
            owe(.full, to: number)
        }
    }

    mutating func spreadLongWatchdog() -> Duration {
        let milliseconds = Double(configuration.longWatchdog.inMilliseconds)
        let jitter = Double.random(in: -1...1, using: &generator) * configuration.longWatchdogJitter
        return .milliseconds(Int64(milliseconds * (1 + jitter)))
    }

    /// Three reminders and no answer: what its users do is not known any more.
    private mutating func fallSilent(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        peers[number].silentSince = now
        effects.append(.standingChanged(peers[number].name, .silent))
        remember(number, into: &effects)
        for place in peers[number].interests {
            if interests[place].until != nil {
                effects.append(.save(.promiseAsked(interests[place].user, until: nil)))
            }
            if configuration.canary == .silentStaysKnown { continue }
            interests[place].held = nil
            interests[place].until = nil
            effects.append(.remoteLapsed(interests[place].user, .serverSilent))
        }
    }

    /// Promises to the other side that ran out go, looked at now and then; one that is on its way may hold anew.
    mutating func pruneGiven(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        guard peers[number].inFlight == nil else { return }
        if let last = peers[number].lastPruned, now < last + configuration.shortWatchdog { return }
        peers[number].lastPruned = now
        let lapsed = peers[number].given.filter { $0.value.until <= now }.keys.sorted()
        for user in lapsed { release(user, from: number, into: &effects) }
    }
}
