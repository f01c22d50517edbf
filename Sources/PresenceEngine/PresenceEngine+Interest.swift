import PresenceModel

/// What a user wants to be kept posted on, whatever their clients do.
struct ExplicitInterest: Hashable, Sendable {
    var scope: PresenceEngine.InterestScope
    var until: Instant
}

// Whose clients want to know of other servers' users. Design: section 4, rules 1 and 6.
extension PresenceEngine {
    mutating func setInterest(
        of user: UserID, _ scope: InterestScope?, until: Instant, at now: Instant, into effects: inout [Effect]
    ) {
        guard refusal(of: .interestSet(user, scope, until: until)) == nil else { return }
        let number = internLocal(user)
        users[number].isKnown = true
        interests[number] = scope.map {
            ExplicitInterest(scope: $0, until: min(until, now + configuration.interestLimit))
        }
        users[number].hasTimers = overrides[number]?.until != nil || interests[number] != nil
        refresh(number, at: now, into: &effects)
        recountInterest(of: number, into: &effects)
    }

    /// After every event of the user: counts anew if the answer may have changed.
    mutating func updateInterest(of number: Int, into effects: inout [Effect]) {
        guard interestMode(of: number) != users[number].interest else { return }
        recountInterest(of: number, into: &effects)
    }

    /// For changes of rooms and groups, which matter only to who named them expressly.
    mutating func refreshInterest(of number: Int, into effects: inout [Effect]) {
        if users[number].hasTimers, interests[number] != nil { recountInterest(of: number, into: &effects) }
    }

    mutating func recountInterest(of number: Int, into effects: inout [Effect]) {
        users[number].interest = interestMode(of: number)
        let caresInRooms = users[number].interest == .implied && interests[number] == nil
        let caredInRooms = users[number].caresInRooms
        users[number].caresInRooms = caresInRooms
        guard users[number].hasRelations else { return }
        if caresInRooms != caredInRooms {
            for room in relations[number]?.rooms ?? [] where !rooms[room].isExcluded {
                changeCare(in: room, by: caresInRooms ? 1 : -1, into: &effects)
            }
        }
        let before = relations[number]?.counted ?? []
        let wanted = wantedUsers(of: number)
        guard wanted != before else { return }
        relate(number) { $0.counted = wanted }
        for target in before where !wanted.containsSorted(target) { count(target, -1, into: &effects) }
        for target in wanted where !before.containsSorted(target) { count(target, 1, into: &effects) }
    }

    /// A poll says that somebody is there: who is offline to others by choice causes none.
    private func interestMode(of number: Int) -> InterestMode {
        let user = users[number]
        let isAway = user.effective == .hidden || user.effective == .offline
        if isAway, !configuration.hiddenUsersCare { return .none }
        return user.isAttentive ? .implied : .explicit
    }

    private func wantedUsers(of number: Int) -> [Int] {
        guard let related = relations[number] else { return [] }
        let scope: InterestScope
        switch (users[number].interest, interests[number]?.scope) {
        case (.none, _), (.explicit, nil): return []
        case (_, let explicit?): scope = explicit
        case (.implied, nil): scope = .wholeList
        }
        func isRemote(_ entry: ListEntry) -> Bool { entry.stored.state == .accepted && !users[entry.target].isLocal }
        switch scope {
        case .wholeList:
            return related.entries.filter(isRemote).map(\.target)
        case .selected(let groups, let names):
            var mask: UInt64 = 0
            for group in related.settings.groups where groups.contains(group.name) { mask |= 1 << UInt64(group.slot) }
            var wanted = related.entries.filter { isRemote($0) && $0.stored.groups & mask != 0 }.map(\.target)
            for name in names {
                guard let target = self.number(of: name), !users[target].isLocal else { continue }
                if maySee(observer: number, observed: target) { wanted.insertSorted(target) }
            }
            return wanted
        }
    }

    /// A user joined a room or left it: a local one may care about the others, another server's may be cared about.
    mutating func noteCare(of number: Int, in room: Int, by change: Int, into effects: inout [Effect]) {
        if users[number].isLocal {
            if users[number].caresInRooms { changeCare(in: room, by: change, into: &effects) }
        } else if rooms[room].caring > 0 {
            count(number, change, into: &effects)
        }
    }

    /// The first who cares in a room, and the last, count for all of the room.
    private mutating func changeCare(in room: Int, by change: Int, into effects: inout [Effect]) {
        let before = rooms[room].caring
        rooms[room].caring = before + change
        guard before == 0 || before + change == 0 else { return }
        for share in rooms[room].servers { for member in share.members { count(member, change, into: &effects) } }
    }

    private mutating func count(_ target: Int, _ change: Int, into effects: inout [Effect]) {
        let before = remotes[target]?.interested ?? 0
        remotes[target]?.interested = before + change
        if before == 0 {
            effects.append(.interestBegan(profiles[target].id, knows: remotes[target]?.presence != nil))
        }
        if before + change == 0 { effects.append(.interestEnded(profiles[target].id)) }
    }
}
