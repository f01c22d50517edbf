import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime

// What is between the servers.
extension World {
    mutating func take(_ happening: Happening) {
        switch happening {
        case .arrival(let transaction, let sender, let receiver, let isAnswered, let isCopy):
            arrive(transaction, from: sender, at: receiver, isAnswered: isAnswered, isCopy: isCopy)
        case .outcome(let outcome, let transaction, let sender):
            conclude(transaction, outcome, at: sender)
        case .notice(let notice, let run):
            takeNotice(notice, at: run)
        case .roomsTold(let run):
            if sites[run.site].boot == run.boot { tellRooms(run) }
        case .reading(let client, let run):
            if sites[run.site].boot == run.boot { read(client) }
        case .reopening(let client):
            openStream(client)
        case .doom(let site):
            guard let holds = climate.serverHolds else { return }
            sites[site].isDoomed = sites[site].instance != nil
            agenda.plan(.doom(site: site), at: now + generator.about(holds))
        case .rise(let run):
            let isDue = sites[run.site].instance == nil && sites[run.site].boot == run.boot
            if isDue, !lostSites.contains(run.site) { start(run.site) }
        case .linkFails(let one, let other):
            guard climate.linkHolds != nil else { return }
            loseWays(between: one, other)
            agenda.plan(.linkHeals(one, other), at: now + generator.about(climate.linkFails))
        case .linkHeals(let one, let other):
            lostWays = lostWays.filter { Set([$0.from, $0.to]) != [one, other] }
            guard let holds = climate.linkHolds else { return }
            agenda.plan(.linkFails(one, other), at: now + generator.about(holds))
        case .legacyArrival(let transaction, let sender, let legacy, let isAnswered, let isCopy):
            arriveAtLegacy(transaction, from: sender, legacy, isAnswered: isAnswered, isCopy: isCopy)
        case .legacyPush(let push, let receiver): arrive(push, at: receiver)
        case .legacyTick(let legacy): tick(legacy)
        case .legacyAct(let legacy): actAtLegacy(legacy)
        }
    }

    /// Both ways, or only some of what passes between them.
    private mutating func loseWays(between one: Int, _ other: Int) {
        let (from, to) = generator.happens(500) ? (one, other) : (other, one)
        let there = LostWay(from: from, to: to, kind: .requests)
        let back = LostWay(from: to, to: from, kind: .requests)
        let answerThere = LostWay(from: to, to: from, kind: .answers)
        let answerBack = LostWay(from: from, to: to, kind: .answers)
        lostWays.formUnion(
            generator.pick([
                // Everything; everything that goes from one to the other; requests of one; answers to one.
                [there, back, answerThere, answerBack], [there, back, answerThere, answerBack],
                [there, answerThere], [there], [answerBack],
            ]))
    }

    /// Takes a transaction from a server, as the runtime does: what it promises is on disk before it leaves.
    mutating func dispatch(_ transaction: OutgoingTransaction, from site: Int) {
        checkDispatch(of: transaction, from: site)
        sites[site].journal.settle()
        tally.permissions += transaction.permissions.count
        noteDispatched(transaction, from: site)
        sites[site].underway[transaction.destination] = transaction.id
        sites[site].sent[transaction.destination] = transaction
        tally.transactions += 1
        tally.reminders += transaction.messages.count { $0.reminder != nil }
        tally.states += transaction.messages.reduce(0) { $0 + $1.push.count }
        let sender = Run(site: site, boot: sites[site].boot)
        if let legacy = legacies.firstIndex(where: { $0.name == transaction.destination }) {
            return dispatch(transaction, from: sender, toLegacy: legacy)
        }
        let there = sites.firstIndex { $0.name == transaction.destination }
        guard let there, !lostWays.contains(LostWay(from: site, to: there, kind: .requests)) else {
            return giveUpLater(transaction, at: sender)
        }
        if generator.happens(climate.requestsLost) {
            giveUpLater(transaction, at: sender)
            // What is told for certain would be told anew where ids are forgotten early.
            guard generator.happens(climate.late), transaction.permissions.isEmpty else { return }
            let receiver = Run(site: there, boot: sites[there].boot)
            let delay = climate.timeoutMilliseconds.upperBound + Int64.random(in: 0...120_000, using: &generator)
            agenda.plan(
                .arrival(transaction, from: sender, to: receiver, isAnswered: false, isCopy: true),
                at: now.advanced(byMilliseconds: delay))
            return
        }
        if generator.happens(climate.refused) {
            plan(.failed(.refused), of: transaction, at: sender, in: latency())
        } else if generator.happens(climate.toldToWait) {
            let wait = Duration.seconds(Int64.random(in: 1...300, using: &generator))
            plan(.failed(.unanswered(after: wait)), of: transaction, at: sender, in: latency())
        } else {
            let receiver = Run(site: there, boot: sites[there].boot)
            let isAnswered = !generator.happens(climate.answersLost)
            agenda.plan(
                .arrival(transaction, from: sender, to: receiver, isAnswered: isAnswered, isCopy: false),
                at: now.advanced(byMilliseconds: latency()))
            guard generator.happens(climate.duplicated) else { return }
            agenda.plan(
                .arrival(transaction, from: sender, to: receiver, isAnswered: false, isCopy: true),
                at: now.advanced(byMilliseconds: 2 * latency()))
        }
    }

