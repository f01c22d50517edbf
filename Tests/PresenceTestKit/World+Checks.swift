import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime

// What must always hold.
extension World {
    /// At the end of an instant, when every deadline up to it was met.
    mutating func check() {
        for site in sites.indices where sites[site].instance != nil {
            compareResidents(of: site)
            if sites[site].hasStepped {
                compareStrangers(at: site)
                noteWanted(at: site)
            }
            comparePeers(of: site)
            // Early, or the second time at this instant: nothing is due.
            let instant = clock(site)
            let effects = sites[site].instance?.handle(.deadlineReached, at: instant) ?? []
            if !effects.isEmpty { fault("\(sites[site].name) had nothing due, and did \(effects)") }
        }
        if isAccessUnchecked {
            isAccessUnchecked = false
            forgetUnseen()
            for site in sites.indices { compareAccess(at: site) }
        }
        for client in clients.indices where sites[clients[client].site].hasStepped { compareView(of: client) }
        for site in sites.indices { sites[site].hasStepped = false }
    }

    /// The users of a server, against the model. Nothing need have happened there: a deadline may be forgotten.
    private mutating func compareResidents(of site: Int) {
        guard let engine = sites[site].instance?.presence else { return }
        for user in sites[site].residents {
            let truth = truth(of: user)
            if lastTruth[user] != truth.withoutAge {
                lastTruth[user] = truth.withoutAge
                truthChanged = now
                lastTruthChange[user] = now
            }
            let shown = NaiveModel.Look(World.presence(engine.knowledge(of: user)) ?? .neverActive)
            if shown != truth { fault("\(user) is \(truth), and the engine says \(shown)") }
            let isKept = sites[site].journal.rows.statuses[user]?.isConnected ?? false
            if isKept != model.isConnected(user, at: clock(site)) { fault("\(user) was saved as connected: \(isKept)") }
        }
        for client in clients.indices where clients[client].site == site { compareStream(of: client, engine) }
        compareOneContact(at: site, engine)
    }

    private mutating func compareStream(of client: Int, _ engine: PresenceEngine) {
        let here = clients[client]
        guard let stream = here.stream else { return }
        let isOpen = model.isOpen(stream, on: sites[here.site].name)
        if engine.isOpen(stream) != isOpen { fault("\(stream) of \(here.key) should be open: \(isOpen)") }
        if !isOpen, !here.hasUnread { fault("nobody told \(here.key) that \(stream) is over") }
    }

    /// Of all pairs one at a time, by turns.
    private mutating func compareOneContact(at site: Int, _ engine: PresenceEngine) {
        let residents = sites[site].residents
        let turn = tally.steps
        let user = residents[turn % residents.count]
        let everyone = users + ghosts
        let asker = everyone[(turn / residents.count) % everyone.count]
        let expected = model.mayContact(asker, user, at: clock(site))
        if engine.mayContact(from: asker, to: user) != expected {
            fault("\(asker) may write to \(user): \(expected), and the engine says otherwise")
        }
        if asker.server != user.server, engine.mayContact(from: user, to: asker) != nil {
            fault("\(sites[site].name) decides who may write to \(asker)")
        }
    }

    /// What a server holds of other servers' users they were at some time; of those whom nobody wants to see, nothing.
    private mutating func compareStrangers(at site: Int) {
        guard let engine = sites[site].instance?.presence else { return }
        let strangers = sites.indices.filter { $0 != site }.flatMap { sites[$0].residents }
        for user in strangers + legacies.flatMap(\.users) {
            guard let presence = World.presence(engine.knowledge(of: user)) else { continue }
            let told = NaiveModel.Look(presence).withoutAge
            if everPublished[user]?.contains(told) != true { fault("\(user) never was \(told)") }
            if !model.isOfConcern(user, to: sites[site].name) {
                fault("\(sites[site].name) still knows that \(user) is \(told)")
            }
        }
    }

    /// A client without anything unread shows what its server knows, of others and of its own user.
    private mutating func compareView(of client: Int) {
        let here = clients[client]
        guard here.stream != nil, !here.hasUnread, let engine = sites[here.site].instance?.presence else { return }
        for user in users where model.isDelivered(user, to: here.key.user) {
            guard let known = engine.knowledge(of: user) else { continue }
            if case .unknown(.neverHeard, _) = known { continue }
            let shown = here.view[user]
            if World.isShown(known, as: shown) { continue }
            fault("\(here.key.user) is shown \(user) as \(String(describing: shown)), who is \(known)")
        }
        var own = engine.ownState(of: here.key.user)
        own.published.lastActive = here.own?.published.lastActive
        if own != here.own { fault("\(here.key) shows its user as \(String(describing: here.own)): \(own)") }
    }

