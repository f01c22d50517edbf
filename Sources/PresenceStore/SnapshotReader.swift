import FederationEngine
import GRDB
import PresenceEngine
import PresenceModel
import PresenceRuntime

/// Rows of one table that a load left out, because a foreign hand made something of them that no row of ours is.
public struct SkippedRows: Hashable, Sendable {
    /// The table they are in; they stay there.
    public var table: String
    /// How many.
    public var count: Int
    /// The first of them: its key as far as it is text, and the column that does not parse.
    public var firstKey: String
    /// See ``firstKey``.
    public var firstColumn: String
}

/// Reads all tables, each in the order of its keys' bytes.
struct SnapshotReader {
    let database: Database
    /// By table, in the order of reading; tables without any are not in it.
    private(set) var skipped: [SkippedRows] = []

    init(_ database: Database) { self.database = database }

    mutating func snapshot() throws -> PresenceInstance.Snapshot {
        var snapshot = PresenceInstance.Snapshot()
        snapshot.presence = try presence()
        snapshot.federation = try federation()
        snapshot.syncCursors = try rows(of: "sync_cursor", ["user", "device", "cursors"], by: "user, device") {
            (row) throws(UnparsableColumn) in
            (DeviceKey(user: try row.user(0), device: try row.device(1)), try row.syncCursors(2))
        }
        snapshot.homeserver = try homeserver()
        return snapshot
    }

    private mutating func homeserver() throws -> HomeserverSnapshot {
        var snapshot = HomeserverSnapshot()
        snapshot.rooms = try rows(of: "listed_room", ["room", "listed"], by: "room") {
            (row) throws(UnparsableColumn) in (try row.room(0), try row.present(1, row.instant))
        }
        snapshot.refusedInvites = try rows(of: "refused_invite", ["user", "room", "since"], by: "user, room") {
            (row) throws(UnparsableColumn) in
            (try row.user(0), try row.room(1), try row.present(2, row.instant))
        }
        snapshot.roomsListed = try Int64.fetchOne(
            database, sql: "SELECT value FROM meta WHERE key = 'rooms_listed' AND typeof(value) = 'integer'"
        ).map { Instant(millisecondsSinceEpoch: $0) }
        return snapshot
    }

    private mutating func presence() throws -> PresenceEngine.Snapshot {
        var snapshot = PresenceEngine.Snapshot()
        snapshot.statuses = try statuses()
        snapshot.deviceTypes = try rows(of: "device_type", ["user", "device", "type"], by: "user, device") {
            (row) throws(UnparsableColumn) in
            (DeviceKey(user: try row.user(0), device: try row.device(1)), try row.deviceType(2))
        }
        snapshot.entries = try entries()
        snapshot.consents = try consents()
        snapshot.listSettings = try listSettings()
        snapshot.members = try rows(of: "room_member", ["room", "user"], by: "room, user") {
            (row) throws(UnparsableColumn) in (try row.room(0), try row.user(1))
        }
        snapshot.remotes = try rows(
            of: "remote_presence", ["user", "state", "status_text", "last_active", "device_type", "good_until"],
            by: "user"
        ) { (row) throws(UnparsableColumn) in
            let presence = Presence(
                state: try row.word(1), statusText: try row.statusText(2), lastActive: try row.instant(3),
                deviceType: row.isNull(4) ? nil : try row.deviceType(4))
            return (try row.user(0), StoredRemote(presence: presence, goodUntil: try row.instant(5)))
        }
        return snapshot
    }

    private mutating func federation() throws -> FederationEngine.Snapshot {
        var snapshot = FederationEngine.Snapshot()
        snapshot.given = try rows(of: "promise_given", ["user", "server", "until"], by: "user, server") {
            (row) throws(UnparsableColumn) in
            (try row.user(0), try row.server(1), try row.present(2, row.instant))
        }
        snapshot.asked = try rows(of: "promise_asked", ["user", "until"], by: "user") {
            (row) throws(UnparsableColumn) in (try row.user(0), try row.instant(1))
        }
        snapshot.peers = try rows(
            of: "peer", ["server", "dialect", "failures", "retry_at", "silent_since"], by: "server"
        ) { (row) throws(UnparsableColumn) in
            let memory = FederationEngine.PeerMemory(
                dialect: try row.word(1), failures: Int(clamping: try row.integer(2) ?? 0), retryAt: try row.instant(3),
                silentSince: try row.instant(4))
            return (try row.server(0), memory)
        }
        snapshot.permissions = try rows(
            of: "permission", ["observed", "observer", "is_invite", "kind", "request", "note"],
            by: "is_invite, observed, observer"
        ) { (row) throws(UnparsableColumn) in
            let message = PermissionMessage(
                try row.word(3), observed: try row.user(0), observer: try row.user(1), request: try row.integer(4),
                note: try row.text(5, limitBytes: EntryText.noteLimitBytes))
            guard try row.flag(2) == (message.kind == .invite) else { throw UnparsableColumn(number: 2) }
            return message
        }
        return snapshot
    }

    /// - Parameters:
    ///   - columns: the first of them is what a report calls a row by.
    ///   - condition: in SQL; which rows.
    ///   - order: the table's key.
    mutating func rows<Element>(
        of table: String, _ columns: [String], where condition: String = "true", by order: String,
        parse: (StoredRow) throws(UnparsableColumn) -> Element
    ) throws -> [Element] {
        let sql = "SELECT \(columns.joined(separator: ", ")) FROM \(table) WHERE \(condition) ORDER BY \(order)"
        var elements: [Element] = []
        var bad: SkippedRows?
        let cursor = try Row.fetchCursor(database, sql: sql)
        while let row = try cursor.next() {
            let row = StoredRow(row)
            do {
                elements.append(try parse(row))
            } catch {
                let first =
                    bad
                    ?? SkippedRows(
                        table: table, count: 0, firstKey: row.lossyText(0), firstColumn: columns[error.number])
                bad = first
                bad?.count += 1
            }
        }
        if let bad { skipped.append(bad) }
        return elements
    }
}

