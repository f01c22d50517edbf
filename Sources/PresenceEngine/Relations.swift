import PresenceModel

/// Whom a user has to do with: lists, consents, rooms, servers. Users are numbers; every list of them rises.
struct Relations: Sendable {
    /// Of a local user: whom they want to see.
    var entries: [ListEntry] = []
    /// Of a local user: who may see them, asked to, or may not.
    var consents: [Consent] = []
    /// Local users whose accepted entry is for this one.
    var watchers: [Int] = []
    /// Local users who block this one.
    var blockedBy: [Int] = []
    /// Local users' entries for this one, in whatever state.
    var listed = 0
    /// Local users' consents about this one, in whatever state.
    var judged = 0
    /// Numbers of rooms, the excluded ones among them.
    var rooms: [Int] = []
    /// Of a local user: numbers of servers that host someone who may see them.
    var audience: [Int] = []
    /// Those of them where only members of large rooms may see the user.
    var seenWidely: [Int] = []
    /// Of a local user: remote users whom they are counted as interested in.
    var counted: [Int] = []
    var settings = StoredListSettings()
}

/// One line of a presence list.
struct ListEntry: Sendable {
    let target: Int
    var stored: StoredEntry
}

/// One user's word about being seen by another.
struct Consent: Sendable {
    let observer: Int
    var stored: StoredConsent
}

extension Relations {
    /// Nobody here has to do with the user, nor the user with anybody.
    var isEmpty: Bool {
        entries.isEmpty && consents.isEmpty && watchers.isEmpty && blockedBy.isEmpty && listed == 0 && judged == 0
            && rooms.isEmpty && settings == StoredListSettings()
    }

    func entryPlace(of target: Int) -> Int { entries.insertionPoint { $0.target < target } }

    func entry(for target: Int) -> StoredEntry? {
        let place = entryPlace(of: target)
        return place < entries.count && entries[place].target == target ? entries[place].stored : nil
    }

    func consentPlace(of observer: Int) -> Int { consents.insertionPoint { $0.observer < observer } }

    func consent(for observer: Int) -> StoredConsent? {
        let place = consentPlace(of: observer)
        return place < consents.count && consents[place].observer == observer ? consents[place].stored : nil
    }

    /// Sets, or with `nil` removes.
    mutating func setEntry(_ stored: StoredEntry?, for target: Int) {
        let place = entryPlace(of: target)
        let isThere = place < entries.count && entries[place].target == target
        switch (isThere, stored) {
        case (true, let stored?): entries[place].stored = stored
        case (false, let stored?): entries.insert(ListEntry(target: target, stored: stored), at: place)
        case (true, nil): entries.remove(at: place)
        case (false, nil): break
        }
    }

    /// Sets, or with `nil` removes.
    mutating func setConsent(_ stored: StoredConsent?, for observer: Int) {
        let place = consentPlace(of: observer)
        let isThere = place < consents.count && consents[place].observer == observer
        switch (isThere, stored) {
        case (true, let stored?): consents[place].stored = stored
        case (false, let stored?): consents.insert(Consent(observer: observer, stored: stored), at: place)
        case (true, nil): consents.remove(at: place)
        case (false, nil): break
        }
    }
}

extension Array {
    /// The first place that `isBefore` does not hold for, in a list where it holds for a beginning.
    func insertionPoint(_ isBefore: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if isBefore(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension [Int] {
    func containsSorted(_ number: Int) -> Bool {
        let place = insertionPoint { $0 < number }
        return place < count && self[place] == number
    }

    /// False: it was there.
    @discardableResult
    mutating func insertSorted(_ number: Int) -> Bool {
        let place = insertionPoint { $0 < number }
        if place < count, self[place] == number { return false }
        insert(number, at: place)
        return true
    }

    /// False: it was not there.
    @discardableResult
    mutating func removeSorted(_ number: Int) -> Bool {
        let place = insertionPoint { $0 < number }
        guard place < count, self[place] == number else { return false }
        remove(at: place)
        return true
    }
}
