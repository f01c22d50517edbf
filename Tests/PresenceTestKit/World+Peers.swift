import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime

// What servers may say to each other, and for how long what they said holds: worked out from what passed between them.
extension World {
    private var federation: FederationEngine.Configuration { climate.federation }

    // MARK: What happened

    /// A server starts: of what it promised, what is on its disk.
    mutating func meetAgain(_ saved: FederationEngine.Snapshot, at site: Int) {
        sites[site].peers = [:]
        for (server, memory) in saved.peers {
            var peer = Acquaintance()
            peer.dialect = memory.dialect
            peer.failures = memory.failures
            peer.retryAt = memory.retryAt.map { worldTime($0, at: site) }
            peer.isSilent = memory.silentSince != nil
            sites[site].peers[server] = peer
        }
        for (user, server, until) in saved.given {
            sites[site].peers[server, default: Acquaintance()].given[user] = worldTime(until, at: site)
        }
        for row in sites[site].journal.rows.remotes {
            sites[site].heldUntil.updateValue(row.value.goodUntil.map { worldTime($0, at: site) }, forKey: row.key)
        }
        noteAudiences(of: site)
    }

    /// A transaction of another server arrived.
    /// - Parameter messages: `nil` if it was taken before: no more than a sign of life.
    mutating func noteHeard(from origin: ServerName, _ messages: [PresenceMessage]?, at site: Int) {
        var peer = sites[site].peers[origin] ?? Acquaintance()
        peer.lastHeard = now
        if let messages {
            peer.failures = 0
            peer.retryAt = nil
            for message in messages {
                if message.speaksExtension, peer.dialect != .capable {
                    peer.dialect = .capable
                    // Until now it was told without having asked.
                    peer.toldUnaskedUntil = now + federation.promise
                }
                if peer.dialect == .unheard { peer.dialect = .legacy }
                take(message, &peer, from: origin, at: site)
            }
            if messages.contains(where: { $0.reminder?.isComplete ?? false }) {
                let named = Set(messages.flatMap { $0.poll + $0.watch })
                peer.given = peer.given.filter { named.contains($0.key) }
            }
        }
        sites[site].peers[origin] = peer
    }

    private mutating func take(
        _ message: PresenceMessage, _ peer: inout Acquaintance, from origin: ServerName, at site: Int
    ) {
        for user in message.unpoll { peer.given[user] = nil }
        for user in message.poll + message.watch where model.isAudience(origin, of: user) {
            peer.given[user] = now + federation.promise
        }
        let usual = peer.dialect == .capable ? federation.promise : federation.impliedPromise
        let word = min(message.promise ?? usual, federation.promiseLimit)
        for report in message.push where report.user.isHosted(by: origin) {
            let isForGood = peer.dialect != .capable && report.presence.state == .offline
            sites[site].heldUntil.updateValue(isForGood ? nil : now + word, forKey: report.user)
            peer.said.insert(report.user)
        }
        guard message.reminder != nil else { return }
        // If both views are alike the word for all of them holds anew; if not, that is found out elsewhere.
        for (user, until) in sites[site].heldUntil where user.isHosted(by: origin) {
            if let until, now < until { sites[site].heldUntil.updateValue(max(until, now + word), forKey: user) }
        }
    }

    mutating func noteDispatched(_ transaction: OutgoingTransaction, from site: Int) {
        let isNew = sites[site].sent[transaction.destination]?.id != transaction.id
        noteWord(of: transaction, from: site, isNew: isNew)
        sites[site].peers[transaction.destination]?.lastSent = now
        guard isNew else { return }
        for report in transaction.messages.flatMap(\.push) {
            sites[site].peers[transaction.destination]?.told[report.user] = NaiveModel.Look(report.presence).withoutAge
        }
        guard let reminder = transaction.messages.compactMap(\.reminder).last else { return }
        checkSummary(reminder.promised, to: transaction.destination, from: site)
        var looks: [UserID: NaiveModel.Look] = [:]
        for user in sites[site].residents { looks[user] = truth(of: user) }
        sites[site].peers[transaction.destination]?.reminded = (transaction.id, looks)
    }