extension SnapshotReader {
    private mutating func statuses() throws -> [(user: UserID, status: StoredStatus)] {
        let columns = [
            "user", "chosen", "status_text", "last_active", "last_seen", "is_connected", "is_idle", "shown_text",
            "shown_last_active", "override_state", "override_replaces_text", "override_text", "override_until",
        ]
        return try rows(of: "local_status", columns, by: "user") { (row) throws(UnparsableColumn) in
            let status = StoredStatus(
                chosen: try row.word(1), statusText: try row.statusText(2),
                override: try SnapshotReader.override(in: row, from: 9), lastActive: try row.instant(3),
                lastSeen: try row.instant(4), isConnected: try row.flag(5), isIdle: try row.flag(6),
                shownText: try row.statusText(7), shownLastActive: try row.instant(8))
            return (try row.user(0), status)
        }
    }

    /// State, whether it replaces the text, text, and time: of an override that is none, nothing may be left.
    private static func override(
        in row: StoredRow, from column: Int
    ) throws(UnparsableColumn) -> PresenceOverride? {
        let replacesText = try row.flag(column + 1)
        guard replacesText || row.isNull(column + 2) else { throw UnparsableColumn(number: column + 2) }
        guard !row.isNull(column) else {
            guard !replacesText else { throw UnparsableColumn(number: column + 1) }
            guard row.isNull(column + 3) else { throw UnparsableColumn(number: column + 3) }
            return nil
        }
        return PresenceOverride(
            state: try row.word(column),
            text: replacesText ? .replaced(try row.statusText(column + 2)) : .asChosen,
            until: try row.instant(column + 3))
    }

    private mutating func entries() throws -> [(observer: UserID, observed: UserID, entry: StoredEntry)] {
        let columns = ["observer", "observed", "state", "request", "since", "note", "acl", "groups"]
        return try rows(of: "list_entry", columns, by: "observer, observed") { (row) throws(UnparsableColumn) in
            let entry = StoredEntry(
                state: try row.word(2), request: try row.present(3, row.integer),
                since: try row.present(4, row.instant),
                note: try row.text(5, limitBytes: EntryText.noteLimitBytes),
                acl: try row.text(6, limitBytes: EntryText.aclLimitBytes),
                groups: UInt64(bitPattern: try row.present(7, row.integer)))
            return (try row.user(0), try row.user(1), entry)
        }
    }

    private mutating func consents() throws -> [(observed: UserID, observer: UserID, consent: StoredConsent)] {
        let columns = ["observed", "observer", "state", "request", "since", "note"]
        return try rows(of: "consent", columns, by: "observed, observer") { (row) throws(UnparsableColumn) in
            let consent = StoredConsent(
                state: try row.word(2), request: try row.integer(3), since: try row.present(4, row.instant),
                note: try row.text(5, limitBytes: EntryText.noteLimitBytes))
            return (try row.user(0), try row.user(1), consent)
        }
    }

    /// Groups whose owner's other settings are gone, or do not parse, are read all the same: entries are marked with
    /// them.
    private mutating func listSettings() throws -> [(user: UserID, settings: StoredListSettings)] {
        let columns = [
            "user", "policy", "contact_free_for_chat", "contact_online", "contact_busy", "contact_unavailable",
            "contact_offline", "contact_refuses_invites",
        ]
        var found: [(user: UserID, settings: StoredListSettings)] = try rows(
            of: "list_settings", columns, by: "user"
        ) { (row) throws(UnparsableColumn) in
            var settings = StoredListSettings()
            settings.policy = row.isNull(1) ? nil : try row.word(1)
            settings.contact.freeForChat = try row.contactRule(2)
            settings.contact.online = try row.contactRule(3)
            settings.contact.busy = try row.contactRule(4)
            settings.contact.unavailable = try row.contactRule(5)
            settings.contact.offline = try row.contactRule(6)
            settings.contact.refusesInvites = try row.flag(7)
            return (try row.user(0), settings)
        }
        var places: [UserID: Int] = [:]
        for (place, element) in found.enumerated() { places[element.user] = place }
        let known = found.count
        for (owner, group) in try groups() {
            let place = places[owner] ?? found.count
            if place == found.count {
                places[owner] = place
                found.append((owner, StoredListSettings()))
            }
            found[place].settings.groups.append(group)
        }
        if found.count > known { found.sort { $0.user < $1.user } }
        return found
    }

    /// By owner and name; of two that claim a slot the first has it.
    private mutating func groups() throws -> [(owner: UserID, group: StoredListSettings.Group)] {
        var (latest, taken) = (UserID?.none, UInt64(0))
        return try rows(of: "list_group", ["owner", "name", "slot"], by: "owner, name") {
            (row) throws(UnparsableColumn) in
            let owner = try row.user(0)
            let name = try row.groupName(1)
            if owner != latest { (latest, taken) = (owner, 0) }
            let slot = try row.present(2, row.integer)
            guard (0..<64).contains(slot), taken & (1 << UInt64(slot)) == 0 else { throw UnparsableColumn(number: 2) }
            taken |= 1 << UInt64(slot)
            return (owner, StoredListSettings.Group(slot: UInt8(slot), name: name))
        }
    }
}
