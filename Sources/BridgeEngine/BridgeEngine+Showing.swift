import PresenceModel
import SocialEngine

/// Somebody is to be offline as a user whom they are not shown as any more; Matrix did not take it.
struct ShownLeftover: Sendable {
    var user: UserID
    var retryAt: Instant
}

// Social → Matrix: friends are shown as the device `world` of a linked user, or as a ghost.
extension BridgeEngine {
    /// Compares what is to be shown of somebody with what stands in Matrix, and mends it if it may be touched again.
    mutating func reviewShowing(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        let figure = figures[number]
        let wanted = showing(of: number, at: now)
        let stands = figure.shown?.showing ?? .offline
        var review = [nextDoubt(about: number, at: now), figure.unknownAt].compactMap(\.self).filter { $0 > now }
        defer { figureDeadlines.set(number, to: review.min()) }
        if case .waiting(let until, _) = figure.ghost, until > now { review.append(until) }
        let isConfirmed = !figure.isUncertain || (figure.unknownAt.map { $0 > now } ?? false)
        guard wanted != stands || !isConfirmed else {
            if stands == .offline { letGo(number, at: now, &review, into: &effects) }
            return
        }
        if let retryAt = figure.retryAt, retryAt > now {
            review.append(retryAt)
            return
        }
        if let shownAt = figure.shownAt, shownAt + configuration.showPause > now,
            configuration.canary != .forgetsToDamp
        {
            review.append(shownAt + configuration.showPause)
            return
        }
        guard let (user, guise) = place(of: number, at: now, into: &effects) else {
            if case .waiting(let until, _) = figures[number].ghost, until > now { review.append(until) }
            return
        }
        put(wanted, of: number, user, guise, at: now, into: &effects)
    }

    /// How somebody is to be shown.
    private func showing(of number: Int, at now: Instant) -> Showing {
        let figure = figures[number]
        if let member = members[number] {
            let privacy = privacy(of: member.user)
            if privacy == .hidden { return .offline }
            guard isSeen(number), isOnlineByOthers(number, at: now)
            else { return absence(of: figure, at: now) }
            return visible(figure, withText: privacy == .full)
        }
        guard isSeen(number), isOnlineByOthers(number, at: now) else { return absence(of: figure, at: now) }
        return visible(figure, withText: true)
    }

    /// Nobody says that they are there. Who was never shown is not unknown: there is nobody to be told.
    private func absence(of figure: Figure, at now: Instant) -> Showing {
        if let unknownAt = figure.unknownAt {
            if unknownAt > now { return figure.shown?.showing ?? .offline }
            return [nil, .offline].contains(figure.shown?.showing) ? .offline : .unknown
        }
        return figure.isUnknown && figure.voters.isEmpty && figure.shown != nil ? .unknown : .offline
    }

    private func visible(_ figure: Figure, withText: Bool) -> Showing {
        let state: PublishedState = figure.state == .away ? .unavailable : .online
        guard withText, let whereabouts = figure.whereabouts else { return .visible(state, statusText: nil) }
        return .visible(state, statusText: configuration.textForm.text(of: whereabouts))
    }

    private mutating func put(
        _ showing: Showing, of number: Int, _ user: UserID, _ guise: Guise, at now: Instant,
        into effects: inout [Effect]
    ) {
        if let before = figures[number].shown?.showing {
            _ = figures[number].past.note(before, until: now + configuration.echoWindow)
        }
        let shown = ShownMemory(user: user, showing: showing, before: figures[number].shown?.showing)
        figures[number].shown = shown
        figures[number].isUncertain = false
        figures[number].shownAt = now
        figures[number].retryAt = nil
        tally.presented += 1
        effects.append(.save(.shown(addresses[number], shown)))
        effects.append(.present(user, showing, as: guise))
    }

    /// Who is offline for a while needs no row: should the bridge fall, Matrix was told.
    private mutating func letGo(
        _ number: Int, at now: Instant, _ review: inout [Instant], into effects: inout [Effect]
    ) {
        guard figures[number].shown != nil else { return }
        let end = (figures[number].shownAt ?? .epoch) + configuration.shownOfflineKept
        guard end <= now else { return review.append(end) }
        figures[number].shown = nil
        effects.append(.save(.shown(addresses[number], nil)))
    }

