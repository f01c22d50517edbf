import GRDB
import PresenceEngine
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

    /// The columns of a good row; what a case is about is put in their place.
    private static let good: [String: [String: String]] = [
        "local_status": [
            "user": "'@m:x'", "chosen": "'online'", "status_text": "'t'", "last_active": "1", "last_seen": "1",
            "is_connected": "0", "override_state": "'busy'", "override_replaces_text": "1", "override_text": "'o'",
            "override_until": "1", "is_idle": "0", "shown_text": "'s'", "shown_last_active": "1",
        ],
        "device_type": ["user": "'@m:x'", "device": "'D'", "type": "'web'"],
        "list_entry": [
            "observer": "'@m:x'", "observed": "'@n:x'", "state": "'denied'", "request": "1", "since": "1",
            "note": "'n'", "acl": "'a'", "groups": "-1",
        ],
        "consent": [
            "observed": "'@m:x'", "observer": "'@n:x'", "state": "'blocked'", "request": "1", "since": "1",
            "note": "'n'",
        ],
        "list_settings": [
            "user": "'@m:x'", "policy": "'ask'", "contact_free_for_chat": "'anyone'", "contact_online": "'list'",
            "contact_busy": "'nobody'", "contact_unavailable": "'group:g'", "contact_offline": "'list'",
            "contact_refuses_invites": "1",
        ],
        "list_group": ["owner": "'@m:x'", "name": "'g'", "slot": "63"],
        "room_member": ["room": "'!r:x'", "user": "'@m:x'"],
        "remote_presence": [
            "user": "'@m:y'", "state": "'online'", "status_text": "'t'", "last_active": "1", "device_type": "'web'",
            "good_until": "1",
        ],
        "promise_given": ["user": "'@m:x'", "server": "'y'", "until": "1"],
        "promise_asked": ["user": "'@m:y'", "until": "1"],
        "peer": ["server": "'y'", "dialect": "'legacy'", "failures": "0", "retry_at": "5", "silent_since": "NULL"],
        "permission": [
            "is_invite": "1", "observed": "'@m:y'", "observer": "'@m:x'", "kind": "'invite'", "request": "1",
            "note": "'n'",
        ],
        "sync_cursor": ["user": "'@m:x'", "device": "'D'", "cursors": "zeroblob(80)"],
        "listed_room": ["room": "'!r:x'", "listed": "1"],
        "refused_invite": ["user": "'@m:x'", "room": "'!r:x'", "since": "1"],
    ]

    /// What no column of that meaning may hold, as far as a strict table takes it.
    private static let spoilt: [(columns: [String], values: [String])] = [
        (
            ["user", "observer", "observed", "owner", "room", "device", "name", "server"],
            ["''", "CAST(x'40FF3A78' AS TEXT)", "'@a:x' || char(10)", "'@a:' || printf('%.*c', 300, 'x')"]
        ),
        (
            ["chosen", "override_state", "state", "policy", "dialect", "kind", "type", "device_type"],
            ["''", "'Online!'", "CAST(x'FF' AS TEXT)", "'online' || char(0)", "printf('%.*c', 300, 'x')"]
        ),
        (
            ["contact_free_for_chat", "contact_online", "contact_busy", "contact_unavailable", "contact_offline"],
            ["''", "'everyone'", "'group:'", "'group:' || char(7)", "'group:' || printf('%.*c', 65, 'x')"]
        ),
        (
            [
                "last_active", "last_seen", "override_until", "shown_last_active", "since", "good_until", "until",
                "listed",
            ], ["-1", "9223372036854775807"]
        ),
        (["is_connected", "is_idle", "override_replaces_text", "is_invite", "contact_refuses_invites"], ["2", "-1"]),
        (["slot"], ["-1", "64", "9223372036854775807"]),
        (["status_text", "override_text", "shown_text"], ["CAST(x'FF' AS TEXT)"]),
        (["note"], ["CAST(x'FF' AS TEXT)", "printf('%.*c', 513, 'x')"]),
        (["cursors"], ["x''", "zeroblob(39)", "zeroblob(400)"]),
        (["acl"], ["CAST(x'FF' AS TEXT)", "printf('%.*c', 256, 'x')"]),
    ]

    @Test(arguments: good.keys.sorted()) func `whatever is done to a column, that row alone is left out`(
        table: String
    ) async throws {
        let store = try folder.open()
        let row = try #require(Self.good[table])
        let columns = try await folder.stranger().read { try $0.columns(in: table).map(\.name) }
        #expect(columns.sorted() == row.keys.sorted())
        let names = row.keys.sorted()
        func insert(_ column: String?, _ value: String) throws {
            let values = names.map { $0 == column ? value : row[$0] ?? "" }
            try edit(
                "INSERT INTO \(table) (\(names.joined(separator: ", "))) VALUES (\(values.joined(separator: ", ")))")
        }
        try insert(nil, "")
        let before = try store.load { Issue.record("skipped \($0)") }.records
        // Groups whose owner has no other settings are settings all the same.
        #expect(before.count == 1)
        for column in names {
            for value in Self.spoilt.filter({ $0.columns.contains(column) }).flatMap(\.values) {
                try edit("DELETE FROM \(table)")
                try insert(column, value)
                var skipped: [SkippedRows] = []
                #expect(try store.load { skipped.append($0) }.records.isEmpty)
                #expect(skipped.map(\.count) == [1] && skipped.map(\.table) == [table], "\(column): \(value)")
                #expect(skipped.map(\.firstColumn) == [column], "\(value)")
            }
        }
        try edit("DELETE FROM \(table)")
        try insert(nil, "")
        #expect(try store.load { Issue.record("skipped \($0)") }.records == before)
        try await store.close()
    }

    @Test func `a row that does not parse is left out, counted and left alone`() async throws {
        let store = try folder.open()
        store.append([try status("b", "good"), try status("c", "good")])
        try await store.settle()
        try edit(
            """
            INSERT INTO local_status (user, chosen, is_connected) VALUES ('@a', 'online', 0),
                (CAST(x'40FF3A78' AS TEXT), 'online', 0), ('@d:x', 'asleep', 0), ('@h:x', 'online', 2);
            INSERT INTO list_entry VALUES ('@b:x', 'nobody', 'pending', 1, 1, NULL, NULL, 0);
            INSERT INTO peer VALUES ('not a server', 'legacy', 0, NULL, NULL);
            """)
        var skipped: [SkippedRows] = []
        let loaded = try store.load { skipped.append($0) }
        #expect(loaded.presence.statuses.map(\.user.text) == ["@b:x", "@c:x"])
        #expect(loaded.presence.entries.isEmpty && loaded.federation.peers.isEmpty)
        #expect(
            skipped == [
                SkippedRows(table: "local_status", count: 4, firstKey: "@a", firstColumn: "user"),
                SkippedRows(table: "list_entry", count: 1, firstKey: "@b:x", firstColumn: "observed"),
                SkippedRows(table: "peer", count: 1, firstKey: "not a server", firstColumn: "server"),
            ])
        #expect(try folder.texts().count == 6)
        try await store.close()
    }

    @Test(arguments: [
        ("override_text = 'o'", "override_text"), ("override_until = 1", "override_until"),
        ("override_replaces_text = 1", "override_replaces_text"),
        ("override_state = 'busy', override_text = 'o'", "override_text"),
    ]) func `half an override is none, and its row is left out`(edited: String, column: String) async throws {
        let store = try folder.open()
        store.append([try status("a", nil)])
        try await store.settle()
        try edit("UPDATE local_status SET \(edited)")
        var skipped: [SkippedRows] = []
        #expect(try store.load { skipped.append($0) }.presence.statuses.isEmpty)
        #expect(skipped.map(\.firstColumn) == [column])
        try await store.close()
    }

    @Test func `of two groups in one slot the first is read, and the next save clears the other away`() async throws {
        let store = try folder.open()
        try edit("INSERT INTO list_group VALUES ('@a:x', 'b', 3), ('@a:x', 'a', 3), ('@a:x', 'c', 4), ('@b:x', 'a', 3)")
        var skipped: [SkippedRows] = []
        let found = try store.load { skipped.append($0) }.presence.listSettings
        #expect(found.map(\.user.text) == ["@a:x", "@b:x"])
        #expect(found.first?.settings.groups.map(\.name.text) == ["a", "c"])
        #expect(skipped == [SkippedRows(table: "list_group", count: 1, firstKey: "@a:x", firstColumn: "slot")])
        store.append(found.map { .presence(.listSettings($0.user, $0.settings)) })
        try await store.settle()
        let again = try store.load { Issue.record("skipped \($0)") }.presence.listSettings
        #expect(again.map(\.settings) == found.map(\.settings))
        try await store.close()
    }

    @Test func `groups outlive settings that do not parse, in the order of their owners`() async throws {
        let store = try folder.open()
        var settings = StoredListSettings()
        settings.policy = .denyAll
        settings.groups = [StoredListSettings.Group(slot: 5, name: try group("g"))]
        for name in ["@a:x", "@b:x", "@c:x"] { store.append([.presence(.listSettings(try user(name), settings))]) }
        try await store.settle()
        try edit("UPDATE list_settings SET policy = 'maybe' WHERE user = '@b:x'")
        var skipped = 0
        let found = try store.load { skipped += $0.count }.presence.listSettings
        #expect(found.map(\.user.text) == ["@a:x", "@b:x", "@c:x"])
        #expect(found.map(\.settings.policy) == [.denyAll, nil, .denyAll])
        #expect(found.allSatisfy { $0.settings.groups == settings.groups })
        #expect(skipped == 1)
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
