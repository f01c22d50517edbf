import PresenceModel

// What a user has to do with others. Asking changes nothing.
extension PresenceEngine {
    /// One device of a user.
    public struct DeviceView: Hashable, Sendable {
        /// Whose token it is.
        public var device: DeviceID
        /// False: only its type is known.
        public var isConnected: Bool
        /// A client of it listens.
        public var isListening: Bool
        /// Since when nobody did anything; `nil` if not idle or not connected.
        public var idleSince: Instant?
        /// `nil` if not connected.
        public var lastActive: Instant?
        /// As it was reported last.
        public var type: DeviceType?
    }

    /// One line of a presence list.
    public struct EntryView: Hashable, Sendable {
        /// Who is on the list.
        public var user: UserID
        /// What is kept of it.
        public var entry: StoredEntry
        /// In the order of their names.
        public var groups: [GroupName]
        /// `nil`: the list's owner may not see them.
        public var knowledge: Knowledge?
    }

    /// Someone who asks to see a user.
    public struct RequestView: Hashable, Sendable {
        /// Who asks.
        public var user: UserID
        /// Their words.
        public var note: String?
        /// When they asked first.
        public var since: Instant
    }

    /// One group of a presence list.
    public struct GroupView: Hashable, Sendable {
        /// Its name.
        public var name: GroupName
        /// In the order of their names.
        public var members: [UserID]
    }

    /// The devices that are connected or whose type is known, in the order of their names.
    public func devices(of user: UserID, at now: Instant) -> [DeviceView] {
        guard let number = number(of: user) else { return [] }
        var views: [DeviceView] = []
        for lease in users[number].devices where lease.isConnected(at: now, offlineAfter: limits.offlineAfter) {
            let isIdle = lease.isIdle(at: now, idleAfter: limits.idleAfter)
            views.append(
                DeviceView(
                    device: lease.device, isConnected: true, isListening: lease.openStreams > 0,
                    idleSince: isIdle ? lease.lastActive : nil, lastActive: lease.lastActive, type: lease.type))
        }
        for remembered in deviceTypes[number] ?? [] where !views.contains(where: { $0.device == remembered.device }) {
            views.append(
                DeviceView(
                    device: remembered.device, isConnected: false, isListening: false, type: remembered.type))
        }
        return views.sorted { $0.device < $1.device }
    }

    /// Whom `observer` wants to see, in the order of names; with a group, those in it.
    public func list(of observer: UserID, group: GroupName? = nil) -> [EntryView] {
        guard let number = number(of: observer), let related = relations[number] else { return [] }
        let slot = group.map { self.slot(of: $0, observer) }
        if case .some(nil) = slot { return [] }
        let mask = slot.flatMap(\.self).map { UInt64(1) << UInt64($0) }
        return related.entries.filter { mask == nil || $0.stored.groups & (mask ?? 0) != 0 }.map { entry in
            EntryView(
                user: profiles[entry.target].id, entry: entry.stored,
                groups: related.settings.groups.filter { entry.stored.groups & (1 << UInt64($0.slot)) != 0 }.map(
                    \.name),
                knowledge: maySee(observer: number, observed: entry.target) ? knowledge(of: entry.target) : nil)
        }.sorted { $0.user < $1.user }
    }

    /// Who asks to see `user`, who asked first before the others.
    public func requests(to user: UserID) -> [RequestView] {
        consents(of: user, in: .requested).map {
            RequestView(user: $0.user, note: $0.stored.note, since: $0.stored.since)
        }
        .sorted { ($0.since, $0.user) < ($1.since, $1.user) }
    }

    /// Whom `user` lets see them, in the order of names.
    public func granted(by user: UserID) -> [UserID] { consents(of: user, in: .granted).map(\.user) }

    /// Whom `user` blocks, in the order of names.
    public func blocked(by user: UserID) -> [UserID] { consents(of: user, in: .blocked).map(\.user) }

