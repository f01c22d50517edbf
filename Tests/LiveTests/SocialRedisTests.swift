import Foundation
import Logging
import PresenceModel
import PresenceRuntime
import SocialEngine
import SocialService
import Synchronization
import Testing

/// One of several processes of a population, all in this one: a runtime with rows in memory, and its Redis.
private final class Process: Sendable {
    let runtime: SocialRuntime
    let sharing: RedisSharing
    private let work: Task<Void, Never>

    init(
        _ number: UInt64, _ redis: RedisServer, journal: MemoryJournal = MemoryJournal(),
        offlineAfter: Duration = .minutes(2), _ adjust: (inout RedisSharing.Configuration) -> Void = { _ in }
    ) async throws {
        let clock = AnchoredClock(wallMilliseconds: 1_700_000_000_000)
        var configuration = SocialEngine.Configuration()
        configuration.isShared = true
        configuration.requestsPerHour = 10_000
        configuration.requestsPerHourOfPair = 10_000
        configuration.offlineAfter = offlineAfter
        var settings = RedisSharing.Configuration()
        settings.onlineFor = offlineAfter
        settings.againAfter = .milliseconds(20)
        settings.againAfterAtMost = .milliseconds(100)
        adjust(&settings)
        let sharing = RedisSharing(
            try RedisURL(parsing: redis.url), process: number, clock: clock, logger: Logger(label: "redis"),
            configuration: settings)
        let runtime = SocialRuntime(
            engine: SocialEngine(process: number, configuration: configuration), clock: clock, journal: journal,
            sharing: sharing)
        await runtime.start(from: journal.snapshot)
        (self.runtime, self.sharing) = (runtime, sharing)
        work = Task { await sharing.run(for: runtime) }
    }

    func stop() async {
        work.cancel()
        await work.value
        await runtime.stop()
    }

    func connected() async throws { try await until("connected") { self.sharing.status.isConnected } }
}

private final class MemoryJournal: SocialJournal {
    private let rows = Mutex<[SocialPair: Friendship]>([:])
    private let held = Mutex<(isHeld: Bool, waiters: [CheckedContinuation<Void, Never>])>((false, []))

    /// What is written from now on waits.
    func hold() { held.withLock { $0.isHeld = true } }

