import GRDB

/// The tables, and how a file becomes one of ours. Times are milliseconds since the epoch, NULL for "never" or "none".
enum Schema {
    /// In the file's header: `prsd`. Guards the databases of other programs against our migrations.
    static let applicationID = 0x7072_7364

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator().disablingDeferredForeignKeyChecks()
        // A migration that was released is never edited; what follows gets a name of its own.
        migrator.registerMigration("1: statuses, watch lists, promises") { database in
            try database.execute(sql: "PRAGMA application_id = \(applicationID)")
            try database.execute(sql: first)
        }
        migrator.registerMigration("2: lists, consents, rooms") { database in
            try database.execute(sql: "PRAGMA ignore_check_constraints = ON")
            try database.execute(sql: second)
            try database.execute(sql: "PRAGMA ignore_check_constraints = OFF")
        }
        migrator.registerMigration("3: servers that do not answer") { database in
            try database.execute(sql: third)
        }
        migrator.registerMigration("4: where syncs stand") { database in
            try database.execute(sql: fourth)
        }
        migrator.registerMigration("5: rooms of a homeserver, refused invitations") { database in
            try database.execute(sql: rooms)
        }
        migrator.registerMigration("6: friendships") { database in
            try database.execute(sql: social)
        }
        migrator.registerMigration("7: the bridge") { database in
            try database.execute(sql: bridge)
        }
        return migrator
    }

    /// Changes nothing.
    /// - Throws: ``PresenceStoreError`` for a file that is not ours or that a later version wrote.
    static func check(_ database: Database, path: String) throws {
        let found = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
        let tables = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_schema") ?? 0
        guard found == applicationID || (found == 0 && tables == 0) else {
            throw PresenceStoreError(
                .notADatabase, path,
                "is the database of another program; it was left as it is. Name another file in store.file.")
        }
        guard found == applicationID, try migrator.hasBeenSuperseded(database) else { return }
        let known = Set(migrator.migrations)
        let unknown = try migrator.appliedIdentifiers(database).subtracting(known).sorted()
        throw PresenceStoreError(
            .newerVersion, path,
            "was written by a later presenced (it has: \(unknown.joined(separator: "; "))) and was left as it is. "
                + "Run that version, or put back the backup from before the update.")
    }

    private static let first = """
        CREATE TABLE meta (
            key TEXT PRIMARY KEY,
            value INTEGER NOT NULL CHECK (value >= 0)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE local_status (
            user TEXT PRIMARY KEY,
            chosen TEXT NOT NULL
                CHECK (chosen IN ('free_for_chat', 'online', 'busy', 'unavailable', 'offline', 'hidden')),
            status_text TEXT,
            last_active INTEGER CHECK (last_active >= 0),
            last_seen INTEGER CHECK (last_seen >= 0),
            is_connected INTEGER NOT NULL CHECK (is_connected IN (0, 1))
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE watch_entry (
            observer TEXT NOT NULL,
            observed TEXT NOT NULL,
            PRIMARY KEY (observer, observed)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE remote_presence (
            user TEXT PRIMARY KEY,
            state TEXT NOT NULL CHECK (state IN ('free_for_chat', 'online', 'busy', 'unavailable', 'offline')),
            status_text TEXT,
            last_active INTEGER CHECK (last_active >= 0),
            good_until INTEGER CHECK (good_until >= 0)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE promise_given (
            user TEXT NOT NULL,
            server TEXT NOT NULL,
            until INTEGER NOT NULL CHECK (until >= 0),
            PRIMARY KEY (user, server)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE promise_asked (
            user TEXT PRIMARY KEY,
            until INTEGER CHECK (until >= 0)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE peer (
            server TEXT PRIMARY KEY,
            dialect TEXT NOT NULL CHECK (dialect IN ('unheard', 'legacy', 'capable'))
        ) STRICT, WITHOUT ROWID;
        """

    /// What is known of the homeserver's rooms, and what is to be done there for users who want no invitations.
    static let rooms = """
        ALTER TABLE list_settings ADD COLUMN contact_refuses_invites INTEGER NOT NULL DEFAULT 0
            CHECK (contact_refuses_invites IN (0, 1));

        CREATE TABLE listed_room (
            room TEXT PRIMARY KEY,
            listed INTEGER NOT NULL CHECK (listed >= 0)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE refused_invite (
            user TEXT NOT NULL,
            room TEXT NOT NULL,
            since INTEGER NOT NULL CHECK (since >= 0),
            PRIMARY KEY (user, room)
        ) STRICT, WITHOUT ROWID;
        """

    /// Back-off and silence of other servers.
    static let third = """
        ALTER TABLE peer ADD COLUMN failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0);
        ALTER TABLE peer ADD COLUMN retry_at INTEGER CHECK (retry_at >= 0);
        ALTER TABLE peer ADD COLUMN silent_since INTEGER CHECK (silent_since >= 0);
        """

    /// The form of `cursors`: ``SyncCursorBytes``.
    static let fourth = """
        CREATE TABLE sync_cursor (
            user TEXT NOT NULL,
            device TEXT NOT NULL,
            cursors BLOB NOT NULL,
            PRIMARY KEY (user, device)
        ) STRICT, WITHOUT ROWID;
        """
}
