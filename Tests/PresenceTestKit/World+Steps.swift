import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime

// Events into the engines, effects out of them.
extension World {
    /// One step of one server; nothing if it is down.
    mutating func submit(_ event: PresenceInstance.Event, to site: Int) {
        guard sites[site].instance != nil else { return }
        note(event, at: site)
        let instant = clock(site)
        let effects = sites[site].instance?.handle(event, at: instant) ?? []
        if isTraced { trace.append("\(now) \(sites[site].name): \(event) → \(effects)") }
        carryOut(effects, of: site)
    }

    /// What the model is told of an event that reaches a server. Of a transaction only what is said of permissions:
    /// that is a fact here, whatever became of it on its way.
    private mutating func note(_ event: PresenceInstance.Event, at site: Int) {
        let name = sites[site].name
        switch event {
        case .presence(let event):
            model.note(event, on: name, at: clock(site))
            if !World.isContact(event) { noteAudiences(of: site) }
        case .federation(.received(let origin, let transaction, let messages, let permissions)):
            let isNew = !isTaken(transaction, from: origin, at: site)
            noteHeard(from: origin, isNew ? messages : nil, at: site)
            guard isNew else { return }
            var taken = sites[site].taken[origin] ?? []
            if taken.count >= climate.federation.transactionsRemembered { taken.removeFirst() }
            sites[site].taken[origin] = taken + [transaction]
            for message in permissions { model.note(.permissionReceived(message), on: name, at: clock(site)) }
            guard !permissions.isEmpty else { return }
            isAccessUnchecked = true
            noteAudiences(of: site)
        case .federation, .deadlineReached: break
        }
    }

    func isTaken(_ transaction: String, from origin: ServerName, at site: Int) -> Bool {
        sites[site].taken[origin]?.contains(transaction) ?? false
    }

    /// What a client does. What cannot be done is refused by the engine and the model alike, and done all the same: it
    /// must change nothing.
    mutating func perform(_ event: PresenceEngine.Event, at site: Int) {
        guard let engine = sites[site].instance?.presence else { return }
        let refusal = engine.refusal(of: event)
        let expected = model.refusal(of: event, on: sites[site].name)
        if refusal != expected {
            fault("\(event) is refused as \(String(describing: refusal)), not \(String(describing: expected))")
        }
        submit(.presence(event), to: site)
        guard !World.isContact(event) else { return }
        // The user is told that it is done when it is on disk, and whatever was waiting with it.
        sites[site].journal.settle()
        isAccessUnchecked = true
    }

    /// Signs of devices, of which nobody waits to be told that they are on disk.
    private static func isContact(_ event: PresenceEngine.Event) -> Bool {
        switch event {
        case .deviceSeen, .deviceActed, .deviceSynced, .streamOpened, .streamClosed: true
        default: false
        }
    }

    /// Starts a server from what was saved.
    mutating func start(_ site: Int) {
        let name = sites[site].name
        var instance = PresenceInstance(
            presence: PresenceEngine(server: name, configuration: climate.presence),
            federation: FederationEngine(
                server: name, configuration: climate.federation, boot: sites[site].boot, seed: generator.next()))
        checkDurability(site)
        let snapshot = sites[site].journal.snapshot
        model.restart(name, from: snapshot.presence, at: clock(site))
        meetAgain(snapshot.federation, at: site)
        let effects = instance.start(from: snapshot, at: clock(site))
        sites[site].instance = instance
        isAccessUnchecked = true
        if isTraced { trace.append("\(now) \(name): started → \(effects)") }
        carryOut(effects, of: site)
        agenda.plan(
            .roomsTold(Run(site: site, boot: sites[site].boot)),
            at: now.advanced(byMilliseconds: Int64.random(in: 0...5_000, using: &generator)))
    }

    /// kill -9.
    mutating func kill(_ site: Int) {
        tally.kills += 1
        sites[site].isDoomed = false
        sites[site].instance = nil
        sites[site].boot += 1
        sites[site].underway = [:]
        sites[site].sent = [:]
        sites[site].embargo = [:]
        sites[site].peers = [:]
        sites[site].heldUntil = [:]
        sites[site].taken = [:]
        sites[site].wanted = []
        sites[site].unwanted = [:]
        sites[site].listeners = [:]
        sites[site].journal.crash(at: now, using: &generator)
        if generator.happens(climate.oldCommits) { sites[site].journal.fallBack() }
        let isLong = generator.happens(climate.longFalls)
        let away = isLong ? 3_600_000...6 * 3_600_000 : 3_000...60_000 as ClosedRange<Int64>
        let back = now.advanced(byMilliseconds: Int64.random(in: away, using: &generator))
        agenda.plan(.rise(Run(site: site, boot: sites[site].boot)), at: back)
        for client in clients.indices where clients[client].site == site && clients[client].stream != nil {
            clients[client].stream = nil
            clients[client].hasUnread = false
            guard generator.happens(800) else { continue }
            let again = back.advanced(byMilliseconds: Int64.random(in: 0...45_000, using: &generator))
            agenda.plan(.reopening(client: client), at: again)
        }
    }

    private mutating func carryOut(_ effects: [PresenceInstance.Effect], of site: Int) {
        tally.steps += 1
        sites[site].hasStepped = true
        digest.mix(effects, of: sites[site].name, at: now)
        var records: [PresenceInstance.Record] = []
        for case .save(let record) in effects { records.append(record) }
        if !records.isEmpty { sites[site].journal.append(records, at: now) }
        for case .federation(.peerForgotten(let server)) in records {
            // How it speaks is found out anew.
            sites[site].peers[server]?.dialect = .unheard
        }
        notePublished(at: site)
        // Somebody wants to know, be it for a moment.
        let asks = records.contains { record in
            guard case .federation(.promiseAsked) = record else { return false }
            return true
        }
        if asks { noteWanted(at: site) }
        for case .standingChanged(let server, let standing) in effects { noteStanding(of: server, standing, at: site) }
        let falls = sites[site].isDoomed && !effects.isEmpty
        // Between deciding and doing, or after both.
        if falls, generator.happens(500) { return kill(site) }
        for case .send(let transaction) in effects { dispatch(transaction, from: site) }
        var woken: Set<StreamID> = []
        for case .wake(let stream) in effects where woken.insert(stream).inserted { wake(stream, at: site) }
        if falls { kill(site) }
    }
}
