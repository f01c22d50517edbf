import PresenceModel

// What others see of a local user, and who is told that it changed. Design: section 3, published state.
extension PresenceEngine {
    /// Derives anew what observers see of a local user, tells of it if it differs, and sets the next look.
    ///
    /// - Returns: whether the user was saved.
    @discardableResult
    mutating func refresh(
        _ number: Int, at now: Instant, occasion: Occasion? = nil, into effects: inout [Effect]
    ) -> Bool {
        if users[number].hasTimers { endWhatIsOver(of: number, at: now, into: &effects) }
        let outcome = users[number].derive(at: now, limits)
        deadlines.set(number, to: users[number].hasTimers ? earliest(outcome.nextLook, number) : outcome.nextLook)
        if users[number].isAttentive != users[number].collectsArrivals { updateArrivals(of: number) }
        let before = users[number].state
        var (differs, differsElsewhere) = (false, false)
        let isStale = users[number].isStale
        if outcome.state != before || isStale || outcome.leadChanged {
            (differs, differsElsewhere) = show(outcome.state, of: number)
        }
        if configuration.tellsLocalViews { noteView(of: number, isTextNew: isStale, into: &effects) }
        if differs { noteChange(number, into: &effects) }
        if differsElsewhere || occasion != nil, hasAudience(number) {
            let told = occasion ?? (before == .offline && outcome.state != .offline ? .appeared : .changed)
            effects.append(.localPublished(profiles[number].id, presence(of: number), told))
        }
        // Who came or went unseen, being hidden or busy, is saved too: a restart holds who was connected. And who is
        // active for long, now and then.
        guard differs || (occasion == nil && (outcome.cameOrWent || isWorthSaving(number))) else { return false }
        save(number, into: &effects)
        return true
    }

    /// Whether observers see a difference: those of this server, and those of others, to whom unknown is offline.
    private mutating func show(_ state: PublishedState, of number: Int) -> (here: Bool, elsewhere: Bool) {
        let wasOffline = users[number].state == .offline
        users[number].isStale = false
        // Whoever hides while offline to others must not be noticed: what they saw stays.
        let isFrozen = users[number].effective == .hidden && wasOffline
        let text: String? =
            isFrozen
            ? profiles[number].shownText : users[number].effective == .hidden ? nil : visibleText(of: number)
        let type = state == .offline ? nil : users[number].devices.first { $0.isLeading }?.type
        let isLost = isLost(number, state)
        let differs =
            state != users[number].state || text != profiles[number].shownText || type != profiles[number].shownType
        let differsHere = differs || isLost != (users[number].loss == .shown)
        if users[number].loss != .none {
            users[number].loss = isLost ? .shown : losses[number] == nil ? .none : .noted
        }
        if state == .offline, !wasOffline { users[number].shownLastActive = users[number].lastActive }
        users[number].state = state
        profiles[number].shownText = text
        profiles[number].shownType = type
        return (differsHere, differs)
    }

    /// What observers see of a local user at this moment.
    func presence(of number: Int) -> Presence {
        let user = users[number]
        var active = user.state == .offline ? user.shownLastActive : user.lastActive
        if configuration.canary == .hiddenLeaksActivity, user.effective == .hidden { active = user.lastActive }
        return Presence(
            state: user.state, statusText: profiles[number].shownText, lastActive: active == .epoch ? nil : active,
            deviceType: profiles[number].shownType)
    }

    /// A change that observers see: a new version, and a wake for every stream of theirs.
    mutating func noteChange(_ number: Int, into effects: inout [Effect]) {
        version += 1
        versions[number] = version
        wakeStreams(of: number, into: &effects)
        guard users[number].hasRelations, let related = relations[number] else { return }
        stamp &+= 1
        marks[number] = stamp
        for watcher in related.watchers { wakeObserver(watcher, into: &effects) }
        let blocksSomeone = related.consents.contains { $0.stored.state == .blocked }
        for room in related.rooms where !rooms[room].isExcluded {
            rooms[room].version = version
            for member in rooms[room].locals where marks[member] != stamp {
                if blocksSomeone, isBlocked(member, by: number) { continue }
                wakeObserver(member, into: &effects)
            }
        }
    }

    private mutating func wakeObserver(_ observer: Int, into effects: inout [Effect]) {
        guard marks[observer] != stamp else { return }
        marks[observer] = stamp
        wakeStreams(of: observer, into: &effects)
    }

    /// Something that only the user's own clients are told.
    mutating func noteOwnChange(_ number: Int, into effects: inout [Effect]) {
        profiles[number].revision += 1
        wakeStreams(of: number, into: &effects)
    }

    private func isWorthSaving(_ number: Int) -> Bool {
        let user = users[number]
        if user.lastActive.milliseconds(since: user.savedActive) >= limits.activitySavedEvery { return true }
        guard user.effective == .busy, !user.devices.isEmpty else { return false }
        return user.lastSeen.milliseconds(since: user.savedSeen) >= limits.activitySavedEvery
    }

    mutating func save(_ number: Int, into effects: inout [Effect]) {
        users[number].savedActive = users[number].lastActive
        users[number].savedSeen = users[number].lastSeen
        effects.append(.save(.status(profiles[number].id, stored(number))))
    }

    private func stored(_ number: Int) -> StoredStatus {
        func known(_ instant: Instant) -> Instant? { instant == .epoch ? nil : instant }
        let user = users[number]
        let profile = profiles[number]
        let shown = user.state == .offline ? user.shownLastActive : user.lastActive
        return StoredStatus(
            chosen: profile.chosen, statusText: profile.statusText, override: overrides[number],
            lastActive: known(user.lastActive), lastSeen: known(user.lastSeen), isConnected: !user.devices.isEmpty,
            isIdle: !user.devices.isEmpty && user.isIdle, shownText: profile.shownText, shownLastActive: known(shown))
    }

    // MARK: What ends by itself

    private mutating func endWhatIsOver(of number: Int, at now: Instant, into effects: inout [Effect]) {
        if let until = overrides[number]?.until, until <= now {
            overrides[number] = nil
            applyChoice(of: number, into: &effects)
            save(number, into: &effects)
        }
        if let until = interests[number]?.until, until <= now {
            interests[number] = nil
            recountInterest(of: number, into: &effects)
        }
        users[number].hasTimers = overrides[number]?.until != nil || interests[number] != nil
    }

    private func earliest(_ look: Instant?, _ number: Int) -> Instant? {
        [look, overrides[number]?.until, interests[number]?.until].compactMap(\.self).min()
    }
}
