import FederationEngine
import GRDB
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Testing

@testable import PresenceStore

/// Lists, consents, groups, policies, rooms and permissions on their way to the disk and back.
@Suite(.timeLimit(.minutes(1))) struct ListRoundTripTests {
    private let folder: StoreFolder

    init() throws { folder = try StoreFolder() }

    private func settings(_ groups: [(UInt8, String)]) throws -> StoredListSettings {
        var settings = StoredListSettings()
        settings.groups = try groups.map { StoredListSettings.Group(slot: $0.0, name: try group($0.1)) }
        return settings
    }

    @Test(arguments: Seeds.all) func `drawn records of every kind come back as the plainest disk would hold them`(
        seed: UInt64
    ) async throws {
        var drawn = DrawnRecords(seed: seed)
        var expected = RecordsOnDisk()
        let groups = try (0..<4).map { _ in try (0..<80).map { _ in try drawn.next() } }
        for record in groups.joined() { expected.append(record) }
        let loaded = try await folder.reopened(after: groups[0], groups[1], groups[2], groups[3])
        #expect(RecordsOnDisk(loaded) == expected)
    }

    private enum Seeds { static let all = Array(UInt64(1)...30) }

    @Test func `an entry and a consent come back with all their fields, and with none`() async throws {
        let (a, b, c) = (try user("@a:x"), try user("@b:x"), try user("@c:y"))
        let fullEntry = StoredEntry(
            state: .denied, request: .max, since: instant(5), note: String(repeating: "n", count: 512),
            acl: String(repeating: "a", count: 255), groups: .max)
        let bareEntry = StoredEntry(state: .pending, request: .min, since: .epoch)
        let fullConsent = StoredConsent(state: .requested, request: 7, since: instant(6), note: "please")
        let bareConsent = StoredConsent(state: .blocked, since: .epoch)
        let loaded = try await folder.reopened(after: [
            .presence(.entry(observer: a, observed: b, fullEntry)),
            .presence(.entry(observer: a, observed: c, bareEntry)),
            .presence(.consent(observed: a, observer: b, fullConsent)),
            .presence(.consent(observed: a, observer: c, bareConsent)),
        ])
        #expect(loaded.presence.entries.map { [$0.observer, $0.observed] } == [[a, b], [a, c]])
        #expect(loaded.presence.entries.map(\.entry) == [fullEntry, bareEntry])
        #expect(loaded.presence.consents.map { [$0.observed, $0.observer] } == [[a, b], [a, c]])
        #expect(loaded.presence.consents.map(\.consent) == [fullConsent, bareConsent])
    }

    @Test(arguments: [0, 1, 1 << 62, 1 << 63, .max, 0x8000_0000_0000_0001] as [UInt64])
    func `every bit of the groups comes back`(groups: UInt64) async throws {
        let entry = StoredEntry(state: .accepted, request: 1, since: instant(1), groups: groups)
        let loaded = try await folder.reopened(after: [
            .presence(.entry(observer: try user("@a:x"), observed: try user("@b:x"), entry))
        ])
        #expect(loaded.presence.entries.first?.entry.groups == groups)
    }

    @Test func `a later settings record replaces groups, policy and contact rules as a whole`() async throws {
        let (a, b) = (try user("@a:x"), try user("@b:x"))
        var first = try settings([(0, "Family"), (63, "Work"), (7, "family")])
        first.policy = .denyAll
        first.contact.offline = .group(try group("Work"))
        var second = try settings([(63, "Job"), (7, "family")])
        second.contact.busy = .group(try group("anyone"))
        let other = try settings([(0, "Family")])
        let loaded = try await folder.reopened(
            after: [.presence(.listSettings(a, first)), .presence(.listSettings(b, other))],
            [.presence(.listSettings(a, second))])
        #expect(loaded.presence.listSettings.map(\.user) == [a, b])
        #expect(loaded.presence.listSettings.map(\.settings) == [second, other])
        let none = try await folder.reopened(after: [.presence(.listSettings(a, StoredListSettings()))])
        #expect(none.presence.listSettings.map(\.settings) == [StoredListSettings(), other])
    }

    @Test func `all 64 groups fit, and a group may be named like a rule`() async throws {
        var full = try settings((0..<64).map { ($0, "\(100 + $0) \(String(repeating: "é", count: 30))") })
        full.contact.freeForChat = .group(try group("nobody"))
        full.contact.online = .group(try group("group:"))
        full.contact.busy = .group(try group("\u{301}"))
        full.contact.unavailable = .nobody
        full.contact.offline = .anyone
        let loaded = try await folder.reopened(after: [.presence(.listSettings(try user("@a:x"), full))])
        #expect(loaded.presence.listSettings.map(\.settings) == [full])
    }

    @Test func `of one pair an invite and one answer wait, and each is delivered for itself`() async throws {
        let (a, b) = (try user("@a:x"), try user("@b:y"))
        let invite = PermissionMessage(.invite, observed: b, observer: a, request: 5, note: "me")
        let accept = PermissionMessage(.accept, observed: b, observer: a, request: 5)
        let deny = PermissionMessage(.deny, observed: b, observer: a)
        func queued(_ messages: PermissionMessage...) -> [Record] {
            messages.map { .federation(.permissionQueued($0)) }
        }
        let loaded = try await folder.reopened(after: queued(invite, accept), queued(deny))
        #expect(loaded.federation.permissions == [deny, invite])
        let delivered = try await folder.reopened(after: [.federation(.permissionDelivered(deny))])
        #expect(delivered.federation.permissions == [invite])
        let all = try await folder.reopened(after: [.federation(.permissionDelivered(invite))])
        #expect(all.federation.permissions.isEmpty)
    }

    @Test func `what people read with a shell says what it is`() async throws {
        let a = try user("@a:x")
        var settings = try settings([(3, "Family")])
        settings.contact.busy = .group(try group("Family"))
        settings.policy = .acceptSharedRoom
        let override = PresenceOverride(state: .busy, text: .replaced(nil), until: instant(9))
        _ = try await folder.reopened(after: [
            .presence(.listSettings(a, settings)), .presence(.status(a, StoredStatus(override: override))),
        ])
        let lines = try await folder.stranger().read { database in
            try ["list_settings", "list_group", "local_status"].map { table in
                let row = try #require(try Row.fetchOne(database, sql: "SELECT * FROM \(table)"))
                return row.databaseValues.map { $0.isNull ? "" : "\($0)" }.joined(separator: "|")
            }
        }
        #expect(
            lines == [
                #""@a:x"|"accept_shared_room"|"anyone"|"list"|"group:Family"|"list"|"list"|0"#,
                #""@a:x"|"Family"|3"#, #""@a:x"|"online"||||0|"busy"|1||9|0||"#,
            ])
    }
}
