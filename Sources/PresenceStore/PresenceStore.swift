import Foundation
import GRDB
import PresenceModel
import PresenceRuntime
import Synchronization

/// Statuses, lists, rooms, permissions and promises on disk: one SQLite file, held by one process, written by one writer.
///
/// Rows are appended from anywhere, without waiting. The writer takes everything that is pending in one transaction;
/// while it runs, the next group gathers. What is pending is the latest row for each key, so it is bounded by users,
/// list entries, members of rooms, promises and servers, however long the disk is full.
///
/// Design: section 7.
public final class PresenceStore: Journal, Sendable {
    /// How rows reach the disk.
    public struct Configuration: Hashable, Sendable {
        /// SQLite's `PRAGMA synchronous`.
        public enum Synchronous: String, Hashable, Sendable, CaseIterable {
            /// Every transaction is synced: what was settled survives a power cut.
            case full
            /// Synced now and then: what was settled survives the end of the process, but the latest of it may be
            /// lost with a power cut. The file stays whole.
            case normal
        }

        /// Default: ``Synchronous/full``.
        public var synchronous = Synchronous.full
        /// Rows that nobody waits for are written at most this long after they were appended. Default: 1 s.
        public var writeBehind: Duration = .seconds(1)
        /// Another program (a shell, a backup) may hold the file this long before it counts as a failure.
        /// Default: 5 s.
        public var busyLimit: Duration = .seconds(5)

        /// The defaults.
        public init() {}
    }

    /// Counts since the opening.
    public struct Tally: Sendable {
        /// Transactions that ended well.
        public var commits: UInt64 = 0
        /// Transactions that did not.
        public var failures: UInt64 = 0
        /// Rows of ``commits``.
        public var rowsWritten: UInt64 = 0
        /// Rows not on disk yet.
        public var rowsPending = 0
        /// Why the latest transaction failed; `nil` if it did not. The write-behind has no other voice.
        public var latestFailure: PresenceStoreError?
    }

    /// What tests put in the place of the world.
    struct Surroundings: Sendable {
        var delay: @Sendable (Duration) async -> Void = { try? await Task.sleep(for: $0) }
        /// Called inside the transaction, after its last row; counts from 1. What it throws ends the transaction.
        var beforeCommit: @Sendable (_ transaction: UInt64) throws -> Void = { _ in }
    }

    typealias Waiter = CheckedContinuation<Result<Void, PresenceStoreError>, Never>

    /// The database file, absolute.
    public let path: String
    let configuration: Configuration
    let database: DatabaseQueue
    private let lock: StoreLock
    private let surroundings: Surroundings
    private let queue = Mutex(CommitQueue<Waiter>())
    let socialCommits = Mutex(SocialCommits())
    private let counts = Mutex(Tally())

    /// Opens the file; makes it (mode 0600) and its folder (0700) if they are missing, and brings its tables up to
    /// date.
    /// - Throws: ``PresenceStoreError``: unusable, locked, not a database, or of a newer version. A file that is not
    ///   ours is left as it is.
    public convenience init(path: String, configuration: Configuration = Configuration()) throws(PresenceStoreError) {
        try self.init(path: path, configuration: configuration, surroundings: Surroundings())
    }

    init(path: String, configuration: Configuration, surroundings: Surroundings) throws(PresenceStoreError) {
        // Absolute: `:memory:` and `file:` are names like any other here.
        self.path = URL(fileURLWithPath: path).path
        self.configuration = configuration
        self.surroundings = surroundings
        try StoreFile.prepareFolder(of: self.path)
        lock = try StoreLock(besides: self.path)
        try StoreFile.prepare(self.path)
        database = try PresenceStore.open(self.path, configuration)
    }

    /// Raises the boot number by one, durably in either synchronous mode. The first is 1.
    /// - Throws: ``PresenceStoreError``: unwritten or closed.
    public func nextBoot() throws(PresenceStoreError) -> UInt64 {
        do {
            return try access { database in
                try Configuration.Synchronous.full.apply(to: database)
                let boot = try PresenceStore.raiseBoot(in: database)
                try configuration.synchronous.apply(to: database)
                return boot
            }
        } catch {
            throw .booting(path, error)
        }
    }

