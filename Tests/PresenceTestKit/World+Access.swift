import PresenceEngine
import PresenceModel

// Lists, leave and rooms, against the model; what is on disk; and what is to hold in the end.
extension World {
    mutating func compareAccess(at site: Int) {
        guard let engine = sites[site].instance?.presence else { return }
        for user in sites[site].residents {
            for other in users + ghosts + legacies.flatMap(\.users) {
                let isShown = engine.presence(of: other, seenBy: user) != .forbidden
                let expected = model.maySee(user, other)
                if isShown != expected { fault("\(user) may see \(other): \(expected), and is shown: \(isShown)") }
            }
            compareLists(of: user, engine)
        }
        compareRooms(at: site, engine)
    }

    private mutating func compareLists(of user: UserID, _ engine: PresenceEngine) {
        let entries = engine.list(of: user)
        let shown = entries.map { World.line($0.user, $0.entry, in: $0.groups) }
        let expected = expectedLines(of: user)
        if shown != expected { fault("on the list of \(user) is \(shown), and should be \(expected)") }
        for entry in entries where (entry.knowledge != nil) != model.maySee(user, entry.user) {
            fault("the list of \(user) shows \(entry.user) as \(String(describing: entry.knowledge))")
        }
        let consents = (model.consents[user] ?? [:]).sorted { $0.key < $1.key }
        func users(in state: StoredConsent.State) -> [UserID] { consents.filter { $0.value.state == state }.map(\.key) }
        if engine.granted(by: user) != users(in: .granted) || engine.blocked(by: user) != users(in: .blocked) {
            fault("\(user) lets \(engine.granted(by: user)) see, not \(engine.blocked(by: user)): \(consents)")
        }
        let requests = engine.requests(to: user)
        if requests.map(\.user).sorted() != users(in: .requested) {
            fault("\(requests) wait for \(user): \(consents)")
        }
        for request in requests where request.note != model.consents[user]?[request.user]?.note {
            fault("\(request) of \(user) should be \(String(describing: model.consents[user]?[request.user]))")
        }
        if requests.map(\.since) != requests.map(\.since).sorted() { fault("requests out of order: \(requests)") }
        let groups = (model.groups[user] ?? [:]).sorted { $0.key < $1.key }
        let isAlike =
            engine.groups(of: user).map(\.name) == groups.map(\.key)
            && engine.groups(of: user).map(\.members) == groups.map { $0.value.sorted() }
        if !isAlike { fault("\(user) has the groups \(engine.groups(of: user)), not \(groups)") }
        for group in groups where engine.list(of: user, group: group.key).map(\.user) != group.value.sorted() {
            fault("in \(group) of \(user) are \(engine.list(of: user, group: group.key))")
        }
        compareSettings(of: user, engine)
    }

    private mutating func compareSettings(of user: UserID, _ engine: PresenceEngine) {
        let hasPolicies =
            engine.listPolicy(of: user) == model.policies[user]
            && engine.contactPolicy(of: user) == model.contacts[user] ?? ContactPolicy()
        if !hasPolicies { fault("\(user) has other policies than the model") }
        let interest = model.interests[user].flatMap { clock(of: user.server) < $0.until ? $0 : nil }
        let shown = engine.interest(of: user)
        if shown?.scope != interest?.scope || shown?.until != interest?.until {
            fault("\(user) wants to know \(String(describing: shown)), not \(String(describing: interest))")
        }
        let waiting = (model.consents[user] ?? [:]).values.count { $0.state == .requested }
        if engine.ownState(of: user).waitingRequests != waiting { fault("\(waiting) wait for \(user)") }
        let types = engine.devices(of: user, at: clock(of: user.server)).compactMap { view in
            view.type.map { "\(view.device) \($0)" }
        }
        let expected = (model.people[user]?.types ?? []).map { "\($0.device) \($0.type)" }
        if types != expected.sorted() { fault("the devices of \(user) are \(types), not \(expected)") }
    }

    private mutating func compareRooms(at site: Int, _ engine: PresenceEngine) {
        let believed = (model.rooms[sites[site].name] ?? [:]).filter { !$0.value.isEmpty }
        let rooms = engine.allRooms
        if rooms != believed.keys.sorted() { fault("\(sites[site].name) knows the rooms \(rooms)") }
        for room in rooms where engine.members(of: room) != (believed[room] ?? []).sorted() {
            fault("in \(room) are \(engine.members(of: room)), not \(believed[room] ?? [])")
        }
        for user in users where engine.rooms(of: user) != believed.filter({ $0.value.contains(user) }).keys.sorted() {
            fault("\(user) is in \(engine.rooms(of: user))")
        }
    }

    /// What was acknowledged is still there after a fall.
    mutating func checkDurability(_ site: Int) {
        let rows = sites[site].journal.rows
        let now = clock(site)
        for (user, person) in model.people.sorted(by: { $0.key < $1.key }) where isResident(user, site) {
            let row = rows.statuses[user] ?? StoredStatus()
            let isKept = row.chosen == person.chosen && row.statusText == person.text
            let override = person.override.flatMap { $0.until.map { $0 > now } ?? true ? $0 : nil }
            let kept = row.override.flatMap { $0.until.map { $0 > now } ?? true ? $0 : nil }
            if !isKept || override != kept { fault("of \(user) was kept \(row): \(person)") }
            for (device, type) in person.types
            where rows.deviceTypes[DeviceKey(user: user, device: device)] != type {
                fault("\(device) of \(user) is \(type), and that was not kept")
            }
        }
        for user in sites[site].residents { checkKeptLists(of: user, rows) }
    }

