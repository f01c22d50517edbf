import PresenceModel

// Who is there.
extension SocialEngine {
    mutating func hold(
        _ user: SocialAddress, by session: SocialSessionID, isAway: Bool, _ whereabouts: Whereabouts?,
        at now: Instant, into effects: inout [Effect]
    ) {
        let number = intern(user)
        let holder = Person.Hold.Holder.session(session)
        let state: FriendState = isAway ? .away : .online
        let hold = Person.Hold(
            holder: holder, until: now.advanced(by: configuration.offlineAfter), state: state,
            isBridged: session == .bridge)
        if let place = people[number].holds.firstIndex(where: { $0.holder == holder }) {
            people[number].holds[place] = hold
        } else {
            makeRoomForHold(number)
            people[number].holds.append(hold)
        }
        sessions[session, default: SessionRecord()].users.insert(Int32(number))
        // Later than all that was heard before, whatever other processes' clocks say.
        let at = max(now, people[number].whereaboutsAt.advanced(byMilliseconds: 1))
        if let whereabouts { people[number].place(at: whereabouts, at, by: process) }
        refresh(number, at: now, into: &effects)
        share(number, at: now, into: &effects)
    }

    /// The session says that the user is not there any more; others may hold them still.
    mutating func letGo(
        of user: SocialAddress, by session: SocialSessionID, at now: Instant, into effects: inout [Effect]
    ) {
        let holder = Person.Hold.Holder.session(session)
        guard let number = number(of: user),
            let place = people[number].holds.firstIndex(where: { $0.holder == holder })
        else { return }
        people[number].holds.remove(at: place)
        forget(holder, of: number)
        // The state may be another one now, which nobody else would say before the next heartbeat.
        if people[number].isHere { share(number, at: now, into: &effects) }
        refresh(number, at: now, into: &effects)
    }

    private mutating func makeRoomForHold(_ number: Int) {
        let holds = people[number].holds
        guard holds.count >= configuration.sessionsPerUser else { return }
        guard let oldest = holds.indices.min(by: { holds[$0].until < holds[$1].until }) else { return }
        let gone = people[number].holds.remove(at: oldest)
        forget(gone.holder, of: number)
    }

    /// The session lets go of the user.
    private mutating func forget(_ holder: Person.Hold.Holder, of number: Int) {
        guard case .session(let session) = holder else { return }
        sessions[session]?.users.remove(Int32(number))
        if sessions[session]?.isEmpty == true { sessions[session] = nil }
    }

    mutating func end(_ session: SocialSessionID, at now: Instant, into effects: inout [Effect]) {
        guard let record = sessions.removeValue(forKey: session) else { return }
        for id in record.subscriptions.sorted() {
            close(id)
            effects.append(.endSubscription(id))
        }
        let leaves = now.advanced(by: configuration.leaveGrace)
        for number in record.users.sorted().map(Int.init) {
            let holder = Person.Hold.Holder.session(session)
            guard let place = people[number].holds.firstIndex(where: { $0.holder == holder }) else { continue }
            people[number].holds[place].until = min(people[number].holds[place].until, leaves)
            refresh(number, at: now, into: &effects)
        }
    }

    /// What another process says of one of its users.
    mutating func take(_ presence: SharedPresence, at now: Instant, into effects: inout [Effect]) {
        guard presence.process != process else {
            // Left while nobody could be told.
            let isHere = number(of: presence.user).map { people[$0].state(localOnly: true) != .offline } ?? false
            if !isHere, presence.state != .offline { shareDeparture(of: presence.user, at: now, into: &effects) }
            return
        }
        let holder = Person.Hold.Holder.process(presence.process)
        let number = intern(presence.user)
        let validFor = min(presence.validFor, configuration.offlineAfter)
        let hold = Person.Hold(
            holder: holder, until: now.advanced(by: validFor), state: presence.state, sequence: presence.sequence,
            isBridged: presence.isBridged)
        if let place = people[number].holds.firstIndex(where: { $0.holder == holder }) {
            guard people[number].holds[place].sequence < presence.sequence else { return }
            people[number].holds[place] = hold
        } else {
            makeRoomForHold(number)
            people[number].holds.append(hold)
        }
        if let whereabouts = presence.whereabouts, presence.state != .offline {
            people[number].place(at: whereabouts, presence.at, by: presence.placedBy)
        }
        refresh(number, at: now, into: &effects)
    }

    mutating func conceal(
        _ user: SocialAddress, _ isConcealed: Bool, at now: Instant, into effects: inout [Effect]
    ) {
        guard isConcealed != (self.number(of: user).map { people[$0].settings.isConcealed } ?? false) else { return }
        let number = intern(user)
        people[number].settings.isConcealed = isConcealed
        people[number].settings.concealmentRevision += 1
        refresh(number, at: now, into: &effects)
        wish(.concealment, about: .settings(number), at: now, into: &effects)
    }

    /// Looks anew at how the user is, and at what friends see of it.
    mutating func refresh(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        if people[number].holds.contains(where: { $0.until <= now }) {
            for hold in people[number].holds where hold.until <= now { forget(hold.holder, of: number) }
            people[number].holds.removeAll { $0.until <= now }
        }
        expiries.set(number, to: people[number].holds.lazy.map(\.until).min())
        let state = people[number].state()
        if state == .offline {
            // Whoever comes back says anew where they are; that is still later than what was said before.
            people[number].whereabouts = nil
        }
        let isFooled = configuration.canary == .takesTheBridgeForAUser
        let isPresent = isFooled ? state != .offline : people[number].isInWorld()
        if people[number].isPresent != isPresent {
            people[number].isPresent = isPresent
            let address = people[number].address
            effects.append(isPresent ? .userAppeared(address) : .userLeft(address))
        }
        if people[number].isShared, !agreesWithShared(people[number]) { share(number, at: now, into: &effects) }
        let shown = shown(people[number], state)
        if shown != people[number].shown {
            people[number].shown = shown
            for friend in people[number].friends { mark(number, in: people[Int(friend)].presenceSubscriptions) }
        }
        releaseIfNobody(number)
    }

    /// Whether the other processes know of the user here, and whether by a bridge alone, as it is.
    private func agreesWithShared(_ person: Person) -> Bool {
        person.isHere && person.isSharedAsBridged == !person.isInWorld(localOnly: true)
    }

    private func shown(_ person: Person, _ state: FriendState) -> Person.Shown {
        guard !person.settings.isHidden || configuration.canary == .showsTheHidden else { return Person.Shown() }
        return Person.Shown(state: state, whereabouts: person.settings.privacy == .full ? person.whereabouts : nil)
    }
}
