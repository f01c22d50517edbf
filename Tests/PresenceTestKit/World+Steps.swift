import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime

// Events into the engines, effects out of them.
extension World {
    /// One step of one server; nothing if it is down.
    mutating func submit(_ event: PresenceInstance.Event, to site: Int) {
        guard sites[site].instance != nil else { return }
        if case .presence(let event) = event { model.note(event, on: sites[site].name, at: now) }
        let effects = sites[site].instance?.handle(event, at: now) ?? []
        if isTraced { trace.append("\(now) \(sites[site].name): \(event) → \(effects)") }
        carryOut(effects, of: site)
    }

    /// What a client does.
    mutating func perform(_ event: PresenceEngine.Event, at site: Int) {
        submit(.presence(event), to: site)
        // The user is told that it is done when it is on disk, and whatever was waiting with it.
        switch event {
        case .statusChosen, .entryAdded, .entryRemoved:
            sites[site].journal.settle()
            isAccessUnchecked = true
        default: break
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
        model.restart(name, with: sites[site].journal.statuses, at: now)
        let effects = instance.start(from: snapshot, at: now)
        sites[site].instance = instance
        isAccessUnchecked = true
        if isTraced { trace.append("\(now) \(name): started → \(effects)") }
        carryOut(effects, of: site)
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
        sites[site].listeners = [:]
        sites[site].journal.crash(at: now, using: &generator)
        let back = now.advanced(byMilliseconds: Int64.random(in: 3_000...60_000, using: &generator))
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
        notePublished(at: site)
        let falls = sites[site].isDoomed && !effects.isEmpty
        // Between deciding and doing, or after both.
        if falls, generator.happens(500) { return kill(site) }
        for case .send(let transaction) in effects { dispatch(transaction, from: site) }
        for case .wake(let stream) in effects { wake(stream, at: site) }
        if falls { kill(site) }
    }

    // MARK: Clients

    mutating func openStream(_ client: Int) {
        let site = clients[client].site
        guard clients[client].stream == nil, sites[site].instance != nil else { return }
        sites[site].streamCount += 1
        let stream = StreamID(sites[site].streamCount)
        sites[site].listeners[stream] = client
        clients[client].stream = stream
        // A client may go on where it was, or begin anew; after a restart of its server it must.
        if clients[client].boot != sites[site].boot || generator.happens(300) {
            clients[client].position = nil
            clients[client].view = [:]
        }
        clients[client].boot = sites[site].boot
        clients[client].hasUnread = true
        perform(.streamOpened(stream, clients[client].key), at: site)
        read(client)
    }

    mutating func closeStream(_ client: Int) {
        let site = clients[client].site
        guard let stream = clients[client].stream else { return }
        clients[client].stream = nil
        sites[site].listeners[stream] = nil
        perform(.streamClosed(stream), at: site)
    }

    private mutating func wake(_ stream: StreamID, at site: Int) {
        guard let client = sites[site].listeners[stream] else { return }
        tally.wakes += 1
        if climate.readingMilliseconds == 0 { return read(client) }
        guard !clients[client].hasUnread else { return }
        clients[client].hasUnread = true
        let later = now.advanced(byMilliseconds: Int64.random(in: 0...climate.readingMilliseconds, using: &generator))
        agenda.plan(.reading(client: client, Run(site: site, boot: sites[site].boot)), at: later)
    }

    mutating func read(_ client: Int) {
        let site = clients[client].site
        guard let stream = clients[client].stream, let engine = sites[site].instance?.presence else { return }
        guard engine.isOpen(stream) else {
            clients[client].stream = nil
            sites[site].listeners[stream] = nil
            return
        }
        let observer = clients[client].key.user
        let changes = engine.changes(for: observer, after: clients[client].position)
        if let position = clients[client].position, changes.position < position {
            fault("\(observer) stood at \(position) and is told to stand at \(changes.position)")
        }
        for sighting in changes.sightings {
            if !model.maySee(observer, sighting.user) { fault("\(observer) is shown \(sighting.user)") }
            clients[client].view[sighting.user] = sighting.knowledge
        }
        tally.sightings += changes.sightings.count
        clients[client].position = changes.position
        clients[client].hasUnread = false
    }
}
