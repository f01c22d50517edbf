import PresenceModel

// Who sees whom, and whose connected client wants to know. Design: sections 3 (visibility) and 4 (rules 1 and 6).
extension PresenceEngine {
    /// Why an entry cannot be added.
    public enum EntryRefusal: Error, Hashable, Sendable {
        case tooManyEntries(limit: Int)
        /// Everyone sees themselves; there is nothing to add.
        case oneself
    }

    /// Why ``Event/entryAdded(observer:observed:)`` would be refused; `nil` if it would not.
    public func refusal(addingEntryOf observed: UserID, for observer: UserID) -> EntryRefusal? {
        if observed == observer { return .oneself }
        guard let number = numbers[observer] else { return nil }
        if let other = numbers[observed], users[number].watching.contains(other) { return nil }
        let limit = configuration.watchEntriesPerUser
        return users[number].watching.count >= limit ? .tooManyEntries(limit: limit) : nil
    }

    mutating func addEntry(
        observer: UserID, observed: UserID, at now: Instant, into effects: inout [Effect]
    ) {
        guard refusal(addingEntryOf: observed, for: observer) == nil else { return }
        let watcher = internLocal(observer)
        let target = intern(observed)
        guard insertEntry(watcher, target) else { return }
        effects.append(.save(.entry(observer: observer, observed: observed)))
        noteVisibilityChange(watcher, target, into: &effects)
        guard !users[target].isLocal else { return }
        noteAudience(of: watcher, at: observed.server, change: 1, into: &effects)
        if users[watcher].countsAsInterested { changeInterest(in: target, by: 1, into: &effects) }
    }

    mutating func removeEntry(
        observer: UserID, observed: UserID, at now: Instant, into effects: inout [Effect]
    ) {
        guard let watcher = numbers[observer], let target = numbers[observed],
            let place = users[watcher].watching.firstIndex(of: target)
        else { return }
        users[watcher].watching.remove(at: place)
        users[target].watchers.removeAll { $0 == watcher }
        effects.append(.save(.entryRemoved(observer: observer, observed: observed)))
        guard !users[target].isLocal else { return }
        if users[watcher].countsAsInterested { changeInterest(in: target, by: -1, into: &effects) }
        noteAudience(of: watcher, at: observed.server, change: -1, into: &effects)
    }

    /// Both lists in the order of the users' numbers. False: it was there.
    @discardableResult
    mutating func insertEntry(_ watcher: Int, _ target: Int) -> Bool {
        let place = users[watcher].watching.insertionPoint(of: target)
        if place < users[watcher].watching.count, users[watcher].watching[place] == target { return false }
        users[watcher].watching.insert(target, at: place)
        users[target].watchers.insert(watcher, at: users[target].watchers.insertionPoint(of: watcher))
        return true
    }

    /// Whether an observer may see a user: oneself; someone on one's list who has oneself on theirs; a user of
    /// another server on one's list, whose own server decided what to send here.
    func maySee(observer: Int, observed: Int) -> Bool {
        if observer == observed { return true }
        guard users[observer].watching.containsSorted(observed) else { return false }
        return !users[observed].isLocal || users[observed].watching.containsSorted(observer)
    }

    /// Two local users may have become visible to each other: both streams have something new.
    private mutating func noteVisibilityChange(_ watcher: Int, _ target: Int, into effects: inout [Effect]) {
        guard maySee(observer: watcher, observed: target) else { return }
        renew(target, for: watcher, into: &effects)
        if users[target].isLocal { renew(watcher, for: target, into: &effects) }
    }

    private mutating func renew(_ observed: Int, for observer: Int, into effects: inout [Effect]) {
        version += 1
        users[observed].version = version
        for stream in users[observer].streams { effects.append(.wake(stream)) }
    }

    mutating func noteAudience(
        of number: Int, at server: ServerName, change: Int, into effects: inout [Effect]
    ) {
        let before = users[number].audience[server] ?? 0
        let after = before + change
        users[number].audience[server] = after == 0 ? nil : after
        if before == 0 { effects.append(.audienceAdded(users[number].id, server)) }
        if after == 0 { effects.append(.audienceRemoved(users[number].id, server)) }
    }

    mutating func restoreAudience(of number: Int, into effects: inout [Effect]) {
        for observed in users[number].watching where !users[observed].isLocal {
            users[number].audience[users[observed].id.server, default: 0] += 1
        }
        for server in users[number].audience.keys.sorted() {
            effects.append(.audienceRestored(users[number].id, server))
        }
    }

    /// A user with a connected device cares about everyone on their list; without one, about nobody.
    mutating func updateInterest(of number: Int, into effects: inout [Effect]) {
        let cares = !users[number].devices.isEmpty
        guard cares != users[number].countsAsInterested else { return }
        users[number].countsAsInterested = cares
        for target in users[number].watching where !users[target].isLocal {
            changeInterest(in: target, by: cares ? 1 : -1, into: &effects)
        }
    }

    private mutating func changeInterest(in target: Int, by change: Int, into effects: inout [Effect]) {
        let before = users[target].interested
        users[target].interested += change
        if before == 0 { effects.append(.interestBegan(users[target].id)) }
        if users[target].interested == 0 { effects.append(.interestEnded(users[target].id)) }
    }
}

extension [Int] {
    /// Where `number` stands, or would stand, in a rising list.
    func insertionPoint(of number: Int) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < number { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func containsSorted(_ number: Int) -> Bool {
        let place = insertionPoint(of: number)
        return place < count && self[place] == number
    }
}
