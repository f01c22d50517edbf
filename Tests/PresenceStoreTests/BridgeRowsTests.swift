import BridgeEngine
import Foundation
import GRDB
import PresenceModel
import SocialEngine
import Testing

@testable import PresenceStore

@Suite(.timeLimit(.minutes(1))) struct `Rows of the bridge` {
    private let folder: StoreFolder
    private let ann: SocialAddress
    private let bob: SocialAddress

    init() throws {
        folder = try StoreFolder()
        (ann, bob) = (try SocialAddress(parsing: "0xann"), try SocialAddress(parsing: "0xbob"))
    }

    private static let whereabouts = [
        Whereabouts(realm: nil, parcel: nil), Whereabouts(realm: "main", parcel: nil),
        Whereabouts(realm: nil, parcel: .init(x: -7, y: .max)), Whereabouts(realm: "", parcel: .init(x: 0, y: .min)),
        Whereabouts(realm: "-", parcel: nil), Whereabouts(realm: "%2d\n wörld\0", parcel: .init(x: 1, y: 2)),
    ]

    private static let bonds: [Bond] = [
        .nothing, .requested(by: .first), .requested(by: .second), .friends, .blocked(by: .first),
        .blocked(by: .second), .blocked(by: [.first, .second]),
    ]

    /// One of each kind, and of whatever a kind has in it.
    private func records() throws -> [BridgeEngine.Record] {
        let link = Link(user: try user("@ann:x"), address: ann)
        var records: [BridgeEngine.Record] = [
            .link(link, Set(LinkSource.allCases)), .link(Link(user: try user("@bob:x"), address: bob), [.operator]),
        ]
        for (number, choice) in [nil, true, false].enumerated() {
            let person = PersonMemory(
                isKnown: number == 0, participates: choice, privacy: SocialPrivacy.allCases[number])
            if person != PersonMemory() { records.append(.person(try user("@p\(number):x"), person)) }
        }
        for (number, reported) in ([nil] + `Rows of the bridge`.whereabouts).enumerated() {
            let beats = BeatMemory(
                isBeating: number % 2 == 0, lastBeat: instant(Int64(number)),
                sent: Array(`Rows of the bridge`.whereabouts.prefix(number)), reported: reported)
            records.append(.beats(try SocialAddress(parsing: "b\(number)"), beats))
        }
        let showings: [Showing] = [
            .offline, .unknown, .visible(.busy, statusText: nil), .visible(.online, statusText: "a\0b"),
        ]
        for (number, showing) in showings.enumerated() {
            for (place, before) in ([nil] + showings).enumerated() {
                let address = try SocialAddress(parsing: "s\(number)\(place)")
                records.append(
                    .shown(address, ShownMemory(user: try user("@a:x"), showing: showing, before: before)))
            }
        }
        records.append(.ghost(bob))
        for (number, bond) in `Rows of the bridge`.bonds.enumerated() {
            let bonds = `Rows of the bridge`.bonds
            let memory = PairMemory(
                firstUser: try user("@ann:x"), secondUser: try user("@bob:x"), aim: bond,
                matrix: bonds[(number + 1) % bonds.count], social: bonds[(number + 2) % bonds.count])
            records.append(.pair(ann, try SocialAddress(parsing: "p\(number)"), memory))
        }
        return records
    }

    @Test func `come back as they were written, those of each service by themselves`() async throws {
        let records = try records()
        let store = try folder.open()
        try await store.bridge(.external).write(records)
        try await store.bridge(.embedded).write([.ghost(ann)])
        try await store.close()
        let again = try folder.open()
        #expect(try again.bridge(.external).load { Issue.record("skipped \($0)") } == records)
        #expect(try again.bridge(.embedded).load() == [.ghost(ann)])
        try await again.close()
    }

    @Test func `go when there is nothing any more, and the latest of a key stays`() async throws {
        let store = try folder.open()
        let rows = store.bridge(.embedded)
        let (user, other) = (try user("@ann:x"), try user("@bob:x"))
        let pair = PairMemory(firstUser: user, secondUser: other, aim: .friends, matrix: .nothing, social: .friends)
        try await rows.write([
            .link(Link(user: user, address: ann), [.file]), .person(user, PersonMemory(participates: true)),
            .shown(ann, ShownMemory(user: user, showing: .offline)), .pair(ann, bob, pair),
        ])
        // The user is linked anew before the old link is said to be gone.
        try await rows.write([
            .link(Link(user: user, address: bob), [.proof]), .link(Link(user: user, address: ann), []),
            .person(user, PersonMemory()), .shown(ann, nil), .pair(ann, bob, nil),
        ])
        #expect(try rows.load() == [.link(Link(user: user, address: bob), [.proof])])
        try await rows.write([.link(Link(user: user, address: bob), [])])
        #expect(try rows.load().isEmpty)
        try await store.close()
    }

    @Test(arguments: UInt64(1)...3) func `are written whole or not at all, and not kept`(failing: UInt64) async throws {
        let store = try folder.open(.failing { $0 == failing })
        let rows = store.bridge(.external)
        var expected: [BridgeEngine.Record] = []
        for number in 1...UInt64(3) {
            let group: [BridgeEngine.Record] = try (0..<2).map { .ghost(try SocialAddress(parsing: "\(number)\($0)")) }
            do {
                try await rows.write(group)
                expected += group
                #expect(number != failing)
            } catch let error as PresenceStoreError {
                #expect(error.code == .unwritten && number == failing)
            }
        }
        #expect(try rows.load() == expected && expected.count == 4)
        try await store.close()
        let closed = await #expect(throws: PresenceStoreError.self) { try await rows.write([.ghost(ann)]) }
        #expect(closed?.code == .closed)
    }

    @Test func `that a foreign hand spoilt are left out, and hold nothing up`() async throws {
        let store = try folder.open()
        try await store.bridge(.external).write(try records())
        try await store.close()
        let stranger = try folder.stranger()
        try await stranger.write { database in
            try database.execute(sql: "PRAGMA ignore_check_constraints = ON")
            try database.execute(
                sql: """
                    INSERT INTO bridge_link VALUES ('external', 'ann', '0xa', 'file'), ('external', '@c:x', '0xA', 'file'),
                        ('external', '@d:x', '0xa', 'file,hearsay'), ('external', '@e:x', '0xa', '');
                    INSERT INTO bridge_person VALUES ('external', '@q:x', 1, 2, 'full');
                    INSERT INTO bridge_beats VALUES ('external', 'q', 1, 1, '1,2', NULL), ('external', 'r', 1, -1, '', NULL),
                        ('external', 'u', 1, 1, '01,2 -', NULL), ('external', 'v', 1, 1, '', '- %zz');
                    INSERT INTO bridge_shown VALUES ('external', 'q', '@a:x', 'offline', 'online', NULL, NULL, NULL, NULL),
                        ('external', 'r', '@a:x', 'visible', 'hidden', NULL, NULL, NULL, NULL),
                        ('external', 'u', '@a:x', 'offline', NULL, NULL, NULL, 'online', NULL);
                    INSERT INTO bridge_ghost VALUES ('external', 'a b');
                    INSERT INTO bridge_pair VALUES ('external', 'b', 'a', '@a:x', '@b:x', 'friends', 'friends', 'friends'),
                        ('external', 'y', 'z', '@a:x', '@b:x', 'lovers', 'friends', 'friends');
                    """)
        }
        try stranger.close()
        let again = try folder.open()
        var skipped: [String: Int] = [:]
        #expect(try again.bridge(.external).load { skipped[$0.table] = $0.count } == records())
        let expected = [
            "bridge_link": 4, "bridge_person": 1, "bridge_beats": 4, "bridge_shown": 3, "bridge_ghost": 1,
            "bridge_pair": 2,
        ]
        #expect(skipped == expected)
        try await again.close()
    }

    @Test func `of what users handed over come back, one of a kind, until they are removed`() async throws {
        let ann = try user("@ann:x")
        let token = HandedCredential(user: ann, kind: .token, secret: "one", address: self.ann)
        let identity = HandedCredential(
            user: ann, kind: .identity, secret: #"{"key":"0x1"}"#, address: bob, expires: instant(9))
        let store = try folder.open()
        try await store.keep(token)
        try await store.keep(identity)
        var another = token
        another.secret = "two"
        try await store.keep(another)
        try await store.close()
        let again = try folder.open()
        #expect(try again.credentials() == [identity, another])
        try await again.removeCredential(.identity, of: ann)
        try await again.removeCredential(.identity, of: ann)
        #expect(try again.credentials() == [another])
        try await again.close()
        // Whatever is printed of them, the secret is not.
        var text = "\(token) \(String(reflecting: token))"
        dump(token, to: &text)
        #expect(!text.contains("one"))
    }

    @Test func `of another service are left out, but for links, choices and what stands in Matrix`() async throws {
        let records = try records()
        let store = try folder.open()
        let rows = store.bridge(.external)
        #expect(try rows.take(up: "one:443/ v1") == nil)
        try await rows.write(records)
        try await store.bridge(.embedded).write(records)
        #expect(try rows.take(up: "one:443/ v1") == nil)
        #expect(try rows.load() == records)
        try await store.close()
        let again = try folder.open()
        let kept = records.filter {
            switch $0 {
            case .pair, .beats: false
            case .link, .person, .shown, .ghost: true
            }
        }
        let beats = records.count { if case .beats = $0 { true } else { false } }
        #expect(
            try again.bridge(.external).take(up: "one:443/ v2")
                == FormerService(identity: "one:443/ v1", pairs: records.count - kept.count - beats, beats: beats))
        #expect(try again.bridge(.external).load() == kept)
        #expect(try again.bridge(.embedded).load() == records)
        try await again.close()
        let broken = try folder.open(.failing { _ in true })
        #expect(throws: PresenceStoreError.self) { try broken.bridge(.external).take(up: "two:443/ v2") }
        #expect(try broken.bridge(.external).take(up: "one:443/ v2") == nil)
        try await broken.close()
    }

    @Test func `find their room in a file from before the bridge`() async throws {
        let store = try folder.open()
        store.append([try status("a", "t")])
        try await store.settle()
        try await store.close()
        let stranger = try folder.stranger()
        try await stranger.write { database in
            for table in ["service", "link", "person", "beats", "shown", "ghost", "pair", "credential"] {
                try database.execute(sql: "DROP TABLE bridge_\(table)")
            }
            try database.execute(sql: "DELETE FROM grdb_migrations WHERE identifier LIKE '7:%'")
        }
        try stranger.close()
        let again = try folder.open()
        #expect(try again.loadedTexts() == ["@a:x": "t"])
        try await again.bridge(.external).write(try records())
        #expect(try again.bridge(.external).load() == records())
        try await again.close()
    }
}
