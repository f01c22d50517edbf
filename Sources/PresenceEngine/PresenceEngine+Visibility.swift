import PresenceModel

/// Who became visible to an observer lately, for streams that know the rest already.
struct Arrivals: Sendable {
    /// A position before this has missed some: it gets everything anew.
    var floor: UInt64
    /// When the observer came back last: of joins before this nothing is in ``entries``.
    var attentiveSince: UInt64
    var entries: [(version: UInt64, user: Int)] = []
}

// Who may see whom. Design: section 3; seed: presence and permissions.
extension PresenceEngine {
    /// Whether an observer may see a user at this moment: oneself; a local user who granted it; a user of another server
    /// whose server said so; anyone in a room of one's own. Who is blocked may not.
    func maySee(observer: Int, observed: Int) -> Bool {
        if observer == observed || configuration.canary == .skipsPermissionCheck { return true }
        guard users[observer].hasRelations || users[observed].hasRelations else { return false }
        if users[observed].isLocal {
            if let consent = relations[observed]?.consent(for: observer) {
                switch consent.state {
                case .granted: return true
                case .blocked: return false
                case .requested: break
                }
            }
        } else if relations[observer]?.entry(for: observed)?.state == .accepted {
            return true
        }
        return shareRoom(observer, observed)
    }

    /// Whether streams of the observer show the user: on the list and allowed, or in a room of the observer's.
    func isShown(_ observed: Int, to observer: Int) -> Bool {
        if observer == observed { return true }
        if relations[observer]?.entry(for: observed)?.state == .accepted { return true }
        return shareRoom(observer, observed) && !isBlocked(observer, by: observed)
    }

    func isBlocked(_ observer: Int, by observed: Int) -> Bool {
        relations[observer]?.blockedBy.containsSorted(observed) ?? false
    }

    /// A room that is not excluded.
    func shareRoom(_ one: Int, _ other: Int) -> Bool {
        guard let mine = relations[one]?.rooms, let theirs = relations[other]?.rooms else { return false }
        var (left, right) = (0, 0)
        while left < mine.count, right < theirs.count {
            if mine[left] == theirs[right] {
                if !rooms[mine[left]].isExcluded { return true }
                left += 1
            } else if mine[left] < theirs[right] {
                left += 1
            } else {
                right += 1
            }
        }
        return false
    }

    /// Everyone whom streams of the observer show, oneself apart, each once and in rising order; with a position, only
    /// those who changed after it.
    func shown(to observer: Int, since position: UInt64?) -> [Int] {
        guard users[observer].hasRelations, let related = relations[observer] else { return [] }
        var found: [Int] = []
        func isNew(_ number: Int) -> Bool { position.map { versions[number] > $0 } ?? true }
        for entry in related.entries {
            let isAllowed = entry.stored.state == .accepted || configuration.canary == .skipsPermissionCheck
            if isAllowed, isNew(entry.target) { found.append(entry.target) }
        }
        for room in related.rooms where !rooms[room].isExcluded {
            if let position, rooms[room].version <= position { continue }
            for member in rooms[room].members where isNew(member) && member != observer {
                if !related.blockedBy.containsSorted(member) { found.append(member) }
            }
        }
        found.sort()
        var distinct: [Int] = []
        for number in found where distinct.last != number { distinct.append(number) }
        return distinct
    }

    // MARK: Arrivals

    /// Begins or interrupts the collection of arrivals. Of who is away nothing is collected; whether something was missed
    /// is seen by the floor and by the rooms' latest joins.
    mutating func updateArrivals(of number: Int) {
        let isAttentive = users[number].isAttentive
        users[number].collectsArrivals = isAttentive
        guard isAttentive else { return }
        if arrivals[number] == nil {
            arrivals[number] = Arrivals(floor: version, attentiveSince: version)
        } else {
            arrivals[number]?.attentiveSince = version
        }
    }

    /// What is known of what somebody missed who stands at `position`; `nil`: everything must be shown anew.
    func collected(for observer: Int, since position: UInt64) -> Arrivals? {
        guard let collected = arrivals[observer], position >= collected.floor else { return nil }
        guard position < collected.attentiveSince else { return collected }
        let hasMissed = relations[observer]?.rooms.contains { !rooms[$0].isExcluded && rooms[$0].joined > position }
        return hasMissed ?? false ? nil : collected
    }

    /// Runs a change of permission; who was not shown before and is afterwards has arrived.
    mutating func changing(
        _ observed: Int, for observer: Int, into effects: inout [Effect],
        _ change: (inout PresenceEngine, inout [Effect]) -> Void
    ) {
        let before = isShown(observed, to: observer)
        change(&self, &effects)
        guard !before, users[observer].isLocal, isShown(observed, to: observer) else { return }
        // Whoever listens or not: a position of before now misses this, and the number must not tell who listens.
        version += 1
        if arrive(observed, for: observer) { wakeStreams(of: observer, into: &effects) }
    }

    /// The observer's streams have something new, and nobody else's; the caller raised ``version``. True: they are to be
    /// woken.
    mutating func arrive(_ observed: Int, for observer: Int) -> Bool {
        guard users[observer].collectsArrivals else {
            if arrivals[observer] != nil {
                arrivals[observer] = Arrivals(floor: version, attentiveSince: version)
            }
            return false
        }
        if !users[observed].isLocal, remotes[observed]?.presence == nil, remotes[observed]?.unknown == nil {
            return false
        }
        if arrivals[observer]?.entries.count ?? 0 >= configuration.arrivalsPerUser {
            arrivals[observer] = Arrivals(floor: version, attentiveSince: version)
        } else {
            arrivals[observer]?.entries.append((version, observed))
        }
        return true
    }
}
