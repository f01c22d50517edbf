import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime

/// Draws records of every kind, with few keys so that they meet, and with all that their columns may hold.
struct DrawnRecords {
    private var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func next() throws -> Record {
        let (user, other) = (try drawnUser(), try drawnUser())
        switch generator.next() % 24 {
        case 0: return .presence(.status(user, try drawnStatus()))
        case 1: return .presence(.deviceType(try drawnDevice(user), try drawnType()))
        case 2: return .presence(.deviceTypeRemoved(try drawnDevice(user)))
        case 3, 4:
            let entry = StoredEntry(
                state: drawn(EntryState.allCases), request: Int64(bitPattern: generator.next()),
                since: drawnInstant(), note: drawnText(), acl: drawnText(), groups: generator.next())
            return .presence(.entry(observer: user, observed: other, entry))
        case 5: return .presence(.entryRemoved(observer: user, observed: other))
        case 6, 7:
            let consent = StoredConsent(
                state: drawn(StoredConsent.State.allCases),
                request: drawn([nil, Int64(bitPattern: generator.next())]), since: drawnInstant(), note: drawnText())
            return .presence(.consent(observed: user, observer: other, consent))
        case 8: return .presence(.consentRemoved(observed: user, observer: other))
        case 9: return .presence(.listSettings(user, try drawnSettings()))
        case 10, 11: return .presence(.member(try drawnRoom(), user))
        case 12: return .presence(.memberRemoved(try drawnRoom(), user))
        case 13: return .presence(.remote(user, try drawnRemote()))
        case 14: return .presence(.remoteRemoved(user))
        case 15: return .federation(.promiseGiven(user, to: other.server, until: drawnInstant()))
        case 16: return .federation(drawn([.promiseGivenEnded(user, to: other.server), .promiseAskedEnded(user)]))
        case 17:
            let memory = FederationEngine.PeerMemory(
                dialect: drawn(Dialect.allCases), failures: drawn([0, 1, 40]), retryAt: drawn([nil, drawnInstant()]),
                silentSince: drawn([nil, drawnInstant()]))
            return .federation(
                drawn([
                    .promiseAsked(user, until: nil), .peer(user.server, memory), .peer(user.server, memory),
                    .peerForgotten(user.server),
                ]))
        case 18: return .federation(.permissionQueued(drawnMessage(user, other)))
        case 19: return .syncCursors(try drawnDevice(user), drawnCursors())
        case 20: return .syncCursors(try drawnDevice(user), [])
        case 21: return .federation(.permissionDelivered(drawnMessage(user, other)))
        case 22:
            let room = try drawnRoom()
            return .homeserver(drawn([.roomListed(room, drawnInstant()), .roomForgotten(room)]))
        default:
            let room = try drawnRoom()
            return .homeserver(
                drawn([
                    .inviteRefused(user, room, drawnInstant()), .inviteSettled(user, room),
                    .roomsListed(drawnInstant()),
                ]))
        }
    }

    private mutating func drawn<Value>(_ values: [Value]) -> Value {
        values[Int(generator.next() % UInt64(values.count))]
    }

    private mutating func drawnUser() throws -> UserID { try user(drawn(["@a:x", "@b:x", "@é:x", "@c:y", "@C:y"])) }

    private mutating func drawnRoom() throws -> RoomID { try room(drawn(["!a:x", "!b:x", "!hash"])) }

    private mutating func drawnDevice(_ user: UserID) throws -> DeviceKey {
        DeviceKey(user: user, device: try DeviceID(parsing: drawn(["PHONE", "phone", "é / '"])))
    }

    private mutating func drawnType() throws -> DeviceType { try DeviceType(parsing: drawn(["mobile", "a.b_c-9"])) }

    private mutating func drawnInstant() -> Instant {
        drawn([.epoch, instant(1), instant(1_700_000_000_000), .distantFuture])
    }

    private mutating func drawnText() -> String? { drawn([nil, "", "tea", "\0", "a\0b", "e\u{301} 👩‍👩‍👧‍👦"]) }