    /// The groups of a user's list, in the order of names.
    public func groups(of user: UserID) -> [GroupView] {
        guard let related = relations(of: user) else { return [] }
        return related.settings.groups.map { group in
            let members = related.entries.filter { $0.stored.groups & (1 << UInt64(group.slot)) != 0 }
            return GroupView(name: group.name, members: members.map { profiles[$0.target].id }.sorted())
        }
    }

    /// What the user picked; `nil`: what the configuration says.
    public func listPolicy(of user: UserID) -> ListPolicy? { relations(of: user)?.settings.policy }

    /// Who may open a chat with the user.
    public func contactPolicy(of user: UserID) -> ContactPolicy {
        relations(of: user)?.settings.contact ?? ContactPolicy()
    }

    /// Whether `asker` may open a one-to-one chat with `user`; `nil`: that is for another server to say.
    public func mayContact(from asker: UserID, to user: UserID) -> Bool? {
        guard user.isHosted(by: server) else { return nil }
        if asker == user { return true }
        guard let target = number(of: user), users[target].isKnown else { return false }
        let related = relations[target] ?? Relations()
        let other = number(of: asker)
        if let other, related.consent(for: other)?.state == .blocked { return false }
        switch rule(of: target, related.settings.contact) {
        case .anyone: return true
        case .nobody: return false
        case .list: return other.flatMap { related.entry(for: $0) }.map { $0.state != .denied } ?? false
        case .group(let name):
            guard let slot = related.settings.groups.first(where: { $0.name == name })?.slot else { return false }
            return other.flatMap { related.entry(for: $0) }.map { $0.groups & (1 << UInt64(slot)) != 0 } ?? false
        }
    }

    private func rule(of number: Int, _ policy: ContactPolicy) -> ContactRule {
        guard users[number].state != .offline else { return policy.offline }
        switch users[number].effective {
        case .freeForChat: return policy.freeForChat
        case .online: return policy.online
        case .busy: return policy.busy
        case .unavailable: return policy.unavailable
        case .offline, .hidden: return policy.offline
        }
    }

    /// What the user wants to be kept posted on expressly, and until when.
    public func interest(of user: UserID) -> (scope: InterestScope, until: Instant)? {
        number(of: user).flatMap { interests[$0] }.map { ($0.scope, $0.until) }
    }

    /// Who is in the room, in the order of names.
    public func members(of room: RoomID) -> [UserID] {
        roomNumbers[room].map { rooms[$0].members.map { profiles[$0].id }.sorted() } ?? []
    }

    /// Those in the room whom this server hosts, in the order of names.
    public func localMembers(of room: RoomID) -> [UserID] {
        roomNumbers[room].map { rooms[$0].locals.map { profiles[$0].id }.sorted() } ?? []
    }

    /// Whether anybody whom this server hosts is in the room.
    public func hasLocalMembers(_ room: RoomID) -> Bool { roomNumbers[room].map { !rooms[$0].locals.isEmpty } ?? false }

    /// The rooms in which somebody here cares about the others, in the order of their names.
    public var roomsInUse: [RoomID] { rooms.filter { !$0.members.isEmpty && $0.caring > 0 }.map(\.id).sorted() }

    /// The local users with a device that is held as connected, or a stream, in the order of names.
    public var attentiveUsers: [UserID] {
        users.indices.filter { users[$0].isLocal && users[$0].isAttentive }.map { profiles[$0].id }.sorted()
    }

    /// The rooms that the user is in, in the order of their names.
    public func rooms(of user: UserID) -> [RoomID] {
        (relations(of: user)?.rooms ?? []).map { rooms[$0].id }.sorted()
    }

    /// The rooms that anybody is in, in the order of their names.
    public var allRooms: [RoomID] { rooms.filter { !$0.members.isEmpty }.map(\.id).sorted() }

    private func consents(
        of user: UserID, in state: StoredConsent.State
    ) -> [(user: UserID, stored: StoredConsent)] {
        (relations(of: user)?.consents ?? []).filter { $0.stored.state == state }
            .map { (profiles[$0.observer].id, $0.stored) }.sorted { $0.user < $1.user }
    }
}