    private mutating func checkKeptLists(of user: UserID, _ rows: PresenceRows) {
        let slots = rows.settings[user]?.groups ?? []
        let kept = rows.entries.filter { $0.key.one == user }.sorted { $0.key < $1.key }.map { pair, entry in
            World.line(pair.other, entry, in: slots.filter { entry.groups & (1 << UInt64($0.slot)) != 0 }.map(\.name))
        }
        let entries = expectedLines(of: user)
        if kept != entries { fault("of the list of \(user) was kept \(kept), not \(entries)") }
        let consents = rows.consents.filter { $0.key.one == user }.sorted { $0.key < $1.key }
        let expected = (model.consents[user] ?? [:]).sorted { $0.key < $1.key }
        let isKept =
            consents.map(\.key.other) == expected.map(\.key)
            && consents.map(\.value.state) == expected.map(\.value.state)
        if !isKept { fault("of the answers of \(user) was kept \(consents), not \(expected)") }
        if slots.map(\.name) != (model.groups[user] ?? [:]).keys.sorted() { fault("\(user) kept the groups \(slots)") }
        if rows.settings[user]?.policy != model.policies[user] { fault("\(user) kept another policy") }
    }

    private func isResident(_ user: UserID, _ site: Int) -> Bool { user.isHosted(by: sites[site].name) }

    private func expectedLines(of user: UserID) -> [String] {
        (model.entries[user] ?? [:]).sorted { $0.key < $1.key }.map { other, entry in
            World.line(other, entry, model.groups[user] ?? [:])
        }
    }

    private static func line(_ user: UserID, _ entry: StoredEntry, in groups: [GroupName]) -> String {
        let like = NaiveModel.Entry(state: entry.state, request: entry.request, note: entry.note, acl: entry.acl)
        return "\(user) \(like) \(groups)"
    }

    private static func line(
        _ user: UserID, _ entry: NaiveModel.Entry, _ groups: [GroupName: Set<UserID>]
    ) -> String {
        "\(user) \(entry) \(groups.filter { $0.value.contains(user) }.keys.sorted())"
    }
}

extension World {
    /// What still differs from the truth: entries that do not say what the other side decided, and users of other
    /// servers whom someone wants to know of and is shown as something else. Sensible after ``heal()`` and
    /// ``calmDown()``.
    public var disagreements: [String] {
        permissionsInDoubt + sightsInDoubt(unchangedSince: now) + legacySightsInDoubt
    }

    /// An entry is accepted exactly if the other side said yes, and waits exactly if the other side was asked and has
    /// not said anything yet.
    private var permissionsInDoubt: [String] {
        var found: [String] = []
        for observer in users {
            for (observed, entry) in (model.entries[observer] ?? [:]).sorted(by: { $0.key < $1.key }) {
                if isGone(observer.server) || isGone(observed.server) { continue }
                let consent = model.consents[observed]?[observer]
                let expected: EntryState =
                    switch consent?.state {
                    case .granted: .accepted
                    case .requested: .pending
                    case .blocked, nil: .denied
                    }
                guard entry.state != expected else { continue }
                // A request that was denied, and repeated while its answer was under way: the next answer will count.
                if entry.state == .denied, expected == .pending, consent?.request == entry.request { continue }
                found.append(
                    "\(observed) on the list of \(observer) is \(entry), and said \(String(describing: consent))")
            }
        }
        return found
    }

    /// - Parameter instant: those whose truth changed later are left out.
    func sightsInDoubt(unchangedSince instant: Instant) -> [String] {
        var found: [String] = []
        for client in clients where client.stream != nil {
            guard let engine = sites[client.site].instance?.presence else { continue }
            let observer = client.key.user
            let wanted = model.wanted(by: observer.server, at: clock(of: observer.server))
            for user in users where user.server != observer.server && wanted.contains(user) {
                // Of a server that is down for good nothing is shown once it is silent: see `comparePeers(of:)`.
                if isGone(user.server) { continue }
                guard lastTruthChange[user].map({ $0 <= instant }) ?? true else { continue }
                // Whom the user does not let see them is told nothing, be they in a room of theirs: they see nobody.
                let isTold = model.isDelivered(user, to: observer) && model.isAudience(observer.server, of: user)
                guard isTold else { continue }
                let truth = truth(of: user).withoutAge
                for (place, knowledge) in [("server", engine.knowledge(of: user)), ("client", client.view[user])] {
                    if World.presence(knowledge).map({ NaiveModel.Look($0).withoutAge }) == truth { continue }
                    let belief = knowledge.map { "\($0)" } ?? "nothing"
                    let device = client.key.device
                    found.append("\(user) is \(truth); to the \(place) of \(observer) (\(device)): \(belief)")
                }
            }
        }
        return found
    }
}
