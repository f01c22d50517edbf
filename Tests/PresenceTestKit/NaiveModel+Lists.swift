import PresenceEngine
import PresenceModel

// Presence lists: entries, consents, groups, policies.
extension NaiveModel {
    // MARK: What cannot be done

    /// Why the rules refuse an event, if they do.
    func refusal(of event: PresenceEngine.Event, on server: ServerName) -> PresenceEngine.Refusal? {
        switch event {
        case .entryAdded(let observer, let observed, _, _):
            if observer == observed { return .oneself }
            let list = entries[observer] ?? [:]
            let isFull = list[observed] == nil && list.count >= limits.listEntriesPerUser
            return isFull ? .listFull(limit: limits.listEntriesPerUser) : nil
        case .requestAccepted(let observed, let observer), .requestDenied(let observed, let observer):
            let state = consents[observed]?[observer]?.state
            return state == .requested || state == .granted ? nil : .noSuchRequest
        case .userBlocked(let user, let other):
            if user == other { return .oneself }
            let all = consents[user] ?? [:]
            let isFull = all.values.count { $0.state == .blocked } >= limits.consentsPerUser
            return isFull && all[other]?.state != .blocked ? .consentsFull(limit: limits.consentsPerUser) : nil
        case .roomJoined(let user, let room):
            // Of other servers' users no more is known than that they are in rooms with users of this one.
            let theirs = (rooms[server] ?? [:]).filter { $0.value.contains(user) }
            let isFull = theirs[room] == nil && theirs.count >= limits.roomsPerUser
            return isFull && user.isHosted(by: server) ? .roomsFull(limit: limits.roomsPerUser) : nil
        case .contactPolicyChosen(let user, let policy):
            let isMissing = NaiveModel.contactRules.contains { rule in
                guard case .group(let name) = policy[keyPath: rule] else { return false }
                return groups[user]?[name] == nil
            }
            return isMissing ? .noSuchGroup : nil
        case .interestSet(let user, .selected(groups: let names, users: let others)?, _):
            if names.contains(where: { groups[user]?[$0] == nil }) { return .noSuchGroup }
            return others.allSatisfy { mayBeAskedAbout($0, by: user) } ? nil : .notVisible
        default:
            return refusalOfGroup(event)
        }
    }

    private func refusalOfGroup(_ event: PresenceEngine.Event) -> PresenceEngine.Refusal? {
        switch event {
        case .groupAdded(let user, let name):
            let all = groups[user] ?? [:]
            let isFull = all[name] == nil && all.count >= min(limits.groupsPerUser, 64)
            return isFull ? .groupsFull(limit: min(limits.groupsPerUser, 64)) : nil
        case .groupRenamed(let user, let name, let new):
            if groups[user]?[name] == nil { return .noSuchGroup }
            return groups[user]?[new] != nil && new != name ? .groupExists : nil
        case .groupRemoved(let user, let name):
            return groups[user]?[name] == nil ? .noSuchGroup : nil
        case .memberAdded(let user, let name, let member), .memberRemoved(let user, let name, let member):
            if groups[user]?[name] == nil { return .noSuchGroup }
            return entries[user]?[member] == nil ? .noSuchEntry : nil
        default:
            return nil
        }
    }

    private func mayBeAskedAbout(_ other: UserID, by user: UserID) -> Bool {
        entries[user]?[other] != nil || maySee(user, other)
    }

    // MARK: What happens

    /// - Returns: whether the event was about lists. Who does something with their list is known from then on.
    mutating func noteList(_ event: PresenceEngine.Event, at now: Instant) -> Bool {
        switch event {
        case .entryAdded(let observer, let observed, let note, let acl):
            known.insert(observer)
            add(observed, to: observer, note, acl, at: now)
        case .entryRemoved(let observer, let observed):
            remove(observed, from: observer)
        case .requestAccepted(let observed, let observer):
            known.insert(observed)
            consents[observed]?[observer]?.state = .granted
            answer(observer, by: observed, .accepted)
        case .requestDenied(let observed, let observer):
            known.insert(observed)
            consents[observed]?[observer] = nil
            answer(observer, by: observed, .denied)
        case .userBlocked(let user, let other):
            known.insert(user)
            consents[user, default: [:]][other] = Consent(state: .blocked)
            answer(other, by: user, .denied)
        case .userUnblocked(let user, let other):
            known.insert(user)
            if consents[user]?[other]?.state == .blocked { consents[user]?[other] = nil }
        case .permissionReceived(let message):
            receive(message)
        case .listPolicyChosen(let user, let policy):
            known.insert(user)
            policies[user] = policy
        case .contactPolicyChosen(let user, let policy):
            known.insert(user)
            contacts[user] = policy
        default:
            return noteGroup(event)
        }
        return true
    }

    private mutating func noteGroup(_ event: PresenceEngine.Event) -> Bool {
        switch event {
        case .groupAdded(let user, let name):
            known.insert(user)
            if groups[user]?[name] == nil { groups[user, default: [:]][name] = [] }
        case .groupRenamed(let user, let name, let new):
            let members = groups[user]?.removeValue(forKey: name)
            groups[user]?[new] = members
            follow(name, to: new, of: user)
        case .groupRemoved(let user, let name):
            groups[user]?[name] = nil
            replace(.group(name), by: .nobody, of: user)
        case .memberAdded(let user, let name, let member): groups[user]?[name]?.insert(member)
        case .memberRemoved(let user, let name, let member): groups[user]?[name]?.remove(member)
        default: return false
        }
        return true
    }

