import Foundation
import GRDB
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Testing

@testable import PresenceStore

/// A file of the first version, with rows, opened by this one.
@Suite(.timeLimit(.minutes(1))) struct MigrationTests {
    private let folder: StoreFolder

    init() throws { folder = try StoreFolder() }

    /// As the first version made it. Written out here, so that no later edit of the sources can move it.
    private static let first = """
        PRAGMA application_id = 1886548836;
        CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
        INSERT INTO grdb_migrations VALUES ('1: statuses, watch lists, promises');
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

    private func makeFirst(_ rows: String) throws {
        let parent = URL(fileURLWithPath: folder.path).deletingLastPathComponent()
        try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
        let database = try folder.stranger()
        try database.write { database in
            try database.execute(sql: Self.first)
            try database.execute(sql: "PRAGMA ignore_check_constraints = ON")
            try database.execute(sql: rows)
        }
        try database.close()
    }

    private func migrated(
        reporting report: (SkippedRows) -> Void = { Issue.record("skipped \($0)") }
    ) async throws -> PresenceInstance.Snapshot {
        let store = try folder.open()
        let snapshot = try store.load(reporting: report)
        try await store.close()
        return snapshot
    }

    @Test func `statuses stay, and what others were shown is what there was`() async throws {
        try makeFirst(
            """
            INSERT INTO local_status VALUES ('@a:x', 'busy', 'in a talk', 5, 6, 1), ('@b:x', 'hidden', 'psst', 7, 8, 0),
                ('@c:x', 'online', NULL, NULL, NULL, 0), ('@d:x', 'online', CAST(x'610062' AS TEXT), NULL, NULL, 0);
            """)
        let statuses = try await migrated().presence.statuses
        #expect(statuses.map(\.user.text) == ["@a:x", "@b:x", "@c:x", "@d:x"])
        #expect(
            statuses.map(\.status) == [
                StoredStatus(
                    chosen: .busy, statusText: "in a talk", lastActive: instant(5), lastSeen: instant(6),
                    isConnected: true, shownText: "in a talk", shownLastActive: instant(5)),
                StoredStatus(
                    chosen: .hidden, statusText: "psst", lastActive: instant(7), lastSeen: instant(8),
                    shownLastActive: instant(7)),
                StoredStatus(), StoredStatus(statusText: "a\0b", shownText: "a\0b"),
            ])
    }

    @Test func `who watched is seen by the one watched, and sees them if they watched back`() async throws {
        try makeFirst(
            """
            INSERT INTO watch_entry VALUES ('@a:x', '@b:x'), ('@b:x', '@a:x'), ('@a:x', '@c:x'), ('@a:x', '@d:y'),
                ('@c:x', '@d:y'), ('@d:y', '@c:x'), ('@e:x', '@e:x');
            """)
        let presence = try await migrated().presence
        #expect(
            presence.entries.map { "\($0.observer) \($0.observed) \($0.entry.state)" } == [
                "@a:x @b:x accepted", "@a:x @c:x pending", "@a:x @d:y pending", "@b:x @a:x accepted",
                "@c:x @d:y accepted", "@d:y @c:x accepted",
            ])
        #expect(
            presence.entries.allSatisfy { element in
                element.entry == StoredEntry(state: element.entry.state, request: 1, since: .epoch)
            })
        #expect(
            presence.consents.map { "\($0.observed) \($0.observer)" } == [
                "@a:x @b:x", "@a:x @c:x", "@a:x @d:y", "@b:x @a:x", "@c:x @d:y", "@d:y @c:x",
            ])
        #expect(presence.consents.allSatisfy { $0.consent == StoredConsent(state: .granted, since: .epoch) })
    }

    @Test func `everything else comes over, and nothing is queued`() async throws {
        try makeFirst(
            """
            INSERT INTO meta VALUES ('boot', 41);
            INSERT INTO remote_presence VALUES ('@a:y', 'busy', 'tea', 5, 9), ('@b:y', 'offline', NULL, NULL, NULL);
            INSERT INTO promise_given VALUES ('@a:x', 'y', 7);
            INSERT INTO promise_asked VALUES ('@a:y', NULL);
            INSERT INTO peer VALUES ('y', 'capable');
            """)
        let loaded = try await migrated()
        #expect(loaded.presence.remotes.map(\.user.text) == ["@a:y", "@b:y"])
        let remotes = [
            StoredRemote(
                presence: Presence(state: .busy, statusText: "tea", lastActive: instant(5)), goodUntil: instant(9)),
            StoredRemote(presence: .neverActive, goodUntil: nil),
        ]
        #expect(loaded.presence.remotes.map(\.remote) == remotes)
        #expect(loaded.federation.given.count == 1 && loaded.federation.asked.count == 1)
        #expect(loaded.federation.peers.map(\.memory) == [.init(dialect: .capable)])
        #expect(loaded.federation.permissions.isEmpty && loaded.presence.listSettings.isEmpty)
        let store = try folder.open()
        #expect(try store.nextBoot() == 42)
        try await store.close()
    }

    @Test func `a migrated file takes rows of every kind and is the same as a new one`() async throws {
        try makeFirst("INSERT INTO watch_entry VALUES ('@a:x', '@b:x')")
        _ = try await migrated()
        let fresh = try StoreFolder()
        try await fresh.open().close()
        let schema = "SELECT group_concat(name || ' ' || sql) FROM (SELECT * FROM sqlite_schema ORDER BY name)"
        let made = try await folder.stranger().read { try String.fetchOne($0, sql: schema) }
        let expected = try await fresh.stranger().read { try String.fetchOne($0, sql: schema) }
        #expect(made?.contains("watch_entry") == false)
        let ours = made?.filter { !$0.isWhitespace && $0 != "\"" }
        #expect(ours == expected?.filter { !$0.isWhitespace && $0 != "\"" })
        var drawn = DrawnRecords(seed: 1)
        var disk = RecordsOnDisk(try await migrated())
        let store = try folder.open()
        for record in try (0..<300).map({ _ in try drawn.next() }) {
            disk?.append(record)
            store.append([record])
        }
        try await store.close()
        #expect(RecordsOnDisk(try await migrated()) == disk)
    }

    @Test func `rows that a foreign hand spoilt before stay, are left out, and hold nothing up`() async throws {
        try makeFirst(
            """
            INSERT INTO local_status VALUES ('@a:x', 'asleep', NULL, NULL, NULL, 0), ('@b:x', 'online', NULL, -1, 1, 0),
                ('@c:x', 'online', 'good', NULL, NULL, 0), ('@d:x', 'online', CAST(x'FF' AS TEXT), NULL, NULL, 0);
            INSERT INTO watch_entry VALUES ('@a:x', 'nobody'), ('@a:x', '@c:x');
            """)
        var skipped: [String: Int] = [:]
        let store = try folder.open()
        let presence = try store.load { skipped[$0.table] = $0.count }.presence
        #expect(presence.statuses.map(\.user.text) == ["@c:x"])
        #expect(presence.entries.map(\.observed.text) == ["@c:x"])
        #expect(skipped == ["local_status": 3, "list_entry": 1, "consent": 1])
        #expect(try folder.texts().count == 4)
        // The checks are on again, on the connection that migrated.
        #expect(throws: DatabaseError.self) {
            try store.database.writeWithoutTransaction { database in
                try database.execute(sql: "INSERT INTO peer VALUES ('y', 'shy')")
            }
        }
        try await store.close()
    }

    @Test func `a table made anew with loose types is migrated as far as it holds texts`() async throws {
        try makeFirst(
            """
            DROP TABLE watch_entry;
            CREATE TABLE watch_entry (observer, observed);
            INSERT INTO watch_entry VALUES (NULL, '@a:x'), ('@a:x', 7), (x'4061', '@a:x'), ('@a:x', '@b:x'),
                ('@a:x', '@b:x');
            DROP TABLE local_status;
            CREATE TABLE local_status (user, chosen, status_text, last_active, last_seen, is_connected);
            INSERT INTO local_status VALUES (NULL, 1, 2, 'x', NULL, 0), ('@a:x', 'online', 'good', 'soon', 1, 0),
                ('@b:x', 'online', 'good', 1, 1, 0);
            """)
        var skipped: [String: Int] = [:]
        let presence = try await migrated { skipped[$0.table] = $0.count }.presence
        #expect(presence.statuses.map(\.user.text) == ["@b:x"])
        #expect(presence.entries.map(\.observed.text) == ["@b:x"])
        #expect(presence.consents.map(\.observer.text) == ["@b:x"])
        #expect(skipped == ["local_status": 2])
    }

    @Test func `a copy from before the migration is as good, as often as it is opened`() async throws {
        try makeFirst("INSERT INTO watch_entry VALUES ('@a:x', '@b:x'), ('@b:x', '@a:x')")
        let copy = try folder.crashed()
        let expected = try await migrated().records
        for _ in 0..<3 {
            let store = try PresenceStore(path: copy)
            #expect(try store.load().records == expected)
            try await store.close()
        }
        #expect(try await migrated().records == expected)
    }
}
