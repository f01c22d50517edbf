import PresenceEngine
import PresenceModel

// Who may see whom, whom one may write to, and who wants to know.
extension NaiveModel {
    /// Whether both are in one room that counts, as far as `server` was told.
    func share(_ one: UserID, _ other: UserID, on server: ServerName) -> Bool {
        (rooms[server] ?? [:]).contains { room, members in
            !limits.excludedRooms.contains(room) && members.contains(one) && members.contains(other)
        }
    }

    /// Whether the observer's server answers them about `observed`.
    func maySee(_ observer: UserID, _ observed: UserID) -> Bool {
        if observer == observed { return true }
        let shares = share(observer, observed, on: observer.server)
        guard observed.server == observer.server else {
            return shares || entries[observer]?[observed]?.state == .accepted
        }
        switch consents[observed]?[observer]?.state {
        case .blocked: return false
        case .granted: return true
        case .requested, nil: return shares
        }
    }

    /// Whether news of `observed` come to the observer's streams by themselves. Leave alone is not enough: it takes an
    /// entry, or a room.
    func isDelivered(_ observed: UserID, to observer: UserID) -> Bool {
        guard observer != observed, maySee(observer, observed) else { return false }
        return entries[observer]?[observed] != nil && isAllowedByConsent(observed, to: observer)
            || share(observer, observed, on: observer.server)
    }

    private func isAllowedByConsent(_ observed: UserID, to observer: UserID) -> Bool {
        observed.server == observer.server
            ? consents[observed]?[observer]?.state == .granted : entries[observer]?[observed]?.state == .accepted
    }

    /// Whether the user's server may tell `server` of the user: someone there may see them.
    func isAudience(_ server: ServerName, of user: UserID) -> Bool {
        let theirs = consents[user] ?? [:]
        if theirs.contains(where: { $0.key.isHosted(by: server) && $0.value.state == .granted }) { return true }
        let shared = (rooms[user.server] ?? [:]).filter {
            !limits.excludedRooms.contains($0.key) && $0.value.contains(user)
        }
        return shared.values.contains { members in
            members.contains { $0.isHosted(by: server) && theirs[$0]?.state != .blocked }
        }
    }

    /// Whether someone at `server` may see the user by leave, or by a room that is not too large.
    func isNear(_ server: ServerName, to user: UserID) -> Bool {
        let theirs = consents[user] ?? [:]
        if theirs.contains(where: { $0.key.isHosted(by: server) && $0.value.state == .granted }) { return true }
        return (rooms[user.server] ?? [:]).contains { room, members in
            !limits.excludedRooms.contains(room) && members.contains(user) && members.count <= limits.nearRoomLimit
                && members.contains { $0.isHosted(by: server) && theirs[$0]?.state != .blocked }
        }
    }

    /// Whether a server has a reason to keep anything of another server's user.
    func isOfConcern(_ user: UserID, to server: ServerName) -> Bool {
        entries.contains { $0.key.isHosted(by: server) && $0.value[user] != nil }
            || (rooms[server] ?? [:]).values.contains { $0.contains(user) }
    }

    /// `nil`: not decided on the asker's server.
    func mayContact(_ asker: UserID, _ user: UserID, at now: Instant) -> Bool {
        if asker == user { return true }
        guard known.contains(user), consents[user]?[asker]?.state != .blocked else { return false }
        switch rule(of: user, at: now) {
        case .anyone: return true
        case .nobody: return false
        case .list: return entries[user]?[asker].map { $0.state != .denied } ?? false
        case .group(let name): return groups[user]?[name]?.contains(asker) ?? false
        }
    }

    private func rule(of user: UserID, at now: Instant) -> ContactRule {
        let policy = contacts[user] ?? ContactPolicy()
        let person = person(user, at: now)
        if person.shown.state == .offline { return policy.offline }
        switch person.effective {
        case .freeForChat: return policy.freeForChat
        case .online: return policy.online
        case .busy: return policy.busy
        case .unavailable: return policy.unavailable
        case .offline, .hidden: return policy.offline
        }
    }

    /// Users of other servers whom `server` is to keep itself posted on: someone there wants to know of them.
    func wanted(by server: ServerName, at now: Instant) -> Set<UserID> {
        var found: Set<UserID> = []
        for user in known where user.isHosted(by: server) { found.formUnion(wanted(by: user, at: now)) }
        return found
    }

    private func wanted(by user: UserID, at now: Instant) -> Set<UserID> {
        let person = person(user, at: now)
        let isAway = person.effective == .hidden || person.effective == .offline
        guard limits.hiddenUsersCare || !isAway else { return [] }
        let remote = (entries[user] ?? [:]).filter { $0.key.server != user.server && $0.value.state == .accepted }
        let list = Set(remote.keys)
        if let interest = interests[user], now < interest.until {
            guard case .selected(let names, let others) = interest.scope else { return list }
            let members = names.reduce(into: Set<UserID>()) { $0.formUnion(groups[user]?[$1] ?? []) }
            return list.intersection(members).union(others.filter { $0.server != user.server && maySee(user, $0) })
        }
        guard !person.sessions.isEmpty || hasOpenStream(user) else { return [] }
        let companions = (rooms[user.server] ?? [:]).filter {
            !limits.excludedRooms.contains($0.key) && $0.value.contains(user)
        }
        return companions.values.reduce(list) { $0.union($1.filter { $0.server != user.server }) }
    }
}
