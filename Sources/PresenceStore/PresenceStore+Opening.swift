import GRDB
import PresenceModel

extension PresenceStore {
    /// The connection, its tables up to date. The caller holds the lock, and the file is there.
    static func open(_ path: String, _ configuration: Configuration) throws(PresenceStoreError) -> DatabaseQueue {
        var settings = GRDB.Configuration()
        settings.label = "PresenceStore"
        settings.foreignKeysEnabled = false
        settings.busyMode = .timeout(Double(configuration.busyLimit.inMilliseconds) / 1000)
        do {
            let database = try DatabaseQueue(path: path, configuration: settings)
            try database.writeWithoutTransaction { database in
                // First, because the journal mode is written into the file.
                try Schema.check(database, path: path)
                guard try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL") == "wal" else {
                    throw PresenceStoreError(
                        .unusable, path, "its file system has no shared memory, which SQLite's log needs. Move it.")
                }
                try configuration.synchronous.apply(to: database)
                // Rows of busy users lie all over the tables: a page is read, changed and logged for each. 32 MB of
                // pages in memory, and 16 MB of log before it is worked off, save reading and writing.
                try database.execute(sql: "PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 4096")
            }
            try Schema.migrator.migrate(database)
            return database
        } catch {
            throw .opening(path, error)
        }
    }

    /// - Returns: the new number.
    static func raiseBoot(in database: Database) throws -> UInt64 {
        var boot: Int64?
        try database.inTransaction(.immediate) {
            boot = try Int64.fetchOne(
                database,
                sql: """
                    INSERT INTO meta (key, value) VALUES ('boot', 1)
                    ON CONFLICT (key) DO UPDATE SET value = value + 1 RETURNING value
                    """)
            return .commit
        }
        return UInt64(boot ?? 1)
    }
}

extension PresenceStore.Configuration.Synchronous {
    /// Not inside a transaction.
    func apply(to database: Database) throws {
        switch self {
        case .full: try database.execute(sql: "PRAGMA synchronous = FULL")
        case .normal: try database.execute(sql: "PRAGMA synchronous = NORMAL")
        }
    }
}
