import BridgeEngine
import GRDB
import PresenceModel

/// The rows of the bridge to one service.
///
/// Every caller waits for its own: what cannot be written is not kept here, and the caller knows and tries again. All who
/// wait at the same time, those of the social service too, share a transaction.
public struct BridgeRows: Sendable {
    private let store: PresenceStore
    private let service: BridgeDestination

    init(_ store: PresenceStore, of service: BridgeDestination) {
        self.store = store
        self.service = service
    }

    /// Returns when all of `records` are on disk, in one transaction.
    /// - Throws: ``PresenceStoreError``: unwritten or closed; nothing of them is kept or tried again.
    public func write(_ records: [BridgeEngine.Record]) async throws {
        try await store.write(.bridge(records, of: service))
    }

    /// Takes the rows for those of the service of that name from now on. What was agreed with another one, and what was
    /// said there, is removed: of this one it says nothing. Links, choices, and what stands in Matrix stay.
    /// - Returns: what was removed; `nil` if it is the same service, or the first one.
    /// - Throws: ``PresenceStoreError``: unwritten or closed; everything is as it was.
    public func take(up identity: String) throws(PresenceStoreError) -> FormerService? {
        let (service, path) = (service.rawValue, store.path)
        do {
            return try store.access { database in
                let former = try String.fetchOne(
                    database, sql: "SELECT identity FROM bridge_service WHERE service = ?", arguments: [service])
                guard former != identity else { return nil }
                var removed = former.map { FormerService(identity: $0) }
                try store.transact(rows: 1, in: database) { database in
                    try database.execute(
                        sql: "INSERT OR REPLACE INTO bridge_service (service, identity) VALUES (?, ?)",
                        arguments: [service, identity])
                    guard removed != nil else { return }
                    try database.execute(sql: "DELETE FROM bridge_pair WHERE service = ?", arguments: [service])
                    removed?.pairs = database.changesCount
                    try database.execute(sql: "DELETE FROM bridge_beats WHERE service = ?", arguments: [service])
                    removed?.beats = database.changesCount
                }
                return removed
            }
        } catch {
            throw .refusing(1, to: path, error)
        }
    }

    /// Everything on disk.
    /// - Parameter report: called once for each table with rows that do not parse; they are left out, and left alone.
    /// - Throws: ``PresenceStoreError``: unreadable or closed.
    public func load(
        reporting report: (SkippedRows) -> Void = { _ in }
    ) throws(PresenceStoreError) -> [BridgeEngine.Record] {
        try store.read(reporting: report) { reader in try reader.bridge(service) }
    }
}

/// What was removed, as the bridge leads to another service now.
public struct FormerService: Hashable, Sendable {
    /// As it was named.
    public var identity: String
    /// Friendships and requests that were agreed.
    public var pairs = 0
    /// Users in whose names heartbeats were sent.
    public var beats = 0
}

extension PresenceStore {
    /// The rows of the bridge to `service`.
    public func bridge(_ service: BridgeDestination) -> BridgeRows { BridgeRows(self, of: service) }

    /// What users handed over, sorted by user and kind.
    /// - Parameter report: called if rows do not parse; they are left out, and left alone.
    /// - Throws: ``PresenceStoreError``: unreadable or closed.
    public func credentials(
        reporting report: (SkippedRows) -> Void = { _ in }
    ) throws(PresenceStoreError) -> [HandedCredential] {
        try read(reporting: report) { reader in try reader.credentials() }
    }

    /// Keeps it, in the place of the one that the user had of the kind.
    /// - Throws: ``PresenceStoreError``: unwritten or closed; the one of before stays.
    public func keep(_ credential: HandedCredential) async throws { try await write(.credential(credential)) }

    /// Removes it, if it is there.
    /// - Throws: ``PresenceStoreError``: unwritten or closed; it stays.
    public func removeCredential(_ kind: HandedCredential.Kind, of user: UserID) async throws {
        try await write(.noCredential(user, kind))
    }

    fileprivate func read<Value>(
        reporting report: (SkippedRows) -> Void, _ look: (inout SnapshotReader) throws -> Value
    ) throws(PresenceStoreError) -> Value {
        do {
            let (value, skipped) = try access { database in
                var reader = SnapshotReader(database)
                return (try look(&reader), reader.skipped)
            }
            for rows in skipped { report(rows) }
            return value
        } catch {
            throw .reading(path, error)
        }
    }
}
