import PresenceModel

// What is asked of other servers. Design: section 4, rules 1 and 6.
extension FederationEngine {
    mutating func beginInterest(
        in user: UserID, knows: Bool, at now: Instant, into effects: inout [Effect]
    ) {
        let number = internInterest(user)
        let peer = interests[number].peer
        let stage = interests[number].stage
        interests[number].stage = .wanted
        peers[peer].toUnpoll.remove(user)
        // Back within the grace: the other side never knew that nobody cared.
        if stage == .fading, knows, let until = interests[number].until, now < until {
            setRenewal(number, at: now)
            return
        }
        ask(number, at: now, into: &effects)
    }

    mutating func endInterest(in user: UserID, at now: Instant) {
        guard let number = interestNumbers[user], interests[number].stage == .wanted else { return }
        interests[number].stage = .fading
        interestDeadlines.set(number, to: now + configuration.unpollGrace)
    }

    /// The user's server spoke of the user: an answer, or an implied promise.
    mutating func noteAnswer(from user: UserID, until: Instant, at now: Instant, into effects: inout [Effect]) {
        guard let number = interestNumbers[user], interests[number].stage != .none else { return }
        let moved = interests[number].until.map { until.milliseconds(since: $0) >= 60_000 } ?? true
        interests[number].until = until
        if moved { effects.append(.save(.promiseAsked(user, until: until))) }
        if interests[number].stage == .wanted { setRenewal(number, at: now) }
    }

    mutating func reviewInterest(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        let user = interests[number].user
        let peer = interests[number].peer
        switch interests[number].stage {
        case .none:
            return
        case .wanted where peers[peer].dialect == .legacy:
            // It does not know polls, and pushes without being asked.
            interests[number].until = nil
            setRenewal(number, at: now)
        case .wanted:
            ask(number, at: now, into: &effects)
        case .fading where peers[peer].dialect == .legacy:
            interests[number].stage = .none
            interests[number].until = nil
            effects.append(.save(.promiseAskedEnded(user)))
        case .fading:
            interests[number].stage = .none
            interests[number].until = nil
            if peers[peer].toPoll.remove(user) == nil { peers[peer].toUnpoll.insert(user) }
            openWindow(peer, at: now)
            effects.append(.save(.promiseAskedEnded(user)))
            effects.append(.remoteLapsed(user, .notAsked))
            rearm(peer, at: now)
        }
    }

    private mutating func ask(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        let user = interests[number].user
        let peer = interests[number].peer
        effects.append(.save(.promiseAsked(user, until: interests[number].until)))
        setRenewal(number, at: now)
        // It does not know polls, and pushes without being asked.
        guard peers[peer].dialect != .legacy else { return }
        peers[peer].toPoll.insert(user)
        peers[peer].isUrgent = true
        rearm(peer, at: now)
    }

    /// Asks again shortly before the promise runs out, or, where none was given, after the time of one.
    private mutating func setRenewal(_ number: Int, at now: Instant) {
        if let until = interests[number].until, until <= now { interests[number].until = nil }
        let renewal = interests[number].until.map { $0.advanced(by: .zero - configuration.renewBefore) }
        let fallback = now + configuration.promise
        let soonest = now + configuration.renewBefore
        interestDeadlines.set(number, to: max(renewal ?? fallback, soonest))
    }

    mutating func internInterest(_ user: UserID) -> Int {
        if let number = interestNumbers[user] { return number }
        let number = interests.count
        interests.append(Interest(user: user, peer: internPeer(user.server)))
        interestNumbers[user] = number
        return number
    }
}
