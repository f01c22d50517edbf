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
            if sites[run.site].instance == nil, sites[run.site].boot == run.boot { start(run.site) }
        case .linkFails(let one, let other):
            guard climate.linkHolds != nil else { return }
            failedLinks.insert([one, other])
            agenda.plan(.linkHeals(one, other), at: now + generator.about(climate.linkFails))
        case .linkHeals(let one, let other):
            failedLinks.remove([one, other])
            guard let holds = climate.linkHolds else { return }
            agenda.plan(.linkFails(one, other), at: now + generator.about(holds))
        }
    }

    /// Takes a transaction from a server, as the runtime does: what it promises is on disk before it leaves.
    mutating func dispatch(_ transaction: OutgoingTransaction, from site: Int) {
        checkDispatch(of: transaction, from: site)
        sites[site].journal.settle()
        tally.permissions += transaction.permissions.count
        sites[site].underway[transaction.destination] = transaction.id
        sites[site].sent[transaction.destination] = transaction
        tally.transactions += 1
        tally.states += transaction.messages.reduce(0) { $0 + $1.push.count }
        let sender = Run(site: site, boot: sites[site].boot)
        let there = sites.firstIndex { $0.name == transaction.destination }
        guard let there, !isLost(from: site, to: there) else {
            let timeout = Int64.random(in: climate.timeoutMilliseconds, using: &generator)
            plan(.failed(.unanswered(after: nil)), of: transaction, at: sender, in: timeout)
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
        if isUp() { receive(transaction, from: sites[sender.site].name, at: receiver.site) }
        guard !isCopy else { return }
        guard isUp(), isAnswered else {
            let timeout = Int64.random(in: climate.timeoutMilliseconds, using: &generator)
            plan(.failed(.unanswered(after: nil)), of: transaction, at: sender, in: timeout)
            return
        }
        // An answer says that it is safe here.
        sites[receiver.site].journal.settle()
        plan(.delivered, of: transaction, at: sender, in: latency())
    }

    private mutating func receive(_ transaction: OutgoingTransaction, from origin: ServerName, at site: Int) {
        let isRepeated = isTaken(transaction.id, from: origin, at: site)
        let before = knowledgeOfStrangers(at: site)
        submit(
            .federation(
                .received(
                    from: origin, transaction: transaction.id, transaction.messages,
                    permissions: transaction.permissions)),
            to: site)
        guard isRepeated, sites[site].instance != nil else { return }
        if knowledgeOfStrangers(at: site) != before {
            fault("\(sites[site].name) takes \(transaction.id) of \(origin) again, which it took before")
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
            submit(.federation(.delivered(to: destination, transaction: transaction.id)), to: sender.site)
        case .failed(let failure):
            if case .unanswered(let wait?) = failure {
                sites[sender.site].embargo[destination] = now + min(wait, climate.federation.retryLimit)
            }
            submit(
                .federation(.deliveryFailed(to: destination, transaction: transaction.id, failure)), to: sender.site)
        }
    }

    private mutating func plan(
        _ outcome: DeliveryOutcome, of transaction: OutgoingTransaction, at sender: Run, in milliseconds: Int64
    ) {
        agenda.plan(.outcome(outcome, of: transaction, at: sender), at: now.advanced(byMilliseconds: milliseconds))
    }

    private mutating func isLost(from one: Int, to other: Int) -> Bool {
        failedLinks.contains([min(one, other), max(one, other)]) || generator.happens(climate.requestsLost)
    }

    private mutating func latency() -> Int64 { Int64.random(in: climate.latencyMilliseconds, using: &generator) }
}
