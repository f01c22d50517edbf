import PresenceEngine
import PresenceModel

// Programs that listen.
extension World {
    mutating func openStream(_ client: Int, _ set: SetPresence = .online) {
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
            clients[client].own = nil
        }
        clients[client].boot = sites[site].boot
        clients[client].hasUnread = true
        perform(.streamOpened(stream, clients[client].key, set), at: site)
        read(client)
    }

    mutating func closeStream(_ client: Int) {
        let site = clients[client].site
        guard let stream = clients[client].stream else { return }
        clients[client].stream = nil
        sites[site].listeners[stream] = nil
        perform(.streamClosed(stream), at: site)
    }

    mutating func wake(_ stream: StreamID, at site: Int) {
        guard let client = sites[site].listeners[stream] else { return }
        tally.wakes += 1
        if climate.readingMilliseconds == 0 { return readAtOnce(client, stream) }
        guard !clients[client].hasUnread else { return }
        clients[client].hasUnread = true
        let later = now.advanced(byMilliseconds: Int64.random(in: 0...climate.readingMilliseconds, using: &generator))
        agenda.plan(.reading(client: client, Run(site: site, boot: sites[site].boot)), at: later)
    }

    /// Nobody is woken for nothing.
    private mutating func readAtOnce(_ client: Int, _ stream: StreamID) {
        let hasNews = read(client)
        let isOver = clients[client].stream != stream
        if !hasNews, !isOver { fault("\(clients[client].key) was woken for nothing") }
    }

    /// - Returns: whether there was something new.
    @discardableResult
    mutating func read(_ client: Int) -> Bool {
        let site = clients[client].site
        guard let stream = clients[client].stream, let engine = sites[site].instance?.presence else { return false }
        guard engine.isOpen(stream) else {
            clients[client].stream = nil
            sites[site].listeners[stream] = nil
            return false
        }
        let observer = clients[client].key.user
        let before = clients[client].position
        let changes = engine.changes(for: observer, after: before)
        if let before { checkPosition(changes, after: before, of: observer) }
        for sighting in changes.sightings {
            if !model.isDelivered(sighting.user, to: observer) { fault("\(observer) is shown \(sighting.user)") }
            clients[client].view[sighting.user] = sighting.knowledge
        }
        if Set(changes.sightings.map(\.user)).count < changes.sightings.count {
            fault("\(observer) is shown somebody twice: \(changes.sightings.map(\.user))")
        }
        if let own = changes.own { clients[client].own = own }
        tally.sightings += changes.sightings.count
        clients[client].position = changes.position
        clients[client].hasUnread = false
        return !changes.sightings.isEmpty || changes.own != nil
    }

    private mutating func checkPosition(
        _ changes: PresenceEngine.Changes, after before: PresenceEngine.Position, of observer: UserID
    ) {
        let after = changes.position
        if after.version < before.version || after.own < before.own {
            fault("\(observer) stood at \(before) and is told to stand at \(after)")
        }
        if !changes.sightings.isEmpty, after.version == before.version {
            fault("\(observer) is told of \(changes.sightings) and stays at \(before)")
        }
        if changes.own != nil, after == before { fault("\(observer) is told of themself and stays at \(before)") }
    }
}