    /// Who may not be seen any more is forgotten by clients, so that they must be told when it may be again.
    private mutating func forgetUnseen() {
        for client in clients.indices {
            for user in clients[client].view.keys where !model.isDelivered(user, to: clients[client].key.user) {
                clients[client].view[user] = nil
            }
        }
    }

    /// Whom a server asks others about, for ``checkDispatch(of:from:)``.
    mutating func noteWanted(at site: Int) {
        let wanted = model.wanted(by: sites[site].name, at: clock(site))
        for user in sites[site].wanted.subtracting(wanted) { sites[site].unwanted[user] = now }
        sites[site].wanted = wanted
    }

    /// What a server says of its users at this moment, for others to be held against.
    mutating func notePublished(at site: Int) {
        guard let engine = sites[site].instance?.presence else { return }
        for user in sites[site].residents {
            guard let presence = World.presence(engine.knowledge(of: user)) else { continue }
            everPublished[user, default: []].insert(NaiveModel.Look(presence).withoutAge)
        }
    }

    /// Ages apart: they move on without a word.
    private static func isShown(_ known: Knowledge, as shown: Knowledge?) -> Bool {
        switch (known, shown) {
        case (.known(let presence), .known(let view)): presence.says(theSameAs: view)
        case (.unknown, .unknown): true
        default: false
        }
    }

    static func presence(_ knowledge: Knowledge?) -> Presence? {
        guard case .known(let presence)? = knowledge else { return nil }
        return presence
    }
}

// What leaves for other servers.
extension World {
    /// A transaction leaves: nothing in it that may not, not too much of it, and no other is under way.
    mutating func checkDispatch(of transaction: OutgoingTransaction, from site: Int) {
        let destination = transaction.destination
        let name = sites[site].name
        if let other = sites[site].underway[destination] {
            fault("\(name) sends \(transaction.id) to \(destination) while \(other) is under way")
        }
        let last = sites[site].sent[destination]
        let isRetry = last?.id == transaction.id
        if isRetry, last != transaction { fault("\(transaction.id) is not on the next try what it was") }
        if let embargo = sites[site].embargo[destination], now < embargo {
            fault("\(name) sends \(transaction.id) to \(destination), which asked it to wait until \(embargo)")
        }
        let count = transaction.messages.count + transaction.permissions.count
        if count == 0 || count > climate.federation.edusPerTransaction {
            fault("\(transaction.id) holds \(count) messages")
        }
        for message in transaction.permissions where message.source != name || message.destination != destination {
            fault("\(name) tells \(destination) \(message)")
        }
        if !isRetry {
            checkInterest(in: transaction, from: site)
            noteAsked(in: transaction, from: site)
        }
        for message in transaction.messages {
            let count = message.push.count
            if count > climate.federation.statesPerEDU {
                fault("\(transaction.id) holds \(count) states in one message")
            }
            for report in message.push { checkReport(report, to: destination, isNew: !isRetry) }
            if !isRetry { checkPolls(message, from: site) }
        }
    }

    /// A state leaves only for where somebody may see it, and is what holds at that moment.
    private mutating func checkReport(_ report: PresenceMessage.Report, to destination: ServerName, isNew: Bool) {
        let user = report.user
        if !model.isAudience(destination, of: user) {
            fault("\(user) is told to \(destination), where nobody may see them")
        }
        guard isNew else { return }
        let truth = truth(of: user)
        let told = NaiveModel.Look(report.presence)
        if told.withoutAge != truth.withoutAge { fault("\(user) is \(truth), and \(destination) is told \(told)") }
        // An age may be told late, but no activity that others may not learn of.
        if let active = told.lastActive, truth.lastActive.map({ active > $0 }) ?? true {
            fault("\(user) was active \(truth), and \(destination) is told \(told)")
        }
    }

    /// Asked about are those whom somebody here wants to know of, or did until lately.
    private mutating func checkPolls(_ message: PresenceMessage, from site: Int) {
        guard !message.poll.isEmpty || !message.unpoll.isEmpty else { return }
        let wanted = model.wanted(by: sites[site].name, at: clock(site))
        for user in message.poll where !wanted.contains(user) {
            let end = sites[site].wanted.contains(user) ? now : sites[site].unwanted[user]
            let isLate = end.map { $0 + climate.federation.unpollGrace < now } ?? true
            if isLate { fault("\(sites[site].name) asks about \(user), whom nobody wants to know of") }
        }
        for user in message.unpoll where wanted.contains(user) {
            fault("\(sites[site].name) no longer asks about \(user), whom somebody wants to know of")
        }
    }
}
