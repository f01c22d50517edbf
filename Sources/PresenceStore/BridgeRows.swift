import BridgeEngine
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

    /// Everything on disk.
    /// - Parameter report: called once for each table with rows that do not parse; they are left out, and left alone.
    /// - Throws: ``PresenceStoreError``: unreadable or closed.
    public func load(
        reporting report: (SkippedRows) -> Void = { _ in }
    ) throws(PresenceStoreError) -> [BridgeEngine.Record] {
        try store.read(reporting: report) { reader in try reader.bridge(service) }
    }
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
