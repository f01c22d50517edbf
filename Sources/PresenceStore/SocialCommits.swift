import BridgeEngine
import GRDB
import PresenceModel
import SocialEngine

/// Rows of the social service and of the bridge that wait for their transaction, all that came while the last one ran
/// together.
struct SocialCommits: Sendable {
    /// What one caller wants written.
    enum Rows: Sendable {
        case social([SocialEngine.Record])
        case bridge([BridgeEngine.Record], of: BridgeDestination)
        case credential(HandedCredential)
        case noCredential(UserID, HandedCredential.Kind)

        var count: Int {
            switch self {
            case .social(let records): records.count
            case .bridge(let records, _): records.count
            case .credential, .noCredential: 1
            }
        }
    }

    /// What one caller wants written, and the caller.
    struct Order: Sendable {
        var rows: Rows
        var waiter: PresenceStore.Waiter
    }

    /// Not taken yet.
    private(set) var gathering: [Order] = []
    /// The writer was called, or writes: it will take what there is.
    private var isCalled = false

    /// - Returns: whether the writer has to be called.
    mutating func add(_ order: Order) -> Bool {
        gathering.append(order)
        defer { isCalled = true }
        return !isCalled
    }

    /// What the writer writes now, in one transaction.
    mutating func take() -> [Order] {
        defer { gathering = [] }
        return gathering
    }

    /// The transaction of ``take()`` ended.
    /// - Returns: whether the writer has to be called again; if not, it rests.
    mutating func finish() -> Bool {
        isCalled = !gathering.isEmpty
        return isCalled
    }
}

/// Rows of which every caller waits for its own: what cannot be written is forgotten, and the caller knows.
extension PresenceStore: SocialJournal {
    /// Returns when all of `records` are on disk. All who wait at the same time share a transaction.
    /// - Throws: ``PresenceStoreError``: unwritten or closed; nothing of them is kept or tried again.
    public func write(_ records: [SocialEngine.Record]) async throws {
        try await write(.social(records))
    }

    /// As ``write(_:)``.
    func write(_ rows: SocialCommits.Rows) async throws {
        let outcome: Result<Void, PresenceStoreError> = await withCheckedContinuation { waiter in
            let order = SocialCommits.Order(rows: rows, waiter: waiter)
            if socialCommits.withLock({ $0.add(order) }) { callSocialWriter() }
        }
        try outcome.get()
    }

    /// Everything of the social service on disk, in the order of the keys' bytes.
    /// - Parameter report: called once for each table with rows that do not parse; they are left out, and left alone.
    /// - Throws: ``PresenceStoreError``: unreadable or closed.
    public func loadSocial(
        reporting report: (SkippedRows) -> Void = { _ in }
    ) throws(PresenceStoreError) -> SocialEngine.Snapshot {
        do {
            let (snapshot, skipped) = try access { database in
                var reader = SnapshotReader(database)
                return (try reader.social(), reader.skipped)
            }
            for rows in skipped { report(rows) }
            return snapshot
        } catch {
            throw .reading(path, error)
        }
    }

    /// What happened between two users, the earliest first.
    /// - Throws: ``PresenceStoreError``: unreadable or closed.
    public func history(of pair: SocialPair) throws(PresenceStoreError) -> [FriendshipEvent] {
        do {
            return try access { database in
                var reader = SnapshotReader(database)
                return try reader.history(of: pair)
            }
        } catch {
            throw .reading(path, error)
        }
    }

    /// One transaction a turn: presence waits for the same disk.
    private func callSocialWriter() {
        database.asyncWriteWithoutTransaction { [self] database in
            let orders = socialCommits.withLock { $0.take() }
            let failure = commit(orders, to: database)
            if socialCommits.withLock({ $0.finish() }) { callSocialWriter() }
            for order in orders {
                order.waiter.resume(returning: failure.map { .failure($0) } ?? .success(()))
            }
        }
    }

    private func commit(_ orders: [SocialCommits.Order], to database: Database) -> PresenceStoreError? {
        let rows = orders.reduce(0) { $0 + $1.rows.count }
        guard !isClosed else {
            return PresenceStoreError(.closed, path, "was closed before; rows that came after it are lost")
        }
        do {
            try transact(rows: rows, in: database) { database in
                for order in orders { try PresenceStore.write(order.rows, to: database) }
            }
            return nil
        } catch {
            return .refusing(rows, to: path, error)
        }
    }

    private static func write(_ rows: SocialCommits.Rows, to database: Database) throws {
        switch rows {
        case .social(let records):
            var writer = SocialRowWriter(database)
            for record in records { try writer.write(record) }
        case .bridge(let records, let service):
            var writer = BridgeRowWriter(database, of: service)
            for record in records { try writer.write(record) }
        case .credential(let credential): try BridgeRowWriter.write(credential, to: database)
        case .noCredential(let user, let kind): try BridgeRowWriter.remove(kind, of: user, from: database)
        }
    }
}
