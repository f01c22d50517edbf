import GRDB
import PresenceModel
import Testing

@testable import PresenceStore

/// What people do to a database with a shell of their own.
@Suite(.timeLimit(.minutes(1))) struct ForeignEditTests {
    private let folder: StoreFolder

    init() throws { folder = try StoreFolder() }

    private func edit(_ sql: String) throws {
        try folder.stranger().write { database in
            try database.execute(sql: "PRAGMA ignore_check_constraints = ON")
            try database.execute(sql: sql)
        }
    }

    @Test func `a row that does not parse is left out, counted and left alone`() async throws {
        let store = try folder.open()
        store.append([try status("b", "good"), try status("c", "good")])
        try await store.settle()
        try edit(
            """
            INSERT INTO local_status VALUES ('@a', 'online', NULL, NULL, NULL, 0);
            INSERT INTO local_status VALUES (CAST(x'40FF3A78' AS TEXT), 'online', NULL, NULL, NULL, 0);
            INSERT INTO local_status VALUES ('@d:x', 'asleep', NULL, NULL, NULL, 0);
            INSERT INTO local_status VALUES ('@e:x', 'online', CAST(x'FF' AS TEXT), NULL, NULL, 0);
            INSERT INTO local_status VALUES ('@f:x', 'online', NULL, -1, NULL, 0);
            INSERT INTO local_status VALUES ('@g:x', 'online', NULL, NULL, 9223372036854775807, 0);
            INSERT INTO local_status VALUES ('@h:x', 'online', NULL, NULL, NULL, 2);
            INSERT INTO watch_entry VALUES ('@b:x', 'nobody');
            INSERT INTO peer VALUES ('not a server', 'legacy');
            """)
        var skipped: [SkippedRows] = []
        let loaded = try store.load { skipped.append($0) }
        #expect(loaded.presence.statuses.map(\.user.text) == ["@b:x", "@c:x"])
        #expect(loaded.presence.entries.isEmpty && loaded.federation.dialects.isEmpty)
        #expect(
            skipped == [
                SkippedRows(table: "local_status", count: 7, firstKey: "@a", firstColumn: "user"),
                SkippedRows(table: "watch_entry", count: 1, firstKey: "@b:x", firstColumn: "observed"),
                SkippedRows(table: "peer", count: 1, firstKey: "not a server", firstColumn: "server"),
            ])
        #expect(try folder.texts().count == 9)
        try await store.close()
    }

    @Test func `a table made anew with loose types is no danger`() async throws {
        let store = try folder.open()
        try edit(
            """
            DROP TABLE promise_given;
            CREATE TABLE promise_given (user, server, until);
            INSERT INTO promise_given VALUES ('@a:x', 'y', 'tomorrow'), ('@b:x', 'y', NULL), ('@c:x', 'y', 1.5),
                ('@d:x', 'y', x'00'), (NULL, NULL, 1), (7, 'y', 1), ('@e:x', 'y', 1);
            """)
        var skipped = 0
        let loaded = try store.load { skipped += $0.count }
        #expect(loaded.federation.given.map(\.user.text) == ["@e:x"])
        #expect(skipped == 6)
        try await store.close()
    }

    @Test func `a text longer than ours is cut`() async throws {
        let store = try folder.open()
        store.append([try status("a", nil)])
        try await store.settle()
        try edit("UPDATE local_status SET status_text = printf('%.*c', 5000, 'x')")
        #expect(try store.load().presence.statuses.first?.status.statusText?.count == StatusText.limitBytes)
        try await store.close()
    }

    @Test func `a table that is gone is an error, not a crash`() async throws {
        let store = try folder.open()
        try edit("DROP TABLE peer")
        let error = #expect(throws: PresenceStoreError.self) { try store.load() }
        #expect(error?.code == .unreadable)
        try await store.close()
    }
}
