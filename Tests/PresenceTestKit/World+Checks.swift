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
            if sites[site].hasStepped { compareStrangers(at: site) }
            // Early, or the second time at this instant: nothing is due.
            let effects = sites[site].instance?.handle(.deadlineReached, at: now) ?? []
            if !effects.isEmpty { fault("\(sites[site].name) had nothing due, and did \(effects)") }
        }
        for client in clients.indices where sites[clients[client].site].hasStepped { compareView(of: client) }
        if isAccessUnchecked { compareAccess() }
        for site in sites.indices { sites[site].hasStepped = false }
    }

    /// The users of a server, against the model. Nothing need have happened there: a deadline may be forgotten.
    private mutating func compareResidents(of site: Int) {
        guard let engine = sites[site].instance?.presence else { return }
        for user in sites[site].residents {
            let truth = model.look(of: user, at: now)
            if lastTruth[user] != truth {
                lastTruth[user] = truth
                truthChanged = now
            }
            let presence = World.presence(engine.knowledge(of: user)) ?? .neverActive
            let shown = NaiveModel.Look(state: presence.state, text: presence.statusText)
            if shown != truth { fault("\(user) is \(truth), and the engine says \(shown)") }
            let isKept = sites[site].journal.statuses[user]?.isConnected ?? false
            if isKept != model.isConnected(user, at: now) { fault("\(user) was saved as connected: \(isKept)") }
            // What a user does while offline to others moves no age.
            if presence.state == .offline, let frozen = frozenAges[user], frozen != presence.lastActive {
                fault("\(user) is offline, and was active \(String(describing: presence.lastActive)) all the same")
            }
            frozenAges[user] = presence.state == .offline ? .some(presence.lastActive) : .none
        }
    }

    /// What a server holds of other servers' users they were at some time.
    private mutating func compareStrangers(at site: Int) {
        guard let engine = sites[site].instance?.presence else { return }
        for other in sites.indices where other != site {
            for user in sites[other].residents {
                guard let presence = World.presence(engine.knowledge(of: user)) else { continue }
                let told = NaiveModel.Look(state: presence.state, text: presence.statusText)
                if everPublished[user]?.contains(told) != true { fault("\(user) never was \(told)") }
            }
        }
    }

    /// A client without anything unread shows what its server knows.
    private mutating func compareView(of client: Int) {
        let here = clients[client]
        guard here.stream != nil, !here.hasUnread, let engine = sites[here.site].instance?.presence else { return }
        for user in users where model.maySee(here.key.user, user) {
            guard let known = engine.knowledge(of: user) else { continue }
            if case .unknown(.neverHeard, _) = known { continue }
            let shown = here.view[user]
            if World.isShown(known, as: shown) { continue }
            fault("\(here.key.user) is shown \(user) as \(String(describing: shown)), who is \(known)")
        }
    }

    private mutating func compareAccess() {
        isAccessUnchecked = false
        for observer in users {
            guard let engine = sites[site(of: observer)].instance?.presence else { continue }
            for observed in users {
                let isShown = engine.presence(of: observed, seenBy: observer) != .forbidden
                if isShown != model.maySee(observer, observed) {
                    fault("\(observer) \(isShown ? "may" : "may not") see \(observed)")
                }
            }
        }
    }

    /// A transaction leaves: nothing in it that may not, not too much of it, and no other is under way.
    mutating func checkDispatch(of transaction: OutgoingTransaction, from site: Int) {
        let destination = transaction.destination
        let name = sites[site].name
        let limits = climate.federation
        if let other = sites[site].underway[destination] {
            fault("\(name) sends \(transaction.id) to \(destination) while \(other) is under way")
        }
        if let last = sites[site].sent[destination], last.id == transaction.id, last != transaction {
            fault("\(transaction.id) is not on the next try what it was")
        }
        if let embargo = sites[site].embargo[destination], now < embargo {
            fault("\(name) sends \(transaction.id) to \(destination), which asked it to wait until \(embargo)")
        }
        if transaction.messages.isEmpty || transaction.messages.count > limits.edusPerTransaction {
            fault("\(transaction.id) holds \(transaction.messages.count) messages")
        }
        for message in transaction.messages {
            let count = message.push.count
            if count > limits.statesPerEDU { fault("\(transaction.id) holds \(count) states in one message") }
            for report in message.push where !model.isVisible(report.user, at: destination) {
                fault("\(report.user) is told to \(destination), where nobody may see them")
            }
        }
    }

    /// What was acknowledged is still there after a fall.
    mutating func checkDurability(_ site: Int) {
        for (user, truth) in model.users where user.isHosted(by: sites[site].name) {
            let row = sites[site].journal.statuses[user]
            if (row?.chosen ?? .online) != truth.chosen || row?.statusText != truth.text {
                fault("\(user) chose \(truth.chosen), and what was kept is \(String(describing: row))")
            }
        }
    }

    /// What a server says of its users at this moment, for others to be held against.
    mutating func notePublished(at site: Int) {
        guard let engine = sites[site].instance?.presence else { return }
        for user in sites[site].residents {
            guard let presence = World.presence(engine.knowledge(of: user)) else { continue }
            everPublished[user, default: []].insert(
                NaiveModel.Look(state: presence.state, text: presence.statusText))
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

extension World {
    /// Who still sees something else than the truth: connected observers of users of other servers who have each
    /// other on their lists. Sensible after ``heal()`` and ``calmDown()``.
    public var disagreements: [String] {
        var found: [String] = []
        for client in clients where client.stream != nil {
            guard let engine = sites[client.site].instance?.presence else { continue }
            let observer = client.key.user
            for user in users where user.server != observer.server && model.isMutual(observer, user) {
                let truth = model.look(of: user, at: now)
                for (place, knowledge) in [("server", engine.knowledge(of: user)), ("client", client.view[user])] {
                    let shown = World.presence(knowledge).map { NaiveModel.Look(state: $0.state, text: $0.statusText) }
                    if shown == truth { continue }
                    let belief = knowledge.map { "\($0)" } ?? "nothing"
                    let device = client.key.device
                    found.append("\(user) is \(truth); to the \(place) of \(observer) (\(device)): \(belief)")
                }
            }
        }
        return found
    }
}
