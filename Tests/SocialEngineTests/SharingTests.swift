import PresenceModel
import Testing

@testable import SocialEngine

struct `Processes of one population` {
    @Test(arguments: UInt64(1)...60) func `agree when all was heard, and tell everything once`(seed: UInt64) {
        var world = SharedWorld(seed: seed, isRough: false)
        world.run(steps: 300)
        #expect(world.faults.isEmpty, "seed \(seed)")
    }

    @Test(arguments: UInt64(1)...100) func `agree after losses, doubles, disorder, and an empty Redis`(seed: UInt64) {
        var world = SharedWorld(seed: seed)
        world.run(steps: 400)
        #expect(world.faults.isEmpty, "seed \(seed)")
    }

    private func drawn(_ chance: inout SeededGenerator) -> Friendship {
        var friendship = Friendship()
        for step in 0..<Int.random(in: 0...5, using: &chance) {
            let actions: [FriendshipAction] = [
                .request(message: "m\(step)"), .accept, .cancel, .delete, .block, .unblock,
            ]
            let action = actions[Int.random(in: actions.indices, using: &chance)]
            let side: SocialPair.Side = Bool.random(using: &chance) ? .low : .high
            let now = Instant(millisecondsSinceEpoch: Int64.random(in: 1...3, using: &chance))
            guard var next = try? friendship.after(action, by: side, at: now) else { continue }
            next.origin = UInt64.random(in: 1...3, using: &chance)
            if Int.random(in: 0..<4, using: &chance) == 0 { next.room = room("r\(step % 2)") }
            friendship = next
        }
        return friendship
    }

