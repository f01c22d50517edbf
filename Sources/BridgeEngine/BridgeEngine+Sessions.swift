import PresenceModel
import SocialEngine

// Sessions on the social side, one for each member; how they travel is the shell's business.
extension BridgeEngine {
    mutating func sessionOpened(_ address: SocialAddress, at now: Instant, into effects: inout [Effect]) {
        guard let number = numbers[address], var member = members[number] else { return }
        member.isOpen = true
        member.lostAt = nil
        // Not at once: with everybody coming back at one moment, each beats in their turn.
        member.wantsPrompt = false
        if member.isBeating { member.nextBeat = slot(of: number, after: now) }
        member.rereadAt = now + spreadWait(of: number)
        member.readingAsked = now
        members[number] = member
        reviewBeats(number, at: now, into: &effects)
        reviewSession(number, at: now, into: &effects)
    }

    mutating func sessionLost(_ address: SocialAddress, at now: Instant, into effects: inout [Effect]) {
        guard let number = numbers[address], var member = members[number], member.isOpen else { return }
        member.isOpen = false
        member.lostAt = now
        member.hasReadFriendships = false
        member.isFresh = false
        members[number] = member
        beatDeadlines.set(number, to: nil)
        reviewBeats(number, at: now, into: &effects)
        handOverPairs(of: number, at: now, into: &effects)
        reviewSession(number, at: now, into: &effects)
    }

    /// Votes that are too old, and readings that are due.
    mutating func reviewSession(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        guard let member = members[number] else { return }
        if let lostAt = member.lostAt {
            memberDeadlines.set(number, to: nil)
            guard !member.hasLapsed, configuration.canary != .lossIsForgotten else { return }
            let lapse = lostAt + configuration.unknownAfter
            guard lapse <= now else {
                memberDeadlines.set(number, to: lapse)
                return
            }
            members[number]?.hasLapsed = true
            for seen in member.sees {
                figures[seen].voters.removeRising(number)
                if figures[seen].voters.isEmpty { figures[seen].isUnknown = true }
                reviewShowing(seen, at: now, into: &effects)
            }
        } else if let due = member.rereadAt {
            if due <= now {
                members[number]?.rereadAt = now + configuration.rereadEvery
                askReading(number, at: now, into: &effects)
            }
            memberDeadlines.set(number, to: members[number]?.rereadAt)
        }
    }

    /// Asks for friendships, unless they were asked for a moment ago.
    mutating func askReading(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        guard let member = members[number], member.isOpen else { return }
        if let asked = member.readingAsked, asked + configuration.orderRetryFirst > now { return }
        members[number]?.readingAsked = now
        effects.append(.readFriendships(addresses[number]))
    }

    private func spreadWait(of number: Int) -> Duration {
        let every = configuration.rereadEvery.inMilliseconds
        return .milliseconds(every / 2 + Int64(BridgeEngine.spread(addresses[number]) % UInt64(every)))
    }

    // MARK: Sightings

    /// - Parameter isSnapshot: all friends who are not offline; of who is missing it says that they are.
    mutating func take(
        _ sightings: [FriendSighting], isSnapshot: Bool, seenBy observer: SocialAddress, at now: Instant,
        into effects: inout [Effect]
    ) {
        guard let watcher = numbers[observer], members[watcher]?.isOpen ?? false else { return }
        tally.sightings += sightings.count
        var touched: [Int] = []
        if isSnapshot {
            touched = friendsKnown(to: watcher)
            let present = Set(sightings.lazy.filter { $0.state != .offline }.map(\.friend))
            for number in touched where configuration.canary != .snapshotOnlyAdds {
                if !present.contains(addresses[number]) { vote(watcher, against: number) }
            }
            members[watcher]?.hasLapsed = false
            members[watcher]?.isFresh = true
        }
        for sighting in sightings where sighting.friend != observer {
            if sighting.state == .offline {
                guard let number = numbers[sighting.friend] else { continue }
                vote(watcher, against: number)
                touched.append(number)
            } else {
                let number = intern(sighting.friend)
                heed(sighting, of: number, isSnapshot: isSnapshot, at: now)
                vote(watcher, for: number, sighting, at: now)
                touched.append(number)
            }
        }
        for number in touched {
            reviewShowing(number, at: now, into: &effects)
            releaseIfUnneeded(number)
        }
    }