    private mutating func replace(_ old: ContactRule, by new: ContactRule, of user: UserID) {
        var policy = contacts[user] ?? ContactPolicy()
        for rule in NaiveModel.contactRules where policy[keyPath: rule] == old { policy[keyPath: rule] = new }
        contacts[user] = policy
    }

    private static var contactRules: [WritableKeyPath<ContactPolicy, ContactRule>] {
        [\.freeForChat, \.online, \.busy, \.unavailable, \.offline]
    }

    /// What names a group follows it to its new name.
    private mutating func follow(_ name: GroupName, to new: GroupName, of user: UserID) {
        replace(.group(name), by: .group(new), of: user)
        if case .selected(let names, let users)? = interests[user]?.scope {
            interests[user]?.scope = .selected(groups: names.map { $0 == name ? new : $0 }, users: users)
        }
    }

    private mutating func add(
        _ observed: UserID, to observer: UserID, _ note: String?, _ acl: String?, at now: Instant
    ) {
        let before = entries[observer]?[observed]
        let number = max((before?.request ?? 0) + 1, now.millisecondsSinceEpoch)
        var entry = before ?? Entry(state: .denied, request: number)
        entry.note = note
        entry.acl = acl
        if entry.state != .accepted {
            entry.request = number
            // Another server decides when the request reaches it.
            let isLocal = observed.server == observer.server
            entry.state = isLocal ? decide(observer, about: observed, number, note) : .pending
        }
        entries[observer, default: [:]][observed] = entry
        // To ask someone who waits for one's own leave is to give it.
        if limits.grantsMutually, consents[observer]?[observed]?.state == .requested {
            consents[observer]?[observed]?.state = .granted
            answer(observed, by: observer, .accepted)
        }
    }

    /// What a request of `observer` to see `observed` comes to on the server of `observed`. The first that applies.
    private mutating func decide(
        _ observer: UserID, about observed: UserID, _ number: Int64, _ note: String?
    ) -> EntryState {
        func set(_ state: StoredConsent.State) { consents[observed, default: [:]][observer] = consent(state) }
        func consent(_ state: StoredConsent.State) -> Consent {
            Consent(state: state, request: number, note: state == .requested ? note : nil)
        }
        let standing = consents[observed]?[observer]?.state
        guard known.contains(observed), standing != .blocked else { return .denied }
        let isMutual = limits.grantsMutually && (entries[observed]?[observer].map { $0.state != .denied } ?? false)
        let policy = policy(of: observed, for: observer.server)
        var isGranted = standing == .granted || isMutual
        if !isGranted, policy == .acceptAll { isGranted = true }
        if !isGranted, policy == .acceptSharedRoom { isGranted = share(observed, observer, on: observed.server) }
        let hasRoom = hasRoomForConsent(of: observed, for: observer)
        if isGranted, hasRoom {
            set(.granted)
            return .accepted
        }
        let waiting = (consents[observed] ?? [:]).filter { $0.value.state == .requested }.keys
        let compatriots = waiting.filter { $0.server == observer.server }
        let isCrowd = observer.server != observed.server && compatriots.count >= limits.requestsPerServer
        let mayAsk = standing == .requested || (waiting.count < limits.requestsPerUser && !isCrowd)
        guard !isGranted, policy != .denyAll, hasRoom, mayAsk else {
            consents[observed]?[observer] = nil
            return .denied
        }
        set(.requested)
        return .pending
    }

    private func hasRoomForConsent(of user: UserID, for other: UserID) -> Bool {
        let all = consents[user] ?? [:]
        return all[other] != nil || all.values.count { $0.state != .blocked } < limits.consentsPerUser
    }

    private func policy(of user: UserID, for server: ServerName) -> ListPolicy {
        let configured = limits.listPolicyByServer[server]
        if configured == .denyAll { return .denyAll }
        return policies[user] ?? configured ?? limits.listPolicy
    }

    private mutating func remove(_ observed: UserID, from observer: UserID) {
        entries[observer]?[observed] = nil
        for name in (groups[observer] ?? [:]).keys { groups[observer]?[name]?.remove(observed) }
        let isWaiting = consents[observed]?[observer]?.state == .requested
        if observed.server == observer.server, isWaiting { consents[observed]?[observer] = nil }
    }

    /// What a user said is on the other's list at once, if both live here; another server hears of it later.
    private mutating func answer(_ observer: UserID, by observed: UserID, _ state: EntryState) {
        guard observer.server == observed.server else { return }
        entries[observer]?[observed]?.state = state
    }

    private mutating func receive(_ message: PermissionMessage) {
        let (observed, observer) = (message.observed, message.observer)
        guard message.kind != .invite else {
            let kept = consents[observed]?[observer]?.request
            if let kept, let request = message.request, request < kept { return }
            _ = decide(observer, about: observed, message.request ?? 0, message.note)
            return
        }
        guard let entry = entries[observer]?[observed] else { return }
        guard message.request == nil || message.request == entry.request else { return }
        switch (message.kind, entry.state) {
        // The latest word on a request counts, even where a repeated request was denied in between.
        case (.accept, .denied) where message.request != nil: entries[observer]?[observed]?.state = .accepted
        case (.accept, .pending): entries[observer]?[observed]?.state = .accepted
        case (.deny, .pending), (.deny, .accepted): entries[observer]?[observed]?.state = .denied
        default: break
        }
    }
}
