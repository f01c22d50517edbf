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
        recountInterest(of: number, into: &effects)
        refresh(number, at: now, into: &effects)
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
        guard users[number].hasRelations else { return }
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
        if !configuration.hiddenUsersCare, user.effective == .hidden || user.effective == .offline { return .none }
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

    private mutating func count(_ target: Int, _ change: Int, into effects: inout [Effect]) {
        let before = remotes[target]?.interested ?? 0
        remotes[target]?.interested = before + change
        if before == 0 {
            effects.append(.interestBegan(profiles[target].id, knows: remotes[target]?.presence != nil))
        }
        if before + change == 0 { effects.append(.interestEnded(profiles[target].id)) }
    }
}