    /// Whoever was told something else than at the last reminder is counted with it.
    private mutating func checkSummary(
        _ summary: PresenceMessage.Reminder.Summary, to server: ServerName, from site: Int
    ) {
        guard let peer = sites[site].peers[server], !peer.isSilent else { return }
        let told = peer.told.filter { now < peer.given[$0.key] ?? .epoch && model.isAudience(server, of: $0.key) }
        defer { sites[site].peers[server]?.summary = (summary, told) }
        guard let last = peer.summary, last.summary == summary else { return }
        for (user, look) in told.sorted(by: { $0.key < $1.key }) {
            guard let before = last.told[user], before.state != look.state || before.text != look.text else { continue }
            fault("\(sites[site].name) told \(server) that \(user) is \(look), not \(before), and sums up the same")
        }
    }

    mutating func noteDelivered(_ transaction: OutgoingTransaction, from site: Int) {
        sites[site].peers[transaction.destination, default: Acquaintance()].lastHeard = now
        sites[site].peers[transaction.destination]?.failures = 0
        sites[site].peers[transaction.destination]?.retryAt = nil
        noteWord(of: transaction, from: site, isNew: false)
    }

    /// A push is a promise, and a reminder renews all of them: when they leave, and when they are known to have arrived.
    private mutating func noteWord(of transaction: OutgoingTransaction, from site: Int, isNew: Bool) {
        var peer = sites[site].peers[transaction.destination] ?? Acquaintance()
        let until = now + federation.promise
        for report in transaction.messages.flatMap(\.push)
        where peer.given[report.user] != nil || (isNew && peer.dialect == .unheard)
            || isNewcomer(report.user, to: transaction.destination, from: site)
        {
            peer.given[report.user] = until
        }
        if transaction.messages.contains(where: { $0.reminder != nil }) {
            for user in peer.given.keys { peer.given[user] = until }
        }
        sites[site].peers[transaction.destination] = peer
    }

    mutating func noteFailed(
        _ transaction: OutgoingTransaction, _ failure: FederationEngine.Failure, from site: Int
    ) {
        let failures = (sites[site].peers[transaction.destination]?.failures ?? 0) + 1
        var wait = longestWait(afterFailures: failures)
        if case .unanswered(let asked?) = failure { wait = max(wait, min(asked, federation.retryLimit)) }
        sites[site].peers[transaction.destination, default: Acquaintance()].failures = failures
        sites[site].peers[transaction.destination]?.retryAt = now + wait
    }

    private func longestWait(afterFailures failures: Int) -> Duration {
        var wait = federation.retryFirst
        for _ in 1..<max(failures, 1) where wait < federation.retryLimit { wait = wait * 2 }
        // Up to where a second begins.
        return min(wait, federation.retryLimit) * 1.2 + .seconds(1)
    }

    /// When, at the latest, everybody is to agree: a batch, a short watchdog and one wait after the network healed, and
    /// what the words of that take on their way.
    mutating func noteHealing() {
        var wait = Duration.zero
        for site in sites.indices where !lostSites.contains(site) {
            for (server, peer) in sites[site].peers where !isGone(server) {
                if sites[site].underway[server] != nil {
                    let timeout = Duration.milliseconds(climate.timeoutMilliseconds.upperBound)
                    wait = max(wait, timeout + longestWait(afterFailures: peer.failures + 1))
                } else if let retryAt = peer.retryAt {
                    wait = max(wait, retryAt - now)
                }
                if let embargo = sites[site].embargo[server] { wait = max(wait, embargo - now) }
            }
        }
        agreementDue = now + federation.batchStretch + federation.shortWatchdog + wait + .seconds(5)
        // Who was asked, and whose answer and promise are both lost, is asked again with everybody else.
        if climate.oldCommits > 0 { agreementDue = agreementDue + federation.longWatchdog * 1.05 }
    }