    @Test(arguments: UInt64(1)...20) func `merge in any order to the same`(seed: UInt64) {
        var chance = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            let (a, b, c) = (drawn(&chance), drawn(&chance), drawn(&chance))
            #expect(a.merged(with: b) == b.merged(with: a))
            #expect(a.merged(with: a) == a)
            #expect(a.merged(with: b).merged(with: b) == a.merged(with: b))
            // A block that comes late ends what another process took up again, in whatever state it finds it.
            guard [a, b, c].allSatisfy({ $0.blocksByLow + $0.blocksByHigh == 0 }) else { continue }
            #expect(a.merged(with: b).merged(with: c) == a.merged(with: b.merged(with: c)))
        }
    }

    @Test func `make a friendship of requests that cross, and one of them sees to the room`() {
        var (north, south) = (
            SocialBench(process: 1) { $0.isShared = true }, SocialBench(process: 2) { $0.isShared = true }
        )
        let (ann, bob) = (north.subscribeNews("ann", on: 1), south.subscribeNews("bob", on: 1))
        north.act("ann", .request(message: nil), "bob")
        south.act("bob", .request(message: nil), "ann")
        let (northern, southern) = (north.shares, south.shares)
        for update in southern { north.submit(.shared(update)) }
        for update in northern { south.submit(.shared(update)) }
        #expect(north.told(ann).map { $0.dropFirst() } == ["request bob", "accept bob"])
        #expect(south.told(bob).map { $0.dropFirst() } == ["request ann", "accept ann"])
        #expect(north.rooms.count + south.rooms.count == 1)
        south.submit(.roomMade(pair("ann", "bob"), room("r")))
        for update in south.shares { north.submit(.shared(update)) }
        #expect(north.told(ann) == ["room bob !r:x"])
    }

    @Test func `forget users of a process that is silent, and tell their friends`() {
        var bench = SocialBench { $0.isShared = true }
        bench.befriend("ann", "bob")
        let ann = bench.subscribePresence("ann", on: 1)
        func bob(_ sequence: UInt64, _ state: FriendState, x: Int32) -> SocialEngine.Event {
            .shared(
                .presence(
                    SocialEngine.SharedPresence(
                        user: address("bob"), process: 9, sequence: sequence, state: state, whereabouts: parcel(x, 0),
                        at: bench.now, placedBy: 9, validFor: .minutes(2))))
        }
        bench.submit(bob(5, .online, x: 1))
        bench.submit(bob(5, .online, x: 7))
        bench.submit(bob(4, .offline, x: 7))
        #expect(bench.seen(ann) == ["bob:online@1,0"])
        bench.advance(by: .seconds(119))
        #expect(bench.seen(ann).isEmpty)
        bench.advance(by: .seconds(1))
        #expect(bench.seen(ann) == ["bob:offline"])
        #expect(bench.shares.allSatisfy { if case .presence = $0 { false } else { true } })
    }

    /// Redis keeps what a process said before it lost the connection; meanwhile the user may have left.
    @Test func `hear their own old word, take nobody for being there by it, and take it back`() {
        var bench = SocialBench { $0.isShared = true }
        bench.befriend("ann", "bob")
        let ann = bench.subscribePresence("ann", on: 1)
        func words() -> [FriendState] {
            bench.shares.compactMap { if case .presence(let presence) = $0 { presence.state } else { nil } }
        }
        let old = SocialEngine.SharedPresence(
            user: address("bob"), process: bench.engine.process, sequence: 5, state: .online,
            whereabouts: parcel(1, 0), at: bench.now, placedBy: bench.engine.process, validFor: .minutes(2))
        bench.submit(.shared(.presence(old)))
        #expect(bench.seen(ann).isEmpty)
        #expect(words() == [.offline])
        bench.heartbeat("bob", on: 2, parcel(3, 0))
        bench.submit(.shared(.presence(old)))
        #expect(bench.seen(ann) == ["bob:online@3,0"])
        #expect(words() == [.offline, .online])
    }

    @Test func `say who is held by a bridge alone, and when that changes`() {
        var (here, there) = (SocialBench { $0.isShared = true }, SocialBench(process: 2) { $0.isShared = true })
        func tell() {
            for update in here.shares { there.submit(.shared(update)) }
            here.shares.removeAll()
        }
        here.submit(.heartbeatReceived(address("bob"), .bridge, isAway: false, nil))
        tell()
        #expect(there.comings.isEmpty && there.engine.state(of: address("bob")) == .online)
        here.heartbeat("bob", on: 1)
        tell()
        #expect(there.comings == ["+bob"])
        here.end(1)
        here.advance(by: .seconds(10))
        tell()
        #expect(there.comings == ["+bob", "-bob"] && there.engine.state(of: address("bob")) == .online)
        here.submit(.sessionLeft(address("bob"), .bridge))
        tell()
        #expect(there.engine.state(of: address("bob")) == .offline && there.comings == ["+bob", "-bob"])
    }

    @Test func `hide whom another one hides at once, and write it behind`() {
        var bench = SocialBench { $0.isShared = true }
        bench.befriend("ann", "bob")
        bench.heartbeat("bob", on: 1)
        let ann = bench.subscribePresence("ann", on: 2)
        #expect(bench.seen(ann) == ["*bob:online"])
        bench.holdsStores = true
        var settings = SocialSettings()
        (settings.isConcealed, settings.concealmentRevision) = (true, 4)
        bench.submit(.shared(.settings(address("bob"), settings)))
        #expect(bench.seen(ann) == ["bob:offline"])
        bench.settle(failing: true)
        #expect(bench.seen(ann).isEmpty && bench.snapshot.settings.isEmpty)
        bench.advance(by: .seconds(5))
        bench.settle()
        #expect(bench.snapshot.settings.map(\.settings) == [settings])
        // Who shows more is shown when that is on disk.
        settings.isConcealed = false
        settings.concealmentRevision = 5
        bench.submit(.shared(.settings(address("bob"), settings)))
        #expect(bench.seen(ann).isEmpty)
        bench.heartbeat("bob", on: 1)
        bench.settle()
        #expect(bench.seen(ann) == ["bob:online"])
        #expect(bench.engine.counts.changes == 0)
    }

    @Test func `hear no more of a message than one's own users may say`() {
        var bench = SocialBench {
            $0.isShared = true
            $0.messageLimitBytes = 5
        }
        var friendship = Friendship()
        friendship.state = .requested(by: .low)
        friendship.message = "ééé"
        friendship.revision = 1
        friendship.origin = 9
        for _ in 0..<2 { bench.submit(.shared(.friendship(pair("ann", "bob"), friendship))) }
        #expect(bench.engine.requests(of: address("bob")).incoming.map(\.message) == ["éé"])
        #expect(bench.shares.isEmpty && bench.engine.counts.changes == 0)
    }
}