    private mutating func drawnStatus() throws -> StoredStatus {
        let override = PresenceOverride(
            state: drawn(ChosenState.allCases), text: drawn([.asChosen, .replaced(drawnText())]),
            until: drawn([nil, drawnInstant()]))
        return StoredStatus(
            chosen: drawn(ChosenState.allCases), statusText: drawnText(), override: drawn([nil, override]),
            lastActive: drawn([nil, drawnInstant()]), lastSeen: drawn([nil, drawnInstant()]),
            isConnected: drawn([false, true]), isIdle: drawn([false, true]), shownText: drawnText(),
            shownLastActive: drawn([nil, drawnInstant()]))
    }

    private mutating func drawnRule() throws -> ContactRule {
        drawn([.anyone, .list, .nobody, .group(try group("list")), .group(try group("\u{301} *?['"))])
    }

    private mutating func drawnSettings() throws -> StoredListSettings {
        var settings = StoredListSettings()
        settings.policy = drawn([nil] + ListPolicy.allCases)
        settings.contact.freeForChat = try drawnRule()
        settings.contact.online = try drawnRule()
        settings.contact.busy = try drawnRule()
        settings.contact.unavailable = try drawnRule()
        settings.contact.offline = try drawnRule()
        settings.contact.refusesInvites = drawn([false, true])
        for (place, name) in ["Family", "family", "work", "é"].enumerated() where drawn([false, true]) {
            let slot = UInt8(place * 16) + UInt8(generator.next() % 16)
            settings.groups.append(StoredListSettings.Group(slot: slot, name: try group(name)))
        }
        return settings
    }

    private mutating func drawnRemote() throws -> StoredRemote {
        let presence = Presence(
            state: drawn(PublishedState.allCases), statusText: drawnText(), lastActive: drawn([nil, drawnInstant()]),
            deviceType: drawn([nil, try drawnType()]))
        return StoredRemote(presence: presence, goodUntil: drawn([nil, drawnInstant()]))
    }

    private mutating func drawnCursors() -> [SyncCursors.Cursor] {
        (0...generator.next() % UInt64(SyncCursors.perDevice - 1)).map { _ in
            SyncCursors.Cursor(
                mark: SyncCursors.Mark(high: generator.next(), low: drawn([0, .max])),
                position: PresenceRuntime.StreamPosition(
                    boot: drawn([0, 1, .max]),
                    reached: PresenceEngine.Position(version: generator.next(), own: generator.next())))
        }
    }

    private mutating func drawnMessage(_ observed: UserID, _ observer: UserID) -> PermissionMessage {
        PermissionMessage(
            drawn(PermissionMessage.Kind.allCases), observed: observed, observer: observer,
            request: drawn([nil, Int64(bitPattern: generator.next())]), note: drawnText())
    }
}

/// What a disk must hold after so many records, in the plainest way.
struct RecordsOnDisk: Equatable {
    private(set) var rows: [[String]: Record] = [:]

    mutating func append(_ record: Record) {
        switch record {
        case .presence(let row): append(row)
        case .federation(let row): append(row)
        case .syncCursors(let key, let cursors):
            rows[["cursors", key.user.text, key.device.text]] = cursors.isEmpty ? nil : record
        case .homeserver(let row): append(row)
        }
    }

    private mutating func append(_ record: HomeserverRecord) {
        let row = Record.homeserver(record)
        switch record {
        case .roomListed(let room, _): rows[["listed", room.text]] = row
        case .roomForgotten(let room): rows[["listed", room.text]] = nil
        case .inviteRefused(let user, let room, _): rows[["refused", user.text, room.text]] = row
        case .inviteSettled(let user, let room): rows[["refused", user.text, room.text]] = nil
        case .roomsListed: rows[["all listed"]] = row
        }
    }

