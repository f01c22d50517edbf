import PresenceModel

// What other servers say of their users. Design: section 3, unknown.
extension PresenceEngine {
    /// Whether anyone here has `user` on their list.
    public func isWatched(_ user: UserID) -> Bool {
        guard let number = numbers[user] else { return false }
        return !users[number].watchers.isEmpty
    }

    mutating func learn(
        _ presence: Presence, of user: UserID, goodUntil: Instant?, at now: Instant, into effects: inout [Effect]
    ) {
        // Of whom nobody ever had on a list nothing is kept. Whoever was taken off one may come back within the
        // grace, when nobody asks anew.
        guard let number = numbers[user], !users[number].isLocal else { return }
        let before = users[number].published
        var learned = presence
        // A report without an age keeps the old one. Synapse does the same.
        if learned.lastActive == nil { learned.lastActive = before?.lastActive }
        users[number].published = learned
        users[number].unknownSince = nil
        users[number].goodUntil = goodUntil
        deadlines.set(number, to: goodUntil)
        effects.append(.save(.remote(user, StoredRemote(presence: learned, goodUntil: goodUntil))))
        if before.map({ !learned.says(theSameAs: $0) }) ?? true { noteChange(number, into: &effects) }
    }

    mutating func lapse(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        guard !users[number].isLocal, let before = users[number].published else { return }
        users[number].published = nil
        users[number].unknownSince = now
        users[number].goodUntil = nil
        deadlines.set(number, to: nil)
        let stored = StoredRemote(presence: before, goodUntil: now)
        effects.append(.save(.remote(users[number].id, stored)))
        noteChange(number, into: &effects)
    }
}