    /// Nothing stands in Matrix of somebody any more, at once: they are about to be shown as somebody else.
    mutating func takeAway(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        guard let shown = figures[number].shown else { return }
        // The row stays as it is until something else stands there: it says what to take away again after a fall.
        figures[number].shown = ShownMemory(user: shown.user, showing: .offline)
        figures[number].isUncertain = false
        guard shown.showing != .offline else { return }
        _ = figures[number].past.note(shown.showing, until: now + configuration.echoWindow)
        figures[number].shownAt = now
        figureDeadlines.set(number, to: now)
        effects.append(.present(shown.user, .offline, as: members[number] == nil ? .ghost : .world))
    }

    mutating func presentFailed(_ user: UserID, at now: Instant, into effects: inout [Effect]) {
        tally.failures += 1
        let ghost = ghosts.address(of: user).flatMap { numbers[$0] }
        guard let number = memberNumbers[user] ?? ghost.flatMap({ members[$0] == nil ? $0 : nil }) else {
            // Nobody is shown as them any more.
            leftovers.removeAll { $0.user == user }
            leftovers.append(ShownLeftover(user: user, retryAt: now + configuration.showRetry))
            if leftovers.count > configuration.leftoversLimit { leftovers.removeFirst() }
            return
        }
        // What stands there now is not known; whatever it is to be is put again.
        let stands: Showing = showing(of: number, at: now) == .unknown ? .visible(.offline, statusText: nil) : .unknown
        figures[number].shown = ShownMemory(user: user, showing: stands)
        figures[number].retryAt = now + configuration.showRetry
        reviewShowing(number, at: now, into: &effects)
    }

    /// Takes away again what could not be taken away.
    mutating func reviewLeftovers(at now: Instant, into effects: inout [Effect]) {
        while let first = leftovers.first, first.retryAt <= now {
            leftovers.removeFirst()
            let ghost = ghosts.address(of: first.user)
            let isGhostInUse = ghost.flatMap { numbers[$0] }.map { members[$0] == nil } ?? false
            let isShown = memberNumbers[first.user] != nil || isGhostInUse
            guard !isShown else { continue }
            tidiedAt = tidiedAt.filter { $0.value + configuration.showPause > now }
            tidiedAt[first.user] = now
            effects.append(.present(first.user, .offline, as: ghost == nil ? .world : .ghost))
        }
    }

    // MARK: Ghosts

    /// Who stands for somebody in Matrix: a linked user, or a ghost once it is made.
    private mutating func place(
        of number: Int, at now: Instant, into effects: inout [Effect]
    ) -> (UserID, Guise)? {
        if let member = members[number] { return (member.user, .world) }
        guard isGhostReady(number, at: now, into: &effects), let ghost = ghosts.user(for: addresses[number]) else {
            return nil
        }
        return (ghost, .ghost)
    }

    /// Whether the ghost is made; orders it if not.
    mutating func isGhostReady(_ number: Int, at now: Instant, into effects: inout [Effect]) -> Bool {
        var failures = 0
        switch figures[number].ghost {
        case .made: return true
        case .making, .impossible: return false
        case .waiting(let until, let before):
            guard until <= now else { return false }
            failures = before
        case .none: break
        }
        guard let user = ghosts.user(for: addresses[number]), ghostCount < configuration.ghostsLimit else {
            figures[number].ghost = .impossible
            return false
        }
        if failures == 0 { ghostCount += 1 }
        figures[number].ghost = .making(failures: failures)
        effects.append(.makeGhost(user, for: addresses[number]))
        return false
    }

    mutating func ghostMade(_ address: SocialAddress, at now: Instant, into effects: inout [Effect]) {
        guard let number = numbers[address] else { return }
        switch figures[number].ghost {
        case .made, .none, .impossible: return
        case .making, .waiting: break
        }
        figures[number].ghost = .made
        effects.append(.save(.ghost(address)))
        reviewShowing(number, at: now, into: &effects)
        drivePairs(of: number, at: now, into: &effects)
    }

    mutating func ghostFailed(_ address: SocialAddress, at now: Instant, into effects: inout [Effect]) {
        guard let number = numbers[address], case .making(let failures) = figures[number].ghost else { return }
        tally.failures += 1
        let factor = Int64(1) << Int64(min(failures, 20))
        let wait = min(
            configuration.ghostRetryFirst.inMilliseconds * factor, configuration.ghostRetryLimit.inMilliseconds)
        figures[number].ghost = .waiting(until: now.advanced(byMilliseconds: wait), failures: failures + 1)
        reviewShowing(number, at: now, into: &effects)
        drivePairs(of: number, at: now, into: &effects)
    }
}
