import PresenceModel
import SocialEngine

// After a restart: who is who, what was said in whose name, what stands in Matrix, and what was agreed.
extension BridgeEngine {
    mutating func restore(_ records: [Record], at now: Instant, into effects: inout [Effect]) {
        precondition(addresses.isEmpty && people.isEmpty && links.isEmpty, "restored into an engine in use")
        var users: Set<UserID> = []
        for case .person(let user, let person) in records where person != PersonMemory() {
            people[user] = person
            users.insert(user)
        }
        for case .link(let link, let sources) in records where !sources.isEmpty {
            links[link.user] = TableLink(address: link.address, sources: sources)
            linkedUsers[link.address] = link.user
            users.insert(link.user)
        }
        for case .ghost(let address) in records {
            figures[intern(address)].ghost = .made
            ghostCount += 1
        }
        for user in users.sorted() { settle(user, forgets: false, at: now, into: &effects) }
        for case .pair(let first, let second, let memory?) in records where first < second {
            restore(memory, first, second, into: &effects)
        }
        for case .beats(let address, let memory) in records where configuration.canary != .forgetsWhatItSent {
            restore(memory, address, at: now)
        }
        for case .shown(let address, let shown?) in records { restore(shown, address, at: now, into: &effects) }
        for number in members.indices { reviewSession(number, at: now, into: &effects) }
        // Of ghosts that were made, those that stand for nobody now; their rows stay.
        for case .ghost(let address) in records {
            if let number = numbers[address] { releaseIfUnneeded(number) }
        }
    }

    private mutating func restore(
        _ memory: PairMemory, _ first: SocialAddress, _ second: SocialAddress, into effects: inout [Effect]
    ) {
        guard let index = openPair(intern(first), intern(second)) else { return }
        let users = pairs[index].users
        pairs[index].users = [memory.firstUser, memory.secondUser]
        pairs[index].aim = memory.aim
        pairs[index].countedMatrix = memory.matrix
        pairs[index].countedSocial = memory.social
        pairs[index].kept = memory
        stand(users, index, into: &effects)
    }

    /// What was sent up to the fall may still come back.
    private mutating func restore(_ memory: BeatMemory, _ address: SocialAddress, at now: Instant) {
        let lastBeat = memory.isBeating ? now : min(memory.lastBeat, now)
        let end = lastBeat + configuration.echoWindow
        guard end > now || numbers[address] != nil else { return }
        let number = intern(address)
        if end > now {
            figures[number].lastBeat = lastBeat
            for whereabouts in memory.sent { _ = figures[number].sent.note(whereabouts, until: end) }
            figureDeadlines.set(number, to: end)
        }
        guard var member = members[number] else { return }
        member.kept = memory
        if let reported = memory.reported { member.reported = (reported, memory.lastBeat) }
        member.isBeating = memory.isBeating
        if memory.isBeating { member.nextBeat = slot(of: number, after: now) }
        members[number] = member
    }

    private mutating func restore(
        _ shown: ShownMemory, _ address: SocialAddress, at now: Instant, into effects: inout [Effect]
    ) {
        let number = intern(address)
        let isWorld = members[number]?.user == shown.user
        let isGhost = members[number] == nil && ghosts.user(for: address) == shown.user
        guard isWorld || isGhost else {
            // Somebody else stands for them now.
            effects.append(.save(.shown(address, nil)))
            let guise: Guise = ghosts.address(of: shown.user) == nil ? .world : .ghost
            effects.append(.present(shown.user, .offline, as: guise))
            return releaseIfUnneeded(number)
        }
        figures[number].shown = shown
        figures[number].isUncertain = true
        if let before = shown.before {
            _ = figures[number].past.note(before, until: now + configuration.echoWindow)
        }
        figures[number].unknownAt = now + configuration.unknownAfter
        figureDeadlines.set(number, to: min(figures[number].unknownAt ?? now, echoEnd(of: number) ?? .distantFuture))
    }
}