    private mutating func append(_ record: PresenceEngine.Record) {
        let row = Record.presence(record)
        switch record {
        case .status(let user, _): rows[["status", user.text]] = row
        case .deviceType(let key, _): rows[["type", key.user.text, key.device.text]] = row
        case .deviceTypeRemoved(let key): rows[["type", key.user.text, key.device.text]] = nil
        case .entry(let observer, let observed, _): rows[["entry", observer.text, observed.text]] = row
        case .entryRemoved(let observer, let observed): rows[["entry", observer.text, observed.text]] = nil
        case .consent(let observed, let observer, _): rows[["consent", observed.text, observer.text]] = row
        case .consentRemoved(let observed, let observer): rows[["consent", observed.text, observer.text]] = nil
        case .listSettings(let user, _): rows[["settings", user.text]] = row
        case .member(let room, let user): rows[["member", room.text, user.text]] = row
        case .memberRemoved(let room, let user): rows[["member", room.text, user.text]] = nil
        case .remote(let user, _): rows[["remote", user.text]] = row
        case .remoteRemoved(let user): rows[["remote", user.text]] = nil
        }
    }

    private mutating func append(_ record: FederationEngine.Record) {
        let row = Record.federation(record)
        switch record {
        case .promiseGiven(let user, let server, _): rows[["given", user.text, server.text]] = row
        case .promiseGivenEnded(let user, let server): rows[["given", user.text, server.text]] = nil
        case .promiseAsked(let user, _): rows[["asked", user.text]] = row
        case .promiseAskedEnded(let user): rows[["asked", user.text]] = nil
        case .peer(let server, _): rows[["peer", server.text]] = row
        case .peerForgotten(let server): rows[["peer", server.text]] = nil
        case .permissionQueued(let message): rows[key(of: message)] = row
        case .permissionDelivered(let message): rows[key(of: message)] = nil
        }
    }

    private func key(of message: PermissionMessage) -> [String] {
        [message.kind == .invite ? "invite" : "answer", message.observed.text, message.observer.text]
    }
}

extension RecordsOnDisk {
    /// What a load found: one row for each key, or `nil` if it found two.
    init?(_ snapshot: PresenceInstance.Snapshot) {
        let records = snapshot.records
        for record in records { append(record) }
        guard rows.count == records.count else { return nil }
    }
}

extension PresenceInstance.Snapshot {
    /// The records that would save it, in the order of the tables.
    var records: [Record] {
        var presence: [PresenceEngine.Record] = self.presence.statuses.map { .status($0.user, $0.status) }
        presence += self.presence.deviceTypes.map { .deviceType($0.device, $0.type) }
        presence += self.presence.entries.map { .entry(observer: $0.observer, observed: $0.observed, $0.entry) }
        presence += self.presence.consents.map { .consent(observed: $0.observed, observer: $0.observer, $0.consent) }
        presence += self.presence.listSettings.map { .listSettings($0.user, $0.settings) }
        presence += self.presence.members.map { .member($0.room, $0.user) }
        presence += self.presence.remotes.map { .remote($0.user, $0.remote) }
        var federation: [FederationEngine.Record] = self.federation.given.map {
            .promiseGiven($0.user, to: $0.server, until: $0.until)
        }
        federation += self.federation.asked.map { .promiseAsked($0.user, until: $0.until) }
        federation += self.federation.peers.map { .peer($0.server, $0.memory) }
        federation += self.federation.permissions.map { .permissionQueued($0) }
        let cursors = syncCursors.map { Record.syncCursors($0.key, $0.cursors) }
        var homeserver: [HomeserverRecord] = self.homeserver.rooms.map { .roomListed($0.room, $0.listed) }
        homeserver += self.homeserver.refusedInvites.map { .inviteRefused($0.user, $0.room, $0.since) }
        if let roomsListed = self.homeserver.roomsListed { homeserver.append(.roomsListed(roomsListed)) }
        return presence.map { .presence($0) } + federation.map { .federation($0) } + cursors
            + homeserver.map { .homeserver($0) }
    }
}
