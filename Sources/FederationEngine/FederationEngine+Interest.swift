import PresenceModel

// What is asked of other servers. Design: section 4, rules 1 and 6.
extension FederationEngine {
    mutating func beginInterest(
        in user: UserID, knows: Bool, at now: Instant, into effects: inout [Effect]
    ) {
        let number = internInterest(user)
        let peer = interests[number].peer
        let wasFading = interests[number].stage == .fading
        if wasFading {
            interests[number].stage = .wanted
            peers[peer].wantedCount += 1
        }
        peers[peer].toUnpoll.remove(user)
        peers[peer].leaving.remove(user)
        defer { rearm(peer, at: now) }
        // Back within the grace: the other side never knew that nobody cared.
        if wasFading, knows, let until = interests[number].until, now < until {
            setRenewal(number, at: now)
            return
        }
        ask(number, at: now, into: &effects)
    }

    mutating func endInterest(in user: UserID, at now: Instant) {
        guard let number = interestNumbers[user], interests[number].stage == .wanted else { return }
        fade(number)
        interestDeadlines.set(number, to: now + configuration.unpollGrace)
        rearm(interests[number].peer, at: now)
    }

    mutating func fade(_ number: Int) {
        interests[number].stage = .fading
        peers[interests[number].peer].wantedCount -= 1
    }

    /// The user's server spoke of the user: an answer, or an implied promise.
    mutating func noteAnswer(from user: UserID, until: Instant, at now: Instant, into effects: inout [Effect]) {
        guard let number = interestNumbers[user] else { return }
        let moved = interests[number].until.map { until.milliseconds(since: $0) >= 60_000 } ?? true
        interests[number].until = until
        if moved { effects.append(.save(.promiseAsked(user, until: until))) }
        if interests[number].stage == .wanted { setRenewal(number, at: now) }
    }

    mutating func reviewInterest(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        let user = interests[number].user
        let peer = interests[number].peer
        switch interests[number].stage {
        case .wanted where peers[peer].dialect == .legacy:
            // It does not know polls, and pushes without being asked.
            interests[number].until = nil
            setRenewal(number, at: now)
        case .wanted:
            ask(number, at: now, into: &effects)
        case .fading:
            if peers[peer].isLive, !peers[peer].isSilent, let until = interests[number].until, now < until {
                // There will be a transaction soon anyway, a reminder at the latest.
                peers[peer].toPoll.remove(user)
                peers[peer].closeEmptyWindow()
                peers[peer].leaving.insert(user)
                interestDeadlines.set(number, to: until)
            } else {
                letGo(number, into: &effects)
                if !peers[peer].toUnpoll.isEmpty { openWindow(peer, at: now) }
            }
        }
        rearm(peer, at: now)
    }

    /// Nobody cares, and the other side is told with the next transaction.
    mutating func letGo(_ number: Int, into effects: inout [Effect]) {
        let user = interests[number].user
        let peer = interests[number].peer
        effects.append(.save(.promiseAskedEnded(user)))
        peers[peer].leaving.remove(user)
        if peers[peer].dialect != .legacy {
            if peers[peer].toPoll.remove(user) == nil { peers[peer].toUnpoll.insert(user) }
            effects.append(.remoteLapsed(user, .notAsked))
        }
        removeInterest(number)
    }

    private mutating func ask(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        let user = interests[number].user
        let peer = interests[number].peer
        effects.append(.save(.promiseAsked(user, until: interests[number].until)))
        setRenewal(number, at: now)
        // A restart may have left more than was to be relied on.
        if peers[peer].isSilent { effects.append(.remoteLapsed(user, .serverSilent)) }
        // It does not know polls, and pushes without being asked.
        guard peers[peer].dialect != .legacy else { return }
        peers[peer].toPoll.insert(user)
        peers[peer].isUrgent = true
    }

    /// Asks again shortly before the promise runs out, or, where none was given, after the time of one.
    private mutating func setRenewal(_ number: Int, at now: Instant) {
        if let until = interests[number].until, until <= now {
            interests[number].until = nil
            interests[number].held = nil
        }
        let renewal = interests[number].until.map { $0.advanced(by: .zero - configuration.renewBefore) }
        let fallback = now + configuration.promise
        let soonest = now + configuration.renewBefore
        interestDeadlines.set(number, to: max(renewal ?? fallback, soonest))
    }

    mutating func internInterest(_ user: UserID) -> Int {
        if let number = interestNumbers[user] { return number }
        let peer = internPeer(user.server)
        let new = Interest(user: user, peer: peer)
        let number: Int
        if let free = freeInterests.popLast() {
            number = free
            interests[number] = new
        } else {
            number = interests.count
            interests.append(new)
        }
        interestNumbers[user] = number
        peers[peer].interests.append(number)
        peers[peer].wantedCount += 1
        return number
    }

    private mutating func removeInterest(_ number: Int) {
        let peer = interests[number].peer
        if interests[number].stage == .wanted { peers[peer].wantedCount -= 1 }
        interestNumbers[interests[number].user] = nil
        if let place = peers[peer].interests.firstIndex(of: number) {
            peers[peer].interests.swapAt(place, peers[peer].interests.count - 1)
            peers[peer].interests.removeLast()
        }
        interestDeadlines.set(number, to: nil)
        freeInterests.append(number)
    }
}
