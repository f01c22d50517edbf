import Foundation
import GRDB
import PresenceModel
import SocialEngine
import Synchronization
import Testing

@testable import PresenceStore

@Suite(.timeLimit(.minutes(1))) struct `Rows of the social service` {
    private let folder: StoreFolder
    private let pair: SocialPair

    init() throws {
        folder = try StoreFolder()
        pair = try #require(SocialPair(try SocialAddress(parsing: "ann"), try SocialAddress(parsing: "bob")))
    }

    private func friendship(_ state: Friendship.State, revision: Int64) throws -> Friendship {
        var friendship = Friendship()
        friendship.state = state
        friendship.since = instant(5)
        if case .requested = state { friendship.message = "hi\0there" }
        friendship.blocksByLow = 3
        friendship.blocksByHigh = 2
        friendship.actor = .high
        friendship.actedAt = instant(7)
        friendship.room = try room("!r:x")
        friendship.isRoomWanted = state == .friends
        friendship.revision = revision
        friendship.origin = .max - 1
        return friendship
    }

    @Test(arguments: [
        Friendship.State.none, .requested(by: .low), .requested(by: .high), .friends, .ended,
    ])
    func `come back as they were written`(state: Friendship.State) async throws {
        let row = try friendship(state, revision: 4)
        var settings = SocialSettings()
        settings.privacy = .stateOnly
        settings.privacyRevision = 2
        settings.isConcealed = true
        settings.concealmentRevision = 9
        let store = try folder.open()
        try await store.write([.friendship(pair, Friendship()), .settings(pair.low, SocialSettings())])
        try await store.write([.friendship(pair, row), .settings(pair.low, settings)])
        try await store.close()
        let again = try folder.open()
        let snapshot = try again.loadSocial { Issue.record("skipped \($0)") }
        #expect(snapshot.friendships.map(\.pair) == [pair] && snapshot.friendships.map(\.friendship) == [row])
        #expect(snapshot.settings.map(\.user) == [pair.low] && snapshot.settings.map(\.settings) == [settings])
        try await again.close()
    }

    @Test func `of the history stay, in their order`() async throws {
        let actions: [FriendshipAction] = [
            .request(message: "hi"), .cancel, .request(message: nil), .accept, .delete, .block, .unblock, .reject,
        ]
        let events = actions.enumerated().map { number, action in
            FriendshipEvent(
                pair: pair, actor: number % 2 == 0 ? .low : .high, action: action, at: instant(Int64(number)),
                revision: Int64(number))
        }
        let store = try folder.open()
        for event in events { try await store.write([.event(event)]) }
        #expect(try store.history(of: pair) == events)
        try await store.close()
    }

    @Test func `that could not be written are refused, and stay away`() async throws {
        let store = try folder.open(.failing { $0 == 2 })
        try await store.write([.friendship(pair, friendship(.friends, revision: 1))])
        let refused = await #expect(throws: PresenceStoreError.self) {
            try await store.write([.friendship(pair, try friendship(.ended, revision: 2))])
        }
        #expect(refused?.code == .unwritten)
        // What others write later does not take it along.
        store.append([try status("a", "t")])
        try await store.settle()
        #expect(try store.loadSocial().friendships.map(\.friendship.state) == [.friends])
        try await store.close()
        let closed = await #expect(throws: PresenceStoreError.self) {
            try await store.write([.settings(pair.low, SocialSettings())])
        }
        #expect(closed?.code == .closed)
    }

    @Test func `of many who write at once share transactions, and all are there`() async throws {
        let store = try folder.open()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
                group.addTask {
                    let user = try SocialAddress(parsing: "u\(number)")
                    try await store.write([.settings(user, SocialSettings())])
                }
            }
            try await group.waitForAll()
        }
        #expect(try store.loadSocial().settings.count == 200)
        #expect(store.tally.rowsWritten == 200 && store.tally.commits < 200)
        try await store.close()
    }

    @Test func `let others have their turn at the disk between two transactions`() async throws {
        let turns = Mutex<[String]>([])
        let opened = Mutex<PresenceStore?>(nil)
        let second = Mutex<Task<Void, any Error>?>(nil)
        let late: [SocialEngine.Record] = [.settings(pair.high, SocialSettings())]
        var surroundings = PresenceStore.Surroundings.patient
        surroundings.beforeCommit = { number in
            turns.withLock { $0.append("commit \(number)") }
            guard number == 1, let store = opened.withLock({ $0 }) else { return }
            store.database.asyncWriteWithoutTransaction { _ in turns.withLock { $0.append("other") } }
            second.withLock { $0 = Task { try await store.write(late) } }
            while store.socialCommits.withLock({ $0.gathering.isEmpty }) { sched_yield() }
        }
        let store = try folder.open(surroundings)
        opened.withLock { $0 = store }
        try await store.write([.settings(pair.low, SocialSettings())])
        try await second.withLock { $0 }?.value
        #expect(turns.withLock { $0 } == ["commit 1", "other", "commit 2"])
        #expect(try store.loadSocial().settings.count == 2)
        // Whoever comes after a rest is written too.
        try await store.write([.friendship(pair, Friendship())])
        try await store.close()
    }

    @Test func `that a foreign hand spoilt are left out, and hold nothing up`() async throws {
        let store = try folder.open()
        try await store.write([.friendship(pair, friendship(.friends, revision: 1))])
        try await store.close()
        let stranger = try folder.stranger()
        try await stranger.write { database in
            try database.execute(sql: "PRAGMA ignore_check_constraints = ON")
            try database.execute(
                sql: """
                    INSERT INTO friendship SELECT 'x', 'Y', state, asker, since, message, blocks_by_low, blocks_by_high,
                        actor, acted_at, room, is_room_wanted, revision, origin FROM friendship;
                    INSERT INTO friendship SELECT 'p', 'q', 'requested', NULL, since, message, blocks_by_low,
                        blocks_by_high, actor, acted_at, room, is_room_wanted, revision, origin FROM friendship
                        WHERE low = 'ann';
                    INSERT INTO social_settings VALUES ('z', 'sometimes', 1, 0, 0);
                    """)
        }
        try stranger.close()
        let again = try folder.open()
        var skipped: [String: Int] = [:]
        let snapshot = try again.loadSocial { skipped[$0.table] = $0.count }
        #expect(snapshot.friendships.count == 1 && snapshot.settings.isEmpty)
        #expect(skipped == ["friendship": 2, "social_settings": 1])
        try await again.close()
    }
}
