import FederationEngine
import GRDB
import PresenceEngine
import PresenceModel
import PresenceRuntime

/// Rows of one table that a load left out, because a foreign hand made something of them that no text of ours is.
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
    private let database: Database
    /// By table, in the order of reading; tables without any are not in it.
    private(set) var skipped: [SkippedRows] = []

    init(_ database: Database) { self.database = database }

    mutating func snapshot() throws -> PresenceInstance.Snapshot {
        var snapshot = PresenceInstance.Snapshot()
        snapshot.presence = try presence()
        snapshot.federation = try federation()
        return snapshot
    }

    private mutating func presence() throws -> PresenceEngine.Snapshot {
        var snapshot = PresenceEngine.Snapshot()
        snapshot.statuses = try rows(
            of: "local_status", ["user", "chosen", "status_text", "last_active", "last_seen", "is_connected"], keys: 1
        ) { (row) throws(UnparsableColumn) in
            let status = StoredStatus(
                chosen: try row.word(1), statusText: try row.statusText(2), lastActive: try row.instant(3),
                lastSeen: try row.instant(4), isConnected: try row.flag(5))
            return (try row.user(0), status)
        }
        snapshot.entries = try rows(of: "watch_entry", ["observer", "observed"], keys: 2) {
            (row) throws(UnparsableColumn) in (try row.user(0), try row.user(1))
        }
        snapshot.remotes = try rows(
            of: "remote_presence", ["user", "state", "status_text", "last_active", "good_until"], keys: 1
        ) { (row) throws(UnparsableColumn) in
            let presence = Presence(
                state: try row.word(1), statusText: try row.statusText(2), lastActive: try row.instant(3))
            return (try row.user(0), StoredRemote(presence: presence, goodUntil: try row.instant(4)))
        }
        return snapshot
    }

    private mutating func federation() throws -> FederationEngine.Snapshot {
        var snapshot = FederationEngine.Snapshot()
        snapshot.given = try rows(of: "promise_given", ["user", "server", "until"], keys: 2) {
            (row) throws(UnparsableColumn) in
            guard let until = try row.instant(2) else { throw UnparsableColumn(number: 2) }
            return (try row.user(0), try row.server(1), until)
        }
        snapshot.asked = try rows(of: "promise_asked", ["user", "until"], keys: 1) {
            (row) throws(UnparsableColumn) in (try row.user(0), try row.instant(1))
        }
        snapshot.dialects = try rows(of: "peer", ["server", "dialect"], keys: 1) {
            (row) throws(UnparsableColumn) in (try row.server(0), try row.word(1))
        }
        return snapshot
    }

    private mutating func rows<Element>(
        of table: String, _ columns: [String], keys: Int,
        parse: (StoredRow) throws(UnparsableColumn) -> Element
    ) throws -> [Element] {
        let order = columns.prefix(keys).joined(separator: ", ")
        let sql = "SELECT \(columns.joined(separator: ", ")) FROM \(table) ORDER BY \(order)"
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
