import FederationEngine
import GRDB
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Testing

@testable import PresenceStore

@Suite(.timeLimit(.minutes(1))) struct RoundTripTests {
    private let folder: StoreFolder

    init() throws { folder = try StoreFolder() }

    /// Writes `groups`, each settled, closes, opens again and loads.
    private func reopened(after groups: [Record]...) async throws -> PresenceInstance.Snapshot {
        let store = try folder.open()
        for group in groups {
            store.append(group)
            try await store.settle()
        }
        try await store.close()
        let again = try folder.open()
        let snapshot = try again.load { Issue.record("skipped \($0)") }
        try await again.close()
        return snapshot
    }

    @Test func `a status comes back with all its fields, and with none`() async throws {
        let full = StoredStatus(
            chosen: .hidden, statusText: "back at 3", lastActive: instant(1), lastSeen: instant(1_700_000_000_000),
            isConnected: true)
        let bare = StoredStatus(
            chosen: .online, statusText: nil, lastActive: nil, lastSeen: nil, isConnected: false)
        let loaded = try await reopened(after: [
            .presence(.status(try user("@a:x"), full)), .presence(.status(try user("@b:x"), bare)),
        ])
        #expect(loaded.presence.statuses.map(\.user) == [try user("@a:x"), try user("@b:x")])
        #expect(loaded.presence.statuses.map(\.status) == [full, bare])
    }

    @Test func `a remote presence comes back with all its fields, and with none`() async throws {
        let full = StoredRemote(
            presence: Presence(state: .unavailable, statusText: "tea", lastActive: instant(5)), goodUntil: instant(9))
        let bare = StoredRemote(presence: .neverActive, goodUntil: nil)
        let loaded = try await reopened(after: [
            .presence(.remote(try user("@a:y"), full)), .presence(.remote(try user("@b:y"), bare)),
        ])
        #expect(loaded.presence.remotes.map(\.user) == [try user("@a:y"), try user("@b:y")])
        #expect(loaded.presence.remotes.map(\.remote) == [full, bare])
    }

    @Test func `entries and promises come back, and the removed ones do not`() async throws {
        let (a, b, y) = (try user("@a:x"), try user("@b:y"), try server("y:8448"))
        let kept: [Record] = [
            .presence(.entry(observer: a, observed: b)), .presence(.entry(observer: b, observed: a)),
            .federation(.promiseGiven(a, to: y, until: instant(7))),
            .federation(.promiseGiven(a, to: try server("z"), until: instant(8))),
            .federation(.promiseAsked(b, until: instant(9))),
            .federation(.promiseAsked(try user("@c:y"), until: nil)), .federation(.peer(y, .capable)),
        ]
        let removed: [Record] = [
            .presence(.entryRemoved(observer: b, observed: a)),
            .federation(.promiseGivenEnded(a, to: try server("z"))), .federation(.promiseAskedEnded(b)),
        ]
        let loaded = try await reopened(after: kept, removed)
        #expect(loaded.presence.entries.map { [$0.observer, $0.observed] } == [[a, b]])
        #expect(loaded.federation.given.map(\.user) == [a])
        #expect(loaded.federation.given.map(\.server) == [y])
        #expect(loaded.federation.given.map(\.until) == [instant(7)])
        #expect(loaded.federation.asked.map(\.user) == [try user("@c:y")])
        #expect(loaded.federation.asked.map(\.until) == [nil])
        #expect(loaded.federation.dialects.map(\.dialect) == [.capable])
    }

    @Test(arguments: ["", "\0", "a\0b", "\0\0end", "👩‍👩‍👧‍👦 🏳️‍🌈", "e\u{301} \u{E9}", String(repeating: "é", count: 512)])
    func `a status text comes back byte for byte`(text: String) async throws {
        let remote = StoredRemote(presence: Presence(state: .online, statusText: text), goodUntil: nil)
        let loaded = try await reopened(after: [try status("a", text), .presence(.remote(try user("@b:y"), remote))])
        let local = try #require(loaded.presence.statuses.first?.status.statusText)
        let foreign = try #require(loaded.presence.remotes.first?.remote.presence.statusText)
        #expect(Array(local.utf8) == Array(text.utf8))
        #expect(Array(foreign.utf8) == Array(text.utf8))
        let types = try await folder.stranger().read { database in
            try String.fetchAll(database, sql: "SELECT DISTINCT typeof(status_text) FROM local_status")
        }
        #expect(types == ["text"])
    }

    @Test func `the tables take every state and dialect there is`() async throws {
        var records: [Record] = []
        for chosen in ChosenState.allCases {
            let status = StoredStatus(
                chosen: chosen, statusText: nil, lastActive: nil, lastSeen: nil, isConnected: false)
            records.append(.presence(.status(try user("@\(chosen.rawValue):x"), status)))
        }
        for state in PublishedState.allCases {
            let remote = StoredRemote(presence: Presence(state: state), goodUntil: nil)
            records.append(.presence(.remote(try user("@\(state.rawValue):y"), remote)))
        }
        for dialect in Dialect.allCases { records.append(.federation(.peer(try server(dialect.rawValue), dialect))) }
        let loaded = try await reopened(after: records)
        #expect(Set(loaded.presence.statuses.map(\.status.chosen)) == Set(ChosenState.allCases))
        #expect(Set(loaded.presence.remotes.map(\.remote.presence.state)) == Set(PublishedState.allCases))
        #expect(Set(loaded.federation.dialects.map(\.dialect)) == Set(Dialect.allCases))
    }

    @Test func `an instant outside the axis is moved onto it and holds nobody up`() async throws {
        let odd = StoredStatus(
            chosen: .online, statusText: nil, lastActive: instant(-5), lastSeen: instant(.max), isConnected: false)
        let loaded = try await reopened(after: [.presence(.status(try user("@a:x"), odd))])
        #expect(loaded.presence.statuses.first?.status.lastActive == .epoch)
        #expect(loaded.presence.statuses.first?.status.lastSeen == .distantFuture)
    }

    @Test func `the latest row for a key wins, within a group and after it`() async throws {
        let (a, b) = (try user("@a:x"), try user("@b:x"))
        let loaded = try await reopened(
            after: [
                try status("a", "one"), try status("b", "only"), try status("a", "two"),
                .presence(.entryRemoved(observer: a, observed: b)), .presence(.entry(observer: a, observed: b)),
                .presence(.entry(observer: b, observed: a)), .presence(.entryRemoved(observer: b, observed: a)),
            ], [try status("a", "three"), try status("a", nil)])
        #expect(loaded.presence.statuses.map(\.status.statusText) == [nil, "only"])
        #expect(loaded.presence.entries.map(\.observer) == [a])
    }

    @Test func `rows come in the order of their keys' bytes, however they were written`() async throws {
        let names = ["@Z:x", "@a:x", "@a:y", "@ab:x", "@b:x", "@é:x"]
        let first = try names.shuffled().map { Record.federation(.promiseAsked(try user($0), until: nil)) }
        let second = try names.reversed().map {
            Record.presence(.entry(observer: try user($0), observed: try user("@o:x")))
        }
        let loaded = try await reopened(after: first, second)
        #expect(loaded.federation.asked.map(\.user.text) == names)
        #expect(loaded.presence.entries.map(\.observer.text) == names)
    }
}
