import PresenceModel
import SocialEngine

// Matrix → social: heartbeats of whoever is visible in Matrix by devices of their own.
extension BridgeEngine {
    mutating func take(_ view: MatrixView, of user: UserID, at now: Instant, into effects: inout [Effect]) {
        guard let number = memberNumbers[user] else { return }
        members[number]?.view = view
        reviewBeats(number, at: now, into: &effects)
    }

    /// Compares what is to be said in the name of a member with what is being said, and says what is due.
    mutating func reviewBeats(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        guard var member = members[number] else { return }
        let (wish, review) = wish(of: number, at: now)
        guard let wish else {
            stopBeating(number, at: now, into: &effects)
            beatDeadlines.set(number, to: review)
            return
        }
        if !member.isBeating {
            member.isBeating = true
            member.wantsPrompt = true
            member.nextBeat = slot(of: number, after: now)
        } else if let before = member.wish, before != wish {
            member.wantsPrompt = true
        }
        member.wish = wish
        members[number] = member
        guard member.isOpen else {
            beatDeadlines.set(number, to: review)
            return
        }
        if let due = member.nextBeat, due <= now {
            let next = slot(of: number, after: now)
            members[number]?.nextBeat = next
            beat(number, wish, at: now, into: &effects)
        } else if member.wantsPrompt, promptPauseEnd(of: member) <= now, takePrompt(at: now) {
            members[number]?.lastPrompt = now
            tally.promptHeartbeats += 1
            beat(number, wish, at: now, into: &effects)
        }
        scheduleBeat(number, review, at: now)
    }

    private mutating func scheduleBeat(_ number: Int, _ review: Instant?, at now: Instant) {
        guard let member = members[number] else { return }
        var deadlines = [member.nextBeat, review].compactMap(\.self)
        // With too many at once in this second, the change waits for the regular heartbeat.
        if member.wantsPrompt, promptPauseEnd(of: member) > now { deadlines.append(promptPauseEnd(of: member)) }
        beatDeadlines.set(number, to: deadlines.min())
    }

    private func promptPauseEnd(of member: Member) -> Instant {
        (member.lastPrompt ?? .epoch) + configuration.promptPause
    }

    private mutating func takePrompt(at now: Instant) -> Bool {
        let second = now.millisecondsSinceEpoch / 1000
        if second != promptSecond { (promptSecond, promptsInSecond) = (second, 0) }
        guard promptsInSecond < configuration.promptsPerSecond else { return false }
        promptsInSecond += 1
        return true
    }

    /// The next moment in the interval that is this member's: the same over restarts, another for each.
    func slot(of number: Int, after now: Instant) -> Instant {
        let interval = configuration.heartbeatEvery.inMilliseconds
        let phase = Int64(BridgeEngine.spread(addresses[number]) % UInt64(interval))
        guard configuration.canary != .beatsTogether else {
            return Instant(millisecondsSinceEpoch: (now.millisecondsSinceEpoch / interval + 1) * interval)
        }
        let passed = (now.millisecondsSinceEpoch - phase) % interval
        return now.advanced(byMilliseconds: interval - passed)
    }

    /// What is to be said of a member; `nil`: nothing. And when time alone may change that.
    private func wish(of number: Int, at now: Instant) -> (Wish?, review: Instant?) {
        guard let member = members[number], privacy(of: member.user) != .hidden else { return (nil, nil) }
        guard case .visible(let state, let text, let source) = member.view else {
            let leaks = configuration.canary == .hiddenBeats && member.view == .hidden
            return (leaks ? Wish(state: .online, whereabouts: nil) : nil, nil)
        }
        guard state != .offline else { return (nil, nil) }
        let figure = figures[number]
        switch source {
        case .devices: break
        case .worldAlone:
            guard configuration.canary == .heedsItsDevice else { return (nil, nil) }
        case .untold:
            let showing = Showing.visible(state, statusText: text)
            if figure.shown?.showing == showing { return (nil, nil) }
            if let end = figure.past.end(of: showing, at: now) { return (nil, end) }
        }
        var wish = Wish(state: state == .unavailable ? .away : .online, whereabouts: nil)
        if let text, !isOwnText(text, figure, at: now) { wish.whereabouts = WhereaboutsText.parse(text) }
        return (wish, nil)
    }

    /// Whether the bridge put that text there itself, or did lately.
    private func isOwnText(_ text: String, _ figure: Figure, at now: Instant) -> Bool {
        if case .visible(_, text)? = figure.shown?.showing { return true }
        return figure.past.values.contains { past in
            if case .visible(_, text) = past { figure.past.end(of: past, at: now) != nil } else { false }
        }
    }

    private mutating func beat(_ number: Int, _ wish: Wish, at now: Instant, into effects: inout [Effect]) {
        guard var member = members[number] else { return }
        // Whom others hold online now may stay so for as long as the social side waits, whatever the bridge says.
        if isOnlineByOthers(number, at: now), !mayBeEcho(number, at: now) {
            member.provenUntil = now + configuration.socialTimeout
        }
        let whereabouts = whereaboutsToSend(member, wish, at: now)
        var memory = BeatMemory(isBeating: true, lastBeat: now, sent: [], reported: member.reported?.whereabouts)
        if let whereabouts { _ = figures[number].sent.note(whereabouts, until: now + configuration.echoWindow) }
        memory.sent = figures[number].sent.values
        figures[number].lastBeat = now
        member.wantsPrompt = false
        member.hasBeaten = true
        keep(&member, memory, of: number, into: &effects)
        members[number] = member
        tally.heartbeats += 1
        effects.append(.heartbeat(addresses[number], whereabouts, wish.state))
        reviewShowing(number, at: now, into: &effects)
    }

    /// Where the user is in the world themself, the social side knows better where: repeating it could only be late.
    private func whereaboutsToSend(_ member: Member, _ wish: Wish, at now: Instant) -> Whereabouts? {
        guard privacy(of: member.user) == .full || configuration.canary == .ignoresPrivacy else { return nil }
        if let proven = member.provenUntil, proven > now { return nil }
        if let reported = member.reported, reported.at + configuration.reportedWhereaboutsLast > now {
            return reported.whereabouts
        }
        return wish.whereabouts
    }

    /// Writes what changed in what must survive; the time of the last heartbeat alone is no change.
    private func keep(_ member: inout Member, _ memory: BeatMemory, of number: Int, into effects: inout [Effect]) {
        var stamped = memory
        if let kept = member.kept, kept.isBeating, memory.isBeating { stamped.lastBeat = kept.lastBeat }
        guard stamped != member.kept else { return }
        member.kept = stamped
        effects.append(.save(.beats(addresses[number], stamped)))
    }

    mutating func stopBeating(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        guard var member = members[number], member.isBeating else { return }
        member.isBeating = false
        member.wantsPrompt = false
        member.wish = nil
        member.nextBeat = nil
        if let lastBeat = figures[number].lastBeat {
            let memory = BeatMemory(
                isBeating: false, lastBeat: lastBeat, sent: figures[number].sent.values,
                reported: member.reported?.whereabouts)
            keep(&member, memory, of: number, into: &effects)
        }
        members[number] = member
        beatDeadlines.set(number, to: nil)
        // After a restart nothing may be known yet of who is there: the social side's patience is longer than that.
        if member.view != .unknown || member.hasBeaten { effects.append(.stop(addresses[number])) }
        reviewShowing(number, at: now, into: &effects)
    }
}