    /// Whom a snapshot for the member speaks of: those seen before, and friends who were shown before a restart.
    private func friendsKnown(to watcher: Int) -> [Int] {
        var known = members[watcher]?.sees ?? []
        for pair in figures[watcher].pairs { known.insertRising(pairs[pair].other(than: watcher)) }
        return known
    }

    private mutating func vote(_ watcher: Int, for number: Int, _ sighting: FriendSighting, at now: Instant) {
        figures[number].seenAt = now
        figures[number].voters.insertRising(watcher)
        members[watcher]?.sees.insertRising(number)
        figures[number].state = sighting.state
        figures[number].whereabouts = sighting.whereabouts
        figures[number].isUnknown = false
        figures[number].unknownAt = nil
    }

    mutating func vote(_ watcher: Int, against number: Int) {
        figures[number].voters.removeRising(watcher)
        members[watcher]?.sees.removeRising(number)
        if figures[number].voters.isEmpty {
            figures[number].isUnknown = false
            figures[number].unknownAt = nil
        }
    }

    /// What a sighting of a member says about others than the bridge: it alone knows what it sent itself.
    private mutating func heed(_ sighting: FriendSighting, of number: Int, isSnapshot: Bool, at now: Instant) {
        guard var member = members[number] else { return }
        let figure = figures[number]
        if configuration.canary == .believesItsEcho { member.provenUntil = now + configuration.socialTimeout }
        if let whereabouts = sighting.whereabouts {
            let isSent = figure.sent.end(of: whereabouts, at: now) != nil && mayBeEcho(number, at: now)
            if !isSent {
                let isMove = !isSnapshot && isSeen(number) && figure.whereabouts != whereabouts
                let isNews = member.reported?.whereabouts != whereabouts
                // The social side may also repeat what it was told before the bridge was there; of a move, it does not.
                if isMove, isNews { member.provenUntil = now + configuration.socialTimeout }
                member.reported = (whereabouts, now)
            } else {
                tally.echoesSuppressed += 1
            }
        } else if mayBeEcho(number, at: now) {
            tally.echoesSuppressed += 1
        }
        members[number] = member
    }

    /// Whether the session of any friend says that somebody is there.
    func isSeen(_ number: Int) -> Bool { figures[number].voters.contains { isFriend(number, to: $0) } }

    /// The bridge's own heartbeats may still hold somebody online.
    func mayBeEcho(_ number: Int, at now: Instant) -> Bool { echoEnd(of: number).map { $0 > now } ?? false }

    func echoEnd(of number: Int) -> Instant? { figures[number].lastBeat.map { $0 + configuration.echoWindow } }

    /// Somebody else than the bridge holds them online, as far as can be told.
    func isOnlineByOthers(_ number: Int, at now: Instant) -> Bool {
        guard isSeen(number) else { return false }
        if configuration.canary == .believesItsEcho { return true }
        if let proven = members[number]?.provenUntil, proven > now { return true }
        if mayBeEcho(number, at: now) { return false }
        guard figures[number].lastBeat != nil else { return true }
        // Of a session that was lost, the last word may be about the bridge's own heartbeats: then it is not news.
        if figures[number].voters.contains(where: { members[$0]?.isFresh == true && isFriend(number, to: $0) }) {
            return true
        }
        if case .visible? = figures[number].shown?.showing { return true }
        return false
    }

    /// When ``isOnlineByOthers(_:at:)`` may change by time alone.
    func nextDoubt(about number: Int, at now: Instant) -> Instant? {
        if isSeen(number), let proven = members[number]?.provenUntil, proven > now { return proven }
        guard members[number] == nil || isSeen(number), let end = echoEnd(of: number), end > now else { return nil }
        return end
    }
}
