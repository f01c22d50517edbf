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
        defer { rearm(number, at: now) }
        noteLife(number, at: now, into: &effects)
        let isRepeated = peers[number].recent.contains(transaction)
        guard !isRepeated || configuration.canary == .acceptsOlderVersion else {
            tally.transactionsRepeated += 1
            return
        }
        if peers[number].recent.count >= configuration.transactionsRemembered { peers[number].recent.removeFirst() }
        peers[number].recent.append(transaction)
        tally.transactionsReceived += 1
        peers[number].counts.transactionsReceived += 1
        // Only what is new ends a wait: two servers whose answers get lost would drive each other in circles.
        revive(number)
        for permission in permissions { receive(permission, from: origin, into: &effects) }
        let latest = FederationEngine.latestReports(in: messages)
        for (place, message) in messages.enumerated() {
            receive(message, number, at: now, into: &effects) { user, index in
                latest.map { $0[user] == ReportPlace(message: place, report: index) } ?? true
            }
        }
        takeReminder(of: messages, number, at: now, into: &effects)
    }

    /// Compared once everything else is taken in.
    private mutating func takeReminder(
        of messages: [PresenceMessage], _ number: Int, at now: Instant, into effects: inout [Effect]
    ) {
        guard let place = messages.lastIndex(where: { $0.reminder != nil }), let reminder = messages[place].reminder
        else { return }
        // Liveness may be news of this very transaction.
        reviewWatch(number, at: now)
        let named = reminder.isComplete ? Set(messages.flatMap { $0.poll + $0.watch }) : []
        take(
            reminder, naming: named, promise: spokenPromise(of: messages[place], number), number, at: now,
            into: &effects)
    }

    private func spokenPromise(of message: PresenceMessage, _ number: Int) -> Duration {
        let implied = peers[number].dialect == .capable ? configuration.promise : configuration.impliedPromise
        return message.promise.map { min($0, configuration.promiseLimit) } ?? implied
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
    }

    private mutating func takeReports(
        in message: PresenceMessage, from origin: ServerName, _ number: Int, at now: Instant,
        into effects: inout [Effect], isLatest: (UserID, Int) -> Bool
    ) {
        let until = now + spokenPromise(of: message, number)
        for (index, report) in message.push.enumerated() {
            guard report.user.isHosted(by: origin) else {
                tally.foreignStatesDropped += 1
                continue
            }
            tally.statesReceived += 1
            peers[number].counts.statesReceived += 1
            guard isLatest(report.user, index), isWelcome(report.user, number, at: now, into: &effects) else {
                continue
            }
            // A legacy server says offline once and never refreshes it: nothing to wait for.
            let isForGood = peers[number].dialect != .capable && report.presence.state == .offline
            effects.append(
                .remoteReported(report.user, report.presence, goodUntil: isForGood ? nil : until))
            noteAnswer(from: report.user, until: until, at: now, into: &effects)
            noteHeld(report)
        }
    }

    /// A server that takes part tells of whom it was asked, and of whom it thinks that we might: we say so if not.
    private mutating func isWelcome(
        _ user: UserID, _ number: Int, at now: Instant, into effects: inout [Effect]
    ) -> Bool {
        guard peers[number].dialect == .capable else { return true }
        if let place = interestNumbers[user] {
            guard peers[number].leaving.contains(user) else { return true }
            // To wait longer would cost the other side more than it saves here.
            letGo(place, into: &effects)
        }
        tally.unwantedStates += 1
        if peers[number].toUnpoll.count < configuration.unpollsPerServer {
            peers[number].toUnpoll.insert(user)
            openWindow(number, at: now)
        }
        return false
    }

    private mutating func noteHeld(_ report: PresenceMessage.Report) {
        guard let place = interestNumbers[report.user] else { return }
        let text = configuration.canary == .digestLacksText ? nil : report.presence.statusText
        interests[place].held = StableHash.of(report.user, report.presence.state, text)
    }

    private mutating func learnDialect(
        of message: PresenceMessage, _ number: Int, into effects: inout [Effect]
    ) {
        let heard: Dialect = message.speaksExtension ? .capable : .legacy
        // Once capable, always: a server that mixes has an old worker, not an old mind.
        guard peers[number].dialect != heard, peers[number].dialect != .capable else { return }
        peers[number].dialect = heard
        switch heard {
        // It forgets nothing.
        case .capable: peers[number].refreshDue = nil
        // It does not know what to make of them.
        default:
            peers[number].toPoll.removeAll()
            peers[number].toUnpoll.removeAll()
            peers[number].closeEmptyWindow()
        }
        remember(number, into: &effects)
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

    func isVisible(_ user: UserID, to origin: ServerName) -> Bool {
        locals[user]?.audience.contains(origin) ?? false
    }

    private mutating func owe(_ user: UserID, to number: Int) {
        peers[number].owed.insert(user)
        peers[number].isUrgent = true
    }
}