    /// A connection dies with either end: what a fallen server sent is lost, and so is what it was sent.
    private mutating func arrive(
        _ transaction: OutgoingTransaction, from sender: Run, at receiver: Run, isAnswered: Bool, isCopy: Bool
    ) {
        guard sites[sender.site].boot == sender.boot else { return }
        func isUp() -> Bool { sites[receiver.site].boot == receiver.boot && sites[receiver.site].instance != nil }
        let isSwallowed =
            !isCopy && mayBeSwallowed(transaction, at: sender.site) && generator.happens(climate.swallowed)
        if isUp(), !isSwallowed { receive(transaction, from: sender.site, at: receiver.site) }
        guard !isCopy else { return }
        let isLost = lostWays.contains(LostWay(from: sender.site, to: receiver.site, kind: .answers))
        guard isUp(), isAnswered, !isLost else { return giveUpLater(transaction, at: sender) }
        // An answer says that it is safe here.
        sites[receiver.site].journal.settle()
        plan(.delivered, of: transaction, at: sender, in: latency())
    }

    /// Permissions are told for certain; and whoever never answered a poll is asked again by the long watchdog only.
    private func mayBeSwallowed(_ transaction: OutgoingTransaction, at site: Int) -> Bool {
        guard transaction.permissions.isEmpty, let engine = sites[site].instance?.presence else { return false }
        return transaction.messages.allSatisfy { message in
            message.poll.allSatisfy { World.presence(engine.knowledge(of: $0)) != nil }
        }
    }

    mutating func giveUpLater(_ transaction: OutgoingTransaction, at sender: Run) {
        let timeout = Int64.random(in: climate.timeoutMilliseconds, using: &generator)
        plan(.failed(.unanswered(after: nil)), of: transaction, at: sender, in: timeout)
    }

    private mutating func receive(_ transaction: OutgoingTransaction, from sender: Int, at site: Int) {
        let origin = sites[sender].name
        let isRepeated = isTaken(transaction.id, from: origin, at: site)
        let before = knowledgeOfStrangers(at: site)
        let mismatches = sites[site].instance?.federation.tally.mismatches
        submit(
            .federation(
                .received(
                    from: origin, transaction: transaction.id, messages(of: transaction, from: sender, at: site),
                    permissions: transaction.permissions)),
            to: site)
        guard sites[site].instance != nil else { return }
        if isRepeated, knowledgeOfStrangers(at: site) != before {
            fault("\(sites[site].name) takes \(transaction.id) of \(origin) again, which it took before")
        }
        // That something was asked, or corrected, says that both differ.
        let isAlike = sites[site].instance?.federation.tally.mismatches == mismatches
        if !isRepeated, isAlike { compareViews(transaction, from: sender, at: site) }
    }

    /// Ages count from arrival: the sender's clock is nobody's business.
    private func messages(
        of transaction: OutgoingTransaction, from sender: Int, at site: Int
    ) -> [PresenceMessage] {
        let here = clock(site)
        return transaction.messages.map { message in
            var message = message
            for place in message.push.indices {
                guard let active = message.push[place].presence.lastActive else { continue }
                let age = transaction.composed.milliseconds(since: active)
                message.push[place].presence.lastActive = here.advanced(byMilliseconds: -age)
            }
            return message
        }
    }

    private func knowledgeOfStrangers(at site: Int) -> [Knowledge?] {
        users.filter { !$0.isHosted(by: sites[site].name) }.map { sites[site].instance?.presence.knowledge(of: $0) }
    }

    private mutating func conclude(_ transaction: OutgoingTransaction, _ outcome: DeliveryOutcome, at sender: Run) {
        guard sites[sender.site].boot == sender.boot else { return }
        let destination = transaction.destination
        sites[sender.site].underway[destination] = nil
        switch outcome {
        case .delivered:
            noteDelivered(transaction, from: sender.site)
            submit(.federation(.delivered(to: destination, transaction: transaction.id)), to: sender.site)
        case .failed(let failure):
            if case .unanswered(let wait?) = failure {
                sites[sender.site].embargo[destination] = now + min(wait, climate.federation.retryLimit)
            }
            noteFailed(transaction, failure, from: sender.site)
            submit(
                .federation(.deliveryFailed(to: destination, transaction: transaction.id, failure)), to: sender.site)
        }
    }

    mutating func plan(
        _ outcome: DeliveryOutcome, of transaction: OutgoingTransaction, at sender: Run, in milliseconds: Int64
    ) {
        agenda.plan(.outcome(outcome, of: transaction, at: sender), at: now.advanced(byMilliseconds: milliseconds))
    }

    mutating func latency() -> Int64 { Int64.random(in: climate.latencyMilliseconds, using: &generator) }
}
