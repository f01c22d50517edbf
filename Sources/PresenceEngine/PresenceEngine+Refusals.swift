import PresenceModel

extension PresenceEngine {
    /// Why something that a user asks for cannot be done. Nothing changes then.
    public enum Refusal: Error, Hashable, Sendable {
        /// Everyone sees themselves; there is nothing to add, ask or block.
        case oneself
        case listFull(limit: Int)
        case groupsFull(limit: Int)
        case roomsFull(limit: Int)
        /// Too many users are blocked.
        case consentsFull(limit: Int)
        /// Not on the user's list.
        case noSuchEntry
        /// There is no such group.
        case noSuchGroup
        /// There is a group of that name already.
        case groupExists
        /// Nobody of that name waits for an answer, or was granted.
        case noSuchRequest
        /// Neither on the list nor in a room of the user's.
        case notVisible
    }

    /// Why the event would be refused at this moment; `nil` if it would not, or cannot be.
    public func refusal(of event: Event) -> Refusal? {
        switch event {
        case .entryAdded(let observer, let observed, _, _), .requestRelayed(let observer, let observed, _):
            return refusal(addingEntryOf: observed, for: observer)
        case .requestAccepted(let observed, let observer), .requestDenied(let observed, let observer):
            switch consent(of: observed, for: observer)?.state {
            case .requested, .granted: return nil
            case .blocked, nil: return .noSuchRequest
            }
        case .consentRelayed(let observed, let observer):
            return refusal(relayingConsentOf: observed, for: observer)
        case .userBlocked(let observed, let observer):
            guard observed != observer else { return .oneself }
            guard consent(of: observed, for: observer)?.state != .blocked else { return nil }
            let count = relations(of: observed)?.consents.count { $0.stored.state == .blocked } ?? 0
            let limit = configuration.consentsPerUser
            return count >= limit ? .consentsFull(limit: limit) : nil
        case .groupAdded(let user, let name):
            guard slot(of: name, user) == nil else { return nil }
            let limit = min(configuration.groupsPerUser, PresenceEngine.groupLimit)
            return relations(of: user)?.settings.groups.count ?? 0 >= limit ? .groupsFull(limit: limit) : nil
        case .groupRenamed(let user, let name, let other):
            guard slot(of: name, user) != nil else { return .noSuchGroup }
            return name != other && slot(of: other, user) != nil ? .groupExists : nil
        case .groupRemoved(let user, let name):
            return slot(of: name, user) == nil ? .noSuchGroup : nil
        case .memberAdded(let user, let name, let member), .memberRemoved(let user, let name, let member):
            guard slot(of: name, user) != nil else { return .noSuchGroup }
            return entry(of: user, for: member) == nil ? .noSuchEntry : nil
        case .contactPolicyChosen(let user, let policy):
            let rules = [policy.freeForChat, policy.online, policy.busy, policy.unavailable, policy.offline]
            let isMissing = rules.contains {
                if case .group(let name) = $0 { slot(of: name, user) == nil } else { false }
            }
            return isMissing ? .noSuchGroup : nil
        case .roomJoined(let user, let room):
            return refusal(joining: room, user)
        case .interestSet(let user, .selected(let groups, let users), _):
            return refusal(ofInterestIn: groups, users, by: user)
        default:
            return nil
        }
    }

    private func refusal(addingEntryOf observed: UserID, for observer: UserID) -> Refusal? {
        if observed == observer { return .oneself }
        guard entry(of: observer, for: observed) == nil else { return nil }
        let limit = configuration.listEntriesPerUser
        return relations(of: observer)?.entries.count ?? 0 >= limit ? .listFull(limit: limit) : nil
    }

    private func refusal(relayingConsentOf observed: UserID, for observer: UserID) -> Refusal? {
        if observed == observer { return .oneself }
        switch consent(of: observed, for: observer)?.state {
        case .granted, .requested: return nil
        case .blocked: return .noSuchRequest
        case nil:
            let open = relations(of: observed)?.consents.count { $0.stored.state != .blocked } ?? 0
            let limit = configuration.consentsPerUser
            return open >= limit ? .consentsFull(limit: limit) : nil
        }
    }

    private func refusal(joining room: RoomID, _ user: UserID) -> Refusal? {
        guard user.isHosted(by: server), let joined = relations(of: user)?.rooms else { return nil }
        let isMember = roomNumbers[room].map { joined.containsSorted($0) } ?? false
        let limit = configuration.roomsPerUser
        return !isMember && joined.count >= limit ? .roomsFull(limit: limit) : nil
    }

    private func refusal(ofInterestIn groups: [GroupName], _ wanted: [UserID], by user: UserID) -> Refusal? {
        for group in groups where slot(of: group, user) == nil { return .noSuchGroup }
        guard let number = number(of: user) else { return wanted.isEmpty ? nil : .notVisible }
        for name in wanted {
            guard let target = self.number(of: name) else { return .notVisible }
            let isListed = relations[number]?.entry(for: target) != nil
            guard isListed || maySee(observer: number, observed: target) else { return .notVisible }
        }
        return nil
    }

    // MARK: By name

    func relations(of user: UserID) -> Relations? { number(of: user).flatMap { relations[$0] } }

    func entry(of observer: UserID, for observed: UserID) -> StoredEntry? {
        number(of: observed).flatMap { relations(of: observer)?.entry(for: $0) }
    }

    func consent(of observed: UserID, for observer: UserID) -> StoredConsent? {
        number(of: observer).flatMap { relations(of: observed)?.consent(for: $0) }
    }
}