    /// Everything on disk, in the order of the keys' bytes; appended rows that are still pending are not in it.
    /// - Parameter report: called once for each table with rows that do not parse; they are left out, and left alone.
    /// - Throws: ``PresenceStoreError``: unreadable or closed.
    public func load(
        reporting report: (SkippedRows) -> Void = { _ in }
    ) throws(PresenceStoreError) -> PresenceInstance.Snapshot {
        do {
            let (snapshot, skipped) = try access { database in
                var reader = SnapshotReader(database)
                var snapshot = PresenceInstance.Snapshot()
                try database.inTransaction(.deferred) {
                    snapshot = try reader.snapshot()
                    return .commit
                }
                return (snapshot, reader.skipped)
            }
            for rows in skipped { report(rows) }
            return snapshot
        } catch {
            throw .reading(path, error)
        }
    }

    /// Counts, for metrics and health.
    public var tally: Tally {
        var tally = counts.withLock { $0 }
        tally.rowsPending = queue.withLock { $0.pendingRows }
        return tally
    }

    /// Takes rows in their order and returns at once; the latest for a key wins. They are on disk at most
    /// ``Configuration/writeBehind`` later.
    public func append(_ records: [PresenceInstance.Record]) {
        if queue.withLock({ $0.append(records) }) { armWriteBehind() }
    }

    /// Returns when everything appended before the call is on disk; at once if it is already.
    ///
    /// All who wait at the same time share a transaction.
    /// - Throws: ``PresenceStoreError``: unwritten (the rows are kept; the next call or the write-behind tries again),
    ///   or closed (rows were appended after ``close()``).
    public func settle() async throws {
        let outcome: Result<Void, PresenceStoreError> = await withCheckedContinuation { waiter in
            switch queue.withLock({ $0.join(waiter) }) {
            case .settled: waiter.resume(returning: .success(()))
            case .waits(let callsWriter): if callsWriter { callWriter() }
            case .closed:
                let error = PresenceStoreError(.closed, path, "was closed before; rows that came after it are lost")
                waiter.resume(returning: .failure(error))
            }
        }
        try outcome.get()
    }

    /// Writes what is left, closes the file and lets go of its lock. A second call does nothing.
    /// - Throws: ``PresenceStoreError``, unwritten: the store stays open with its rows, and can be closed again.
    public func close() async throws {
        repeat { try await settle() } while !queue.withLock { $0.close() }
        do {
            try database.close()
        } catch {
            throw PresenceStoreError.reading(path, error)
        }
        lock.release()
    }
}

// The writer: it lives on the database's own serial queue.
extension PresenceStore {
    /// Takes its turn on the writer's queue. GRDB does not survive every use of a closed connection.
    func access<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try database.writeWithoutTransaction { database in
            guard !queue.withLock({ $0.isClosed }) else {
                throw PresenceStoreError(.closed, path, "was closed before")
            }
            return try body(database)
        }
    }

    private func armWriteBehind() {
        Task {
            await surroundings.delay(configuration.writeBehind)
            if queue.withLock({ $0.writeBehindElapsed() }) { callWriter() }
        }
    }

    private func callWriter() {
        database.asyncWriteWithoutTransaction { [self] database in
            while let rows = queue.withLock({ $0.take() }) {
                let failure = commit(rows, to: database)
                let finish = queue.withLock { $0.finish(failed: failure != nil) }
                for waiter in finish.waiters { waiter.resume(returning: failure.map { .failure($0) } ?? .success(())) }
                if finish.armsWriteBehind { armWriteBehind() }
            }
        }
    }

    private func commit(_ rows: PendingRows, to database: Database) -> PresenceStoreError? {
        do {
            try transact(rows: rows.count, in: database) { database in
                var writer = RowWriter(database)
                for record in rows.records { try writer.write(record) }
            }
            return nil
        } catch {
            return PresenceStoreError.writing(rows.count, to: path, error)
        }
    }

    var isClosed: Bool { queue.withLock { $0.isClosed } }

    /// One transaction, counted.
    func transact(rows: Int, in database: Database, _ body: (Database) throws -> Void) throws {
        let number = counts.withLock { $0.commits + $0.failures + 1 }
        do {
            try database.inTransaction(.immediate) {
                try body(database)
                try surroundings.beforeCommit(number)
                return .commit
            }
            counts.withLock { counts in
                counts.commits += 1
                counts.rowsWritten += UInt64(rows)
                counts.latestFailure = nil
            }
        } catch {
            counts.withLock { counts in
                counts.failures += 1
                counts.latestFailure = PresenceStoreError.writing(rows, to: path, error)
            }
            throw error
        }
    }
}
