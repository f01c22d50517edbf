import PresenceModel

// What other servers say of their users. Design: section 3, unknown.
extension PresenceEngine {
    mutating func learn(
        _ presence: Presence, of user: UserID, goodUntil: Instant?, at now: Instant, into effects: inout [Effect]
    ) {
        // Of whom nobody has on a list or in a room nothing is kept.
        guard let number = number(of: user), !users[number].isLocal, isNeeded(number) else {
            let time = configuration.earlyReportsKept
            if time > .zero { earlyReports.note(presence, of: user, goodUntil: goodUntil, at: now, for: time) }
            return
        }
        let before = remotes[number]?.presence
        var learned = presence
        // A report without an age keeps the old one. Synapse does the same.
        if learned.lastActive == nil { learned.lastActive = before?.lastActive }
        remotes[number]?.presence = learned
        remotes[number]?.unknown = nil
        remotes[number]?.goodUntil = goodUntil
        deadlines.set(number, to: goodUntil)
        effects.append(.save(.remote(user, StoredRemote(presence: learned, goodUntil: goodUntil))))
        if before.map({ !learned.says(theSameAs: $0) }) ?? true { noteChange(number, into: &effects) }
    }

    /// The user's server spoke of the user a moment before the user came into a room.
    mutating func recallEarly(_ user: UserID, at now: Instant, into effects: inout [Effect]) {
        let time = configuration.earlyReportsKept
        guard time > .zero, let early = earlyReports.take(user, at: now, within: time) else { return }
        if let goodUntil = early.goodUntil, goodUntil <= now { return }
        learn(early.presence, of: user, goodUntil: early.goodUntil, at: now, into: &effects)
    }

    mutating func renew(_ user: UserID, goodUntil: Instant, into effects: inout [Effect]) {
        guard let number = number(of: user), !users[number].isLocal, let presence = remotes[number]?.presence,
            let before = remotes[number]?.goodUntil, before < goodUntil
        else { return }
        remotes[number]?.goodUntil = goodUntil
        deadlines.set(number, to: goodUntil)
        effects.append(.save(.remote(user, StoredRemote(presence: presence, goodUntil: goodUntil))))
    }

    mutating func lapse(
        _ number: Int, _ reason: UnknownReason, at now: Instant, into effects: inout [Effect]
    ) {
        guard !users[number].isLocal, let before = remotes[number]?.presence else { return }
        remotes[number]?.presence = nil
        remotes[number]?.unknown = (reason, now)
        remotes[number]?.goodUntil = nil
        deadlines.set(number, to: nil)
        effects.append(.save(.remote(profiles[number].id, StoredRemote(presence: before, goodUntil: now))))
        noteChange(number, into: &effects)
    }

    /// On somebody's list, or in a room.
    func isNeeded(_ number: Int) -> Bool {
        guard let related = relations[number] else { return false }
        return related.listed > 0 || !related.rooms.isEmpty
    }

    /// What was known of another server's user goes with the last who could have seen it.
    mutating func forgetIfUnneeded(_ number: Int, into effects: inout [Effect]) {
        guard let remote = remotes[number], !isNeeded(number) else { return }
        guard remote.presence != nil || remote.unknown != nil else { return }
        remotes[number]?.presence = nil
        remotes[number]?.unknown = nil
        remotes[number]?.goodUntil = nil
        deadlines.set(number, to: nil)
        effects.append(.save(.remoteRemoved(profiles[number].id)))
    }
}