    // MARK: Who may see whom

    mutating func noteAudiences(of site: Int) {
        let others = sites.map(\.name).filter { $0 != sites[site].name } + legacies.map(\.name)
        for server in others {
            let audience = Set(sites[site].residents.filter { model.isAudience(server, of: $0) })
            var peer = sites[site].peers[server] ?? Acquaintance()
            for user in peer.audience.subtracting(audience) { peer.given[user] = nil }
            // The first word comes from here.
            for user in audience.subtracting(peer.audience) where sites[site].instance != nil {
                peer.given[user] = max(peer.given[user] ?? now, now + federation.promise)
            }
            let seenWidely = audience.filter { !model.isNear(server, to: $0) }
            // Of those who are far, nothing is promised to who has not asked.
            if peer.dialect != .capable {
                for user in seenWidely.subtracting(peer.seenWidely) { peer.given[user] = nil }
            }
            peer.seenWidely = seenWidely
            peer.audience = audience
            sites[site].peers[server] = peer
        }
    }

    private func isNewcomer(_ user: UserID, to server: ServerName, from site: Int) -> Bool {
        !(sites[site].peers[server]?.audience.contains(user) ?? false) && model.isAudience(server, of: user)
    }

    // MARK: What must hold

    /// Whoever is not named where everything is asked is let go: until asked for anew they stay as they were said.
    mutating func noteAsked(in transaction: OutgoingTransaction, from site: Int) {
        guard transaction.messages.contains(where: { $0.reminder?.isComplete ?? false }) else { return }
        sites[site].peers[transaction.destination]?.said.formIntersection(transaction.messages.flatMap(\.poll))
    }

    /// No message to a server without interest.
    mutating func checkInterest(in transaction: OutgoingTransaction, from site: Int) {
        let server = transaction.destination
        let name = sites[site].name
        let peer = sites[site].peers[server] ?? Acquaintance()
        func accuse(_ what: String) {
            fault("\(name) in \(transaction.id) to \(server), which is \(peer.dialect): \(what)")
        }
        for message in transaction.messages {
            let isEmpty = message.push.isEmpty && message.poll.isEmpty && message.unpoll.isEmpty
            if isEmpty, message.query.isEmpty, message.watch.isEmpty, message.reminder == nil { accuse("says nothing") }
            if !message.poll.isEmpty || !message.watch.isEmpty || !message.unpoll.isEmpty, peer.dialect == .legacy {
                accuse("asks what it does not understand")
            }
            // One that says nothing of what is held answers what the other side wrongly believes.
            if message.reminder?.held != nil, !isLive(site, with: server) { accuse("reminds without interest") }
            if message.reminder != nil, peer.dialect != .capable { accuse("reminds who does not understand it") }
            if peer.isSilent, !isEmpty { accuse("says more than a reminder to who is silent") }
            for report in message.push where peer.dialect != .capable {
                let isPromised = peer.given[report.user].map { now < $0 } ?? false
                if !isPromised, !model.isNear(server, to: report.user) { accuse("tells of \(report.user), who is far") }
            }
            guard peer.dialect == .capable else { continue }
            for report in message.push {
                let isPromised = max(peer.given[report.user] ?? .epoch, peer.toldUnaskedUntil) > now
                if !isPromised, !isNewcomer(report.user, to: server, from: site) {
                    accuse("tells of \(report.user), promised until \(String(describing: peer.given[report.user]))")
                }
            }
        }
    }

    /// Interest in either direction: a promise given, which may have run out a moment ago, or somebody here who wants to
    /// know of somebody there.
    private func isLive(_ site: Int, with server: ServerName) -> Bool {
        guard let peer = sites[site].peers[server], peer.dialect == .capable else { return false }
        if peer.given.values.contains(where: { now < $0 + federation.shortWatchdog }) { return true }
        if sites[site].residents.contains(where: { isNewcomer($0, to: server, from: site) }) { return true }
        return model.wanted(by: sites[site].name, at: clock(site)).contains { $0.isHosted(by: server) }
    }

