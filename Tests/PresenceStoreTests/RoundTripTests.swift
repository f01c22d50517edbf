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

    @Test func `a status comes back with all its fields, and with none`() async throws {
        let full = StoredStatus(
            chosen: .hidden, statusText: "back at 3",
            override: PresenceOverride(state: .busy, text: .replaced("in a talk"), until: instant(7)),
            lastActive: instant(1), lastSeen: instant(1_700_000_000_000), isConnected: true, isIdle: true,
            shownText: "at lunch", shownLastActive: instant(3))
        let bare = StoredStatus()
        let loaded = try await folder.reopened(after: [
            .presence(.status(try user("@a:x"), full)), .presence(.status(try user("@b:x"), bare)),
        ])
        #expect(loaded.presence.statuses.map(\.user) == [try user("@a:x"), try user("@b:x")])
        #expect(loaded.presence.statuses.map(\.status) == [full, bare])
    }

    @Test func `an override comes back with its text replaced, taken away or left as chosen`() async throws {
        let overrides: [PresenceOverride?] = [
            nil, PresenceOverride(state: .hidden), PresenceOverride(state: .offline, until: .distantFuture),
            PresenceOverride(state: .busy, text: .replaced(nil)), PresenceOverride(state: .busy, text: .replaced("")),
            PresenceOverride(state: .busy, text: .replaced("a\0b"), until: .epoch),
        ]
        let records = try overrides.enumerated().map { number, override in
            Record.presence(.status(try user("@\(number):x"), StoredStatus(statusText: "beneath", override: override)))
        }
        let loaded = try await folder.reopened(after: records)
        #expect(loaded.presence.statuses.map(\.status.override) == overrides)
    }

    @Test func `a remote presence comes back with all its fields, and with none`() async throws {
        let full = StoredRemote(
            presence: Presence(
                state: .unavailable, statusText: "tea", lastActive: instant(5),
                deviceType: try DeviceType(parsing: "mobile")),
            goodUntil: instant(9))
        let bare = StoredRemote(presence: .neverActive, goodUntil: nil)
        let loaded = try await folder.reopened(after: [
            .presence(.remote(try user("@a:y"), full)), .presence(.remote(try user("@b:y"), bare)),
        ])
        #expect(loaded.presence.remotes.map(\.user) == [try user("@a:y"), try user("@b:y")])
        #expect(loaded.presence.remotes.map(\.remote) == [full, bare])
    }

    @Test func `entries and promises come back, and the removed ones do not`() async throws {
        let (a, b, y) = (try user("@a:x"), try user("@b:y"), try server("y:8448"))
        let kept: [Record] = [
            try entry("@a:x", "@b:y"), try entry("@b:y", "@a:x"),
            .federation(.promiseGiven(a, to: y, until: instant(7))),
            .federation(.promiseGiven(a, to: try server("z"), until: instant(8))),
            .federation(.promiseAsked(b, until: instant(9))),
            .federation(.promiseAsked(try user("@c:y"), until: nil)), .federation(.peer(y, .init(dialect: .capable))),
        ]
        let removed: [Record] = [
            .presence(.entryRemoved(observer: b, observed: a)),
            .federation(.promiseGivenEnded(a, to: try server("z"))), .federation(.promiseAskedEnded(b)),
        ]
        let loaded = try await folder.reopened(after: kept, removed)
        #expect(loaded.presence.entries.map { [$0.observer, $0.observed] } == [[a, b]])
        #expect(loaded.federation.given.map(\.user) == [a])
        #expect(loaded.federation.given.map(\.server) == [y])
        #expect(loaded.federation.given.map(\.until) == [instant(7)])
        #expect(loaded.federation.asked.map(\.user) == [try user("@c:y")])
        #expect(loaded.federation.asked.map(\.until) == [nil])
        #expect(loaded.federation.peers.map(\.memory) == [.init(dialect: .capable)])
    }

    @Test(arguments: ["", "\0", "a\0b", "\0\0end", "👩‍👩‍👧‍👦 🏳️‍🌈", "e\u{301} \u{E9}", String(repeating: "é", count: 512)])
    func `a status text comes back byte for byte`(text: String) async throws {
        let remote = StoredRemote(presence: Presence(state: .online, statusText: text), goodUntil: nil)
        let records = [try status("a", text), Record.presence(.remote(try user("@b:y"), remote))]
        let loaded = try await folder.reopened(after: records)
        let local = try #require(loaded.presence.statuses.first?.status.statusText)
        let foreign = try #require(loaded.presence.remotes.first?.remote.presence.statusText)
        #expect(Array(local.utf8) == Array(text.utf8))
        #expect(Array(foreign.utf8) == Array(text.utf8))
        let types = try await folder.stranger().read { database in
            try String.fetchAll(database, sql: "SELECT DISTINCT typeof(status_text) FROM local_status")
        }
        #expect(types == ["text"])
    }

    @Test func `the tables take every word there is`() async throws {
        var records: [Record] = []
        for chosen in ChosenState.allCases {
            let status = StoredStatus(chosen: chosen, override: PresenceOverride(state: chosen))
            records.append(.presence(.status(try user("@\(chosen.rawValue):x"), status)))
        }
        for state in PublishedState.allCases {
            let remote = StoredRemote(presence: Presence(state: state), goodUntil: nil)
            records.append(.presence(.remote(try user("@\(state.rawValue):y"), remote)))
        }
        for dialect in Dialect.allCases {
            records.append(.federation(.peer(try server(dialect.rawValue), .init(dialect: dialect))))
        }
        let (a, b) = (try user("@a:x"), try user("@b:y"))
        for state in EntryState.allCases {
            let entry = StoredEntry(state: state, request: 1, since: instant(1))
            records.append(.presence(.entry(observer: a, observed: try user("@\(state.rawValue):x"), entry)))
        }
        for state in StoredConsent.State.allCases {
            let consent = StoredConsent(state: state, since: instant(1))
            records.append(.presence(.consent(observed: a, observer: try user("@\(state.rawValue):x"), consent)))
        }
        for policy in ListPolicy.allCases {
            var settings = StoredListSettings()
            settings.policy = policy
            records.append(.presence(.listSettings(try user("@\(policy.rawValue):x"), settings)))
        }
        for kind in PermissionMessage.Kind.allCases {
            let observer = try user("@\(kind.rawValue):y")
            records.append(.federation(.permissionQueued(PermissionMessage(kind, observed: b, observer: observer))))
        }
        let loaded = try await folder.reopened(after: records)
        #expect(loaded.records.count == records.count && Set(loaded.records) == Set(records))
    }

    @Test func `an instant outside the axis is moved onto it and holds nobody up`() async throws {
        let (a, b) = (try user("@a:x"), try user("@b:x"))
        let odd = StoredStatus(
            override: PresenceOverride(state: .busy, until: instant(.max)), lastActive: instant(-5),
            lastSeen: instant(.max), shownLastActive: instant(.min))
        let consent = StoredConsent(state: .blocked, since: instant(-1))
        let loaded = try await folder.reopened(after: [
            .presence(.status(a, odd)), .presence(.consent(observed: a, observer: b, consent)),
            .presence(
                .entry(observer: a, observed: b, StoredEntry(state: .denied, request: -1, since: instant(.max)))),
        ])
        #expect(loaded.presence.statuses.first?.status.override?.until == .distantFuture)
        #expect(loaded.presence.statuses.first?.status.shownLastActive == .epoch)
        #expect(loaded.presence.consents.first?.consent.since == .epoch)
        #expect(loaded.presence.entries.first?.entry.since == .distantFuture)
        #expect(loaded.presence.statuses.first?.status.lastActive == .epoch)
        #expect(loaded.presence.statuses.first?.status.lastSeen == .distantFuture)
    }

    @Test func `the latest row for a key wins, within a group and after it`() async throws {
        let (a, b) = (try user("@a:x"), try user("@b:x"))
        let loaded = try await folder.reopened(
            after: [
                try status("a", "one"), try status("b", "only"), try status("a", "two"),
                .presence(.entryRemoved(observer: a, observed: b)), try entry("@a:x", "@b:x"),
                try entry("@b:x", "@a:x"), .presence(.entryRemoved(observer: b, observed: a)),
            ], [try status("a", "three"), try status("a", nil)])
        #expect(loaded.presence.statuses.map(\.status.statusText) == [nil, "only"])
        #expect(loaded.presence.entries.map(\.observer) == [a])
    }

    @Test func `rows come in the order of their keys' bytes, however they were written`() async throws {
        let names = ["@Z:x", "@a:x", "@a:y", "@ab:x", "@b:x", "@é:x"]
        let first = try names.shuffled().map { Record.federation(.promiseAsked(try user($0), until: nil)) }
        let second = try names.reversed().map { try entry($0, "@o:x") }
        let third = try names.shuffled().flatMap { name in
            try PermissionMessage.Kind.allCases.map { kind in
                let message = PermissionMessage(kind, observed: try user(name), observer: try user("@o:x"))
                return Record.federation(.permissionQueued(message))
            }
        }
        let fourth = try ["!b:x", "!é", "!a:x"].flatMap { name in
            try names.reversed().map { Record.presence(.member(try room(name), try user($0))) }
        }
        let loaded = try await folder.reopened(after: first, second, third, fourth)
        let kinds = loaded.federation.permissions.map(\.kind)
        #expect(kinds == names.map { _ in .deny } + names.map { _ in .invite })
        #expect(loaded.federation.permissions.map(\.observed.text) == names + names)
        #expect(loaded.presence.members.map(\.user.text) == names + names + names)
        #expect(loaded.presence.members.first?.room.text == "!a:x" && loaded.presence.members.last?.room.text == "!é")
        #expect(loaded.federation.asked.map(\.user.text) == names)
        #expect(loaded.presence.entries.map(\.observer.text) == names)
    }
}
