import PresenceModel

// What other servers say and ask. Design: section 4, rules 1 and 8.
extension FederationEngine {
    /// A transaction taken before is answered alike and changes nothing.
    mutating func take(
        _ transaction: String, _ messages: [PresenceMessage], _ permissions: [PermissionMessage],
        from origin: ServerName, at now: Instant, into effects: inout [Effect]
    ) {
        guard origin != server else { return }
        let number = internPeer(origin)
        let isRepeated = peers[number].recent.contains(transaction)
        guard !isRepeated || configuration.canary == .acceptsOlderVersion else {
            tally.transactionsRepeated += 1
            return
        }
        if peers[number].recent.count >= configuration.transactionsRemembered { peers[number].recent.removeFirst() }
        peers[number].recent.append(transaction)
        tally.transactionsReceived += 1
        // Only what is new is a sign of life: two servers whose answers get lost would drive each other in circles.
        revive(number, at: now)
        for permission in permissions { receive(permission, from: origin, into: &effects) }
        let latest = FederationEngine.latestReports(in: messages)
        for (place, message) in messages.enumerated() {
            receive(message, number, at: now, into: &effects) { user, index in
                latest.map { $0[user] == ReportPlace(message: place, report: index) } ?? true
            }
        }
    }

    /// Where in a transaction a report stands.
    private struct ReportPlace: Equatable {
        var message: Int
        var report: Int
    }

    /// What is said of each user last: a transaction that says a thousand things of one user says one. `nil` for the
    /// usual transaction, which is too small for it to matter.
    private static func latestReports(in messages: [PresenceMessage]) -> [UserID: ReportPlace]? {
        guard messages.reduce(0, { $0 + $1.push.count }) > 64 else { return nil }
        var latest: [UserID: ReportPlace] = [:]
        for (place, message) in messages.enumerated() {
            for (index, report) in message.push.enumerated() {
                latest[report.user] = ReportPlace(message: place, report: index)
            }
        }
        return latest
    }

    private mutating func receive(
        _ message: PresenceMessage, _ number: Int, at now: Instant, into effects: inout [Effect],
        isLatest: (UserID, Int) -> Bool
    ) {
        let origin = peers[number].name
        if !message.isEmpty { tally.messagesReceived += 1 }
        learnDialect(of: message, number, into: &effects)
        takeReports(in: message, from: origin, number, at: now, into: &effects, isLatest: isLatest)
        for user in message.unpoll { release(user, from: number, into: &effects) }
        for user in message.watch where isVisible(user, to: origin) {
            promise(user, to: number, at: now, into: &effects)
            note(user, for: number, at: now)
        }
        for user in message.poll where countPoll(user, origin) {
            promise(user, to: number, at: now, into: &effects)
            owe(user, to: number)
        }
        for user in message.query where countPoll(user, origin) { owe(user, to: number) }
        rearm(number, at: now)
    }

    private mutating func takeReports(
        in message: PresenceMessage, from origin: ServerName, _ number: Int, at now: Instant,
        into effects: inout [Effect], isLatest: (UserID, Int) -> Bool
    ) {
        let spoken = message.promise.map { min($0, configuration.promiseLimit) }
        let implied = peers[number].dialect == .capable ? configuration.promise : configuration.impliedPromise
        let until = now + (spoken ?? implied)
        for (index, report) in message.push.enumerated() {
            guard report.user.isHosted(by: origin) else {
                tally.foreignStatesDropped += 1
                continue
            }
            tally.statesReceived += 1
            guard isLatest(report.user, index) else { continue }
            // A legacy server says offline once and never refreshes it: nothing to wait for.
            let isForGood = peers[number].dialect != .capable && report.presence.state == .offline
            effects.append(
                .remoteReported(report.user, report.presence, goodUntil: isForGood ? nil : until))
            noteAnswer(from: report.user, until: until, at: now, into: &effects)
        }
    }

    private mutating func learnDialect(
        of message: PresenceMessage, _ number: Int, into effects: inout [Effect]
    ) {
        let heard: Dialect = message.speaksExtension ? .capable : .legacy
        // Once capable, always: a server that mixes has an old worker, not an old mind.
        guard peers[number].dialect != heard, peers[number].dialect != .capable else { return }
        peers[number].dialect = heard
        effects.append(.save(.peer(peers[number].name, heard)))
    }

    /// A user who may not be seen and one who does not exist look the same from outside: no word of either.
    private mutating func countPoll(_ user: UserID, _ origin: ServerName) -> Bool {
        tally.pollsReceived += 1
        guard isVisible(user, to: origin) else {
            tally.pollsUnanswered += 1
            return false
        }
        return true
    }

    private func isVisible(_ user: UserID, to origin: ServerName) -> Bool {
        locals[user]?.audience.contains(origin) ?? false
    }

    private mutating func owe(_ user: UserID, to number: Int) {
        peers[number].owed.insert(user)
        peers[number].isUrgent = true
    }

    /// The other side is to be told unless it was told last what holds now.
    mutating func note(_ user: UserID, for number: Int, at now: Instant) {
        guard let local = locals[user], peers[number].said[user] != Peer.Said(local.presence) else { return }
        peers[number].dirty.insert(user)
        openWindow(number, at: now)
    }
}