    mutating func noteStanding(of server: ServerName, _ standing: FederationEngine.Standing, at site: Int) {
        let peer = sites[site].peers[server] ?? Acquaintance()
        sites[site].peers[server, default: Acquaintance()].isSilent = standing == .silent
        switch standing {
        case .silent:
            tally.silences += 1
            let last = peer.lastHeard ?? .epoch
            if now < last + federation.shortWatchdog * federation.silentAfter {
                fault("\(sites[site].name) says that \(server) is silent, which it heard at \(last)")
            }
            let isAsked = peer.lastSent.map { last <= $0 } ?? false
            if !isAsked, sites[site].underway[server] == nil, peer.retryAt == nil {
                fault("\(sites[site].name) says that \(server) is silent, which it did not ask since \(last)")
            }
        case .answering:
            if peer.lastHeard != now { fault("\(sites[site].name) says that \(server) is back, and heard nothing") }
        }
    }

    /// At the end of an instant: what is shown of other servers' users is promised, and of silent servers nothing is.
    mutating func comparePeers(of site: Int) {
        guard let engine = sites[site].instance?.presence else { return }
        let name = sites[site].name
        for (user, until) in sites[site].heldUntil {
            guard let until, until <= now, World.presence(engine.knowledge(of: user)) != nil else { continue }
            fault("\(name) shows \(user), of whom nothing is promised since \(until)")
        }
        for other in sites where other.name != name {
            guard var peer = sites[site].peers[other.name], peer.dialect == .capable else { continue }
            let isWanted = sites[site].wanted.contains { $0.isHosted(by: other.name) }
            let isLive = isWanted || peer.isLive(at: now)
            peer.liveSince = isLive ? peer.liveSince ?? now : nil
            sites[site].peers[other.name]?.liveSince = peer.liveSince
            if peer.isSilent, peer.lastHeard == now { fault("\(name) heard \(other.name), which stays silent") }
            guard let since = peer.liveSince else { continue }
            // Who asked to be left alone is not asked meanwhile.
            let last = max(since, peer.lastHeard ?? .epoch, sites[site].embargo[other.name] ?? .epoch)
            // Interest may have ended and begun anew within one step, and the watchdogs with it: once more as long.
            let due = last + federation.shortWatchdog * (2 * federation.silentAfter)
            guard due <= now || peer.isSilent else { continue }
            if !peer.isSilent { fault("\(name) heard nothing of \(other.name) until \(due), and waits") }
            for user in other.residents where sites[site].wanted.contains(user) {
                guard World.presence(engine.knowledge(of: user)) != nil else { continue }
                fault("\(name) shows \(user), whose server is silent")
            }
        }
    }

    /// A reminder was taken in: if it says what is held here, then what is held is what the other side said.
    mutating func compareViews(_ transaction: OutgoingTransaction, from sender: Int, at site: Int) {
        guard let reminder = transaction.messages.compactMap(\.reminder).last,
            let instance = sites[site].instance, let looks = sites[sender].peers[sites[site].name]?.reminded,
            looks.transaction == transaction.id,
            let held = instance.federation.summaryHeld(of: sites[sender].name, at: clock(site)),
            held == reminder.promised
        else { return }
        tally.views += 1
        let said = sites[site].peers[sites[sender].name]?.said ?? []
        let wanted = model.wanted(by: sites[site].name, at: clock(site))
        for user in sites[sender].residents where said.contains(user) && wanted.contains(user) {
            guard model.isAudience(sites[site].name, of: user) else { continue }
            guard let known = World.presence(instance.presence.knowledge(of: user)), let look = looks.looks[user]
            else { continue }
            if known.state == look.state, known.statusText == look.text { continue }
            fault("\(sites[site].name) agrees with \(sites[sender].name), where \(user) is \(look), and shows \(known)")
        }
    }
}