    /// Lets through what waits and what comes.
    func release() {
        let waiters = held.withLock { held in
            defer { held = (false, []) }
            return held.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func write(_ records: [SocialEngine.Record]) async throws {
        await withCheckedContinuation { continuation in
            let waits = held.withLock { held in
                if held.isHeld { held.waiters.append(continuation) }
                return held.isHeld
            }
            if !waits { continuation.resume() }
        }
        rows.withLock { rows in
            for case .friendship(let pair, let friendship) in records { rows[pair] = friendship }
        }
    }

    var snapshot: SocialEngine.Snapshot {
        var snapshot = SocialEngine.Snapshot()
        snapshot.friendships = rows.withLock { rows in rows.map { (pair: $0.key, friendship: $0.value) } }
        return snapshot
    }
}

/// What a subscriber was told, gathered as it comes.
private final class Gathered<Item: Sendable>: Sendable {
    private let items = Mutex<[Item]>([])
    private let reading = Mutex<Task<Void, Never>?>(nil)

    init(_ source: any AsyncSequence<[Item], Never> & Sendable) {
        let task = Task { [weak self] in
            for await some in source { self?.items.withLock { $0 += some } }
        }
        reading.withLock { $0 = task }
    }

    init(batches: any AsyncSequence<PresenceBatch, Never> & Sendable) where Item == FriendSighting {
        let task = Task { [weak self] in
            for await batch in batches { self?.items.withLock { $0 += batch.sightings } }
        }
        reading.withLock { $0 = task }
    }

    deinit { reading.withLock { $0?.cancel() } }

    var all: [Item] { items.withLock { $0 } }
}

private func address(_ name: String) throws -> SocialAddress { try SocialAddress(parsing: name) }

private func at(_ x: Int32) -> Whereabouts { Whereabouts(realm: "main", parcel: Whereabouts.Parcel(x: x, y: 0)) }

/// Looks again until it holds.
private func until(_ what: String, _ holds: () async throws -> Bool) async throws {
    let limit = ContinuousClock.now + .seconds(20)
    while try await !holds() {
        guard ContinuousClock.now < limit else { throw Child.Failure(description: "not in time: \(what)") }
        await Task.yield()
    }
}

@Suite(.serialized, .timeLimit(.minutes(2)), .enabled(if: LivePart.redis != nil))
struct `Two processes with one Redis` {
    @Test func `tell each subscriber each update exactly once`() async throws {
        let redis = try await RedisServer()
        let (north, south) = (try await Process(1, redis), try await Process(2, redis))
        try await north.connected()
        try await south.connected()
        let (ann, bob) = (try address("ann"), try address("bob"))
        // Both are subscribed in both.
        let subscribers = [(north, ann), (north, bob), (south, ann), (south, bob)]
        var news: [Gathered<FriendshipNews>] = []
        var sights: [Gathered<FriendSighting>] = []
        for (number, (process, user)) in subscribers.enumerated() {
            let session = SocialSessionID(UInt64(100 + number))
            news.append(Gathered(await process.runtime.friendshipUpdates(for: user, on: session)))
            sights.append(Gathered(batches: await process.runtime.presenceUpdates(for: user, on: session)))
        }
        _ = try await north.runtime.act(.request(message: "hi"), by: ann, towards: bob)
        try await until("the request in the south") { await !south.runtime.requests(of: bob).incoming.isEmpty }
        _ = try await south.runtime.act(.accept, by: bob, towards: ann)
        try await until("friends in the north") { await north.runtime.friends(of: ann) == [bob] }
        // Many moves in a row; each is taken before the next, so that none may be left out.
        for x in Int32(1)...50 {
            let process = x % 2 == 0 ? north : south
            await process.runtime.heartbeat(of: bob, on: SocialSessionID(1), whereabouts: at(x))
            try await until("move \(x)") {
                [sights[0], sights[2]].allSatisfy { $0.all.last?.whereabouts == at(x) }
            }
        }
        for sight in [sights[0], sights[2]] {
            #expect(sight.all.map(\.whereabouts) == (Int32(1)...50).map { at($0) })
        }
        #expect(sights[1].all.isEmpty && sights[3].all.isEmpty)
        _ = try await north.runtime.act(.block, by: ann, towards: bob)
        try await until("all is over") { await south.runtime.friends(of: bob).isEmpty }
        try await until("told") { sights[2].all.last?.state == .offline && news.allSatisfy { $0.all.count >= 3 } }
        let actions = news.map { $0.all.map { "\($0.isOwn ? ">" : "<")\(SocialRedisWords.verb($0))" } }
        let (anns, bobs) = ([">request", "<accept", ">block"], ["<request", ">accept", "<delete"])
        #expect(actions == [anns, bobs, anns, bobs])
        await north.stop()
        await south.stop()
        await redis.kill()
    }

    @Test func `go on without it, say so, and agree again when it is back empty`() async throws {
        let redis = try await RedisServer()
        let (north, south) = (try await Process(1, redis), try await Process(2, redis))
        try await north.connected()
        try await south.connected()
        let (ann, bob, cyd, dan) = (try address("ann"), try address("bob"), try address("cyd"), try address("dan"))
        _ = try await north.runtime.act(.request(message: nil), by: ann, towards: bob)
        try await until("the request in the south") { await !south.runtime.requests(of: bob).incoming.isEmpty }
        await redis.kill()
        try await until("noticed") { !north.sharing.status.isConnected && !south.sharing.status.isConnected }
        #expect(north.sharing.status.latestFailure != nil)
        // Both go on: in the south bob accepts, in the north others become friends.
        _ = try await south.runtime.act(.accept, by: bob, towards: ann)
        _ = try await north.runtime.act(.request(message: nil), by: cyd, towards: dan)
        _ = try await north.runtime.act(.accept, by: dan, towards: cyd)
        await south.runtime.heartbeat(of: bob, on: SocialSessionID(1), whereabouts: at(7))
        let news = Gathered(await north.runtime.friendshipUpdates(for: ann, on: SocialSessionID(2)))
        let sights = Gathered(batches: await north.runtime.presenceUpdates(for: ann, on: SocialSessionID(2)))
        let back = try await RedisServer(port: redis.port)
        try await north.connected()
        try await south.connected()
        try await until("agreed") {
            let friends = await (north.runtime.friends(of: ann), south.runtime.friends(of: dan))
            return friends == ([bob], [cyd])
        }
        try await until("shown") { sights.all.map(\.whereabouts) == [at(7)] }
        #expect(news.all.map { SocialRedisWords.verb($0) } == ["accept"])
        await north.stop()
        await south.stop()
        await back.kill()
    }

    @Test func `tell a third one that comes later everything`() async throws {
        let redis = try await RedisServer()
        let north = try await Process(1, redis)
        try await north.connected()
        let ann = try address("ann")
        for number in 0..<300 {
            let friend = try address("friend\(number)")
            _ = try await north.runtime.act(.request(message: nil), by: friend, towards: ann)
            _ = try await north.runtime.act(.accept, by: ann, towards: friend)
            await north.runtime.heartbeat(of: friend, on: SocialSessionID(UInt64(number)), whereabouts: at(1))
        }
        try await north.runtime.setPrivacy(of: try address("friend7"), to: .hidden)
        try await until("told") { north.sharing.status.told >= 901 }
        let south = try await Process(2, redis)
        try await south.connected()
        try await until("friends") { await south.runtime.friends(of: ann).count == 300 }
        try await until("seen") { await south.runtime.onlineFriends(of: ann).count == 299 }
        #expect(try await !south.runtime.onlineFriends(of: ann).contains(address("friend7")))
        await north.stop()
        await south.stop()
        await redis.kill()
    }

    @Test func `let users of one that died fade, and tell their friends`() async throws {
        let redis = try await RedisServer()
        let (north, south) = (
            try await Process(1, redis, offlineAfter: .seconds(1)),
            try await Process(2, redis, offlineAfter: .seconds(1))
        )
        try await north.connected()
        try await south.connected()
        let (ann, bob) = (try address("ann"), try address("bob"))
        _ = try await south.runtime.act(.request(message: nil), by: ann, towards: bob)
        _ = try await south.runtime.act(.accept, by: bob, towards: ann)
        let sights = Gathered(batches: await south.runtime.presenceUpdates(for: ann, on: SocialSessionID(1)))
        await north.runtime.heartbeat(of: bob, on: SocialSessionID(1), whereabouts: nil)
        try await until("seen") { sights.all.map(\.state) == [.online] }
        await north.stop()
        try await until("faded") { sights.all.map(\.state) == [.online, .offline] }
        await south.stop()
        await redis.kill()
    }

    @Test func `show nobody before what was read of friendships is on disk`() async throws {
        let redis = try await RedisServer()
        let north = try await Process(1, redis)
        try await north.connected()
        let (ann, bob, cyd) = (try address("ann"), try address("bob"), try address("cyd"))
        for friend in [bob, cyd] {
            _ = try await north.runtime.act(.request(message: nil), by: friend, towards: ann)
            _ = try await north.runtime.act(.accept, by: ann, towards: friend)
        }
        let disk = MemoryJournal()
        let before = try await Process(2, redis, journal: disk)
        try await until("friends in the south") { await before.runtime.friends(of: ann) == [bob, cyd] }
        await before.stop()
        // While the south is away bob blocks ann; back again, it is slow to write it.
        _ = try await north.runtime.act(.block, by: bob, towards: ann)
        disk.hold()
        let south = try await Process(3, redis, journal: disk) { $0.rowsWrittenWithin = .seconds(100) }
        #expect(await south.runtime.friends(of: ann) == [bob, cyd])
        try await until("the block is being written") {
            await south.runtime.read { engine, _ in engine.counts.changes } > 0
        }
        try await until("heartbeats") {
            await north.runtime.heartbeat(of: bob, on: SocialSessionID(1), whereabouts: nil)
            return south.sharing.status.heard >= 6
        }
        #expect(await south.runtime.onlineFriends(of: ann).isEmpty)
        disk.release()
        try await south.connected()
        await north.runtime.heartbeat(of: cyd, on: SocialSessionID(2), whereabouts: nil)
        try await until("others are seen") { await south.runtime.onlineFriends(of: ann) == [cyd] }
        #expect(await south.runtime.friends(of: ann) == [cyd])
        await north.stop()
        await south.stop()
        await redis.kill()
    }

    @Test func `never put an older row over a newer one`() async throws {
        let redis = try await RedisServer()
        let disk = MemoryJournal()
        let ann = try address("ann")
        var friendship = Friendship()
        friendship.state = .friends
        friendship.revision = 1
        for number in 0..<400 {
            let pair = try #require(SocialPair(ann, try address("friend\(number)")))
            try await disk.write([.friendship(pair, friendship)])
        }
        // So few that it takes a while to tell all.
        let north = try await Process(1, redis, journal: disk) { $0.updatesWaiting = 8 }
        try await until("some are told") { north.sharing.status.told > 10 }
        let last = try #require(
            await north.runtime.read { engine, _ in engine.sharedRows }.compactMap { row -> SocialPair? in
                if case .friendship(let pair, _) = row { pair } else { nil }
            }.last)
        _ = try await north.runtime.act(.block, by: ann, towards: last.low == ann ? last.high : last.low)
        try await north.connected()
        try await until("all are told") { north.sharing.status.told >= 401 }
        let south = try await Process(2, redis)
        try await south.connected()
        try await until("all is written") { await south.runtime.friends(of: ann).count >= 399 }
        try await until("quiet") { await south.runtime.read { engine, _ in engine.counts.changes } == 0 }
        #expect(await south.runtime.blocked(by: ann).count == 1)
        await north.stop()
        await south.stop()
        await redis.kill()
    }

    @Test func `tell of more users than may wait to be told`() async throws {
        let gone = try await RedisServer()
        await gone.kill()
        let north = try await Process(1, gone) { $0.updatesWaiting = 64 }
        for number in 0..<300 {
            let user = try address("user\(number)")
            await north.runtime.heartbeat(of: user, on: SocialSessionID(UInt64(number)), whereabouts: at(1))
        }
        let redis = try await RedisServer(port: gone.port)
        let south = try await Process(2, redis)
        try await until("all are there") { await south.runtime.read { engine, _ in engine.counts.present } == 300 }
        try await north.connected()
        await north.stop()
        await south.stop()
        await redis.kill()
    }

    @Test func `find a friendship in requests that crossed between them`() async throws {
        let redis = try await RedisServer()
        let (north, south) = (try await Process(1, redis), try await Process(2, redis))
        try await north.connected()
        try await south.connected()
        for round in 0..<20 {
            let (ann, bob) = (try address("ann\(round)"), try address("bob\(round)"))
            async let one = north.runtime.act(.request(message: nil), by: ann, towards: bob)
            async let other = south.runtime.act(.request(message: nil), by: bob, towards: ann)
            _ = try await (one, other)
            try await until("friends in both") {
                let friends = await (north.runtime.friends(of: ann), south.runtime.friends(of: ann))
                return friends == ([bob], [bob])
            }
        }
        await north.stop()
        await south.stop()
        await redis.kill()
    }
}

private enum SocialRedisWords {
    static func verb(_ news: FriendshipNews) -> String {
        switch news.body {
        case .acted(.request, _): "request"
        case .acted(let action, _): "\(action)"
        case .room: "room"
        }
    }
}
