import BridgeEngine
import PresenceModel
import PresenceRuntime
import SocialBridge
import SocialEngine
import SocialService
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct `Sessions with the service of this process` {
    private let world = NotedWorld()

    private func population(_ adjust: (inout SocialEngine.Configuration) -> Void = { _ in }) -> SocialRuntime {
        var configuration = SocialEngine.Configuration()
        adjust(&configuration)
        configuration.makesRooms = false
        configuration.batchLimit = 2
        return SocialRuntime(
            engine: SocialEngine(process: 1, configuration: configuration), clock: RealService.clock,
            journal: KeptRows(), outside: world)
    }

    private func befriend(_ population: SocialRuntime, _ one: String, _ other: String) async throws {
        _ = try await population.act(.request(message: nil), by: address(one), towards: address(other))
        _ = try await population.act(.accept, by: address(other), towards: address(one))
    }

    @Test func `show users to their friends, and do not take them for being in the world`() async throws {
        let population = population()
        try await befriend(population, "ann", "bob")
        let side = RunningSide(EmbeddedSide(population))
        try side.open("ann", "bob")
        let beginning = ["opened", "snapshot ", "read bob"]
        #expect(await side.hears(beginning, of: "ann"))
        #expect(await side.hears(["opened", "snapshot ", "read ann"], of: "bob"))
        side.order(.heartbeat(try address("bob"), Whereabouts(realm: "r", parcel: .init(x: 1, y: 2)), .online))
        side.order(.heartbeat(try address("bob"), nil, .away))
        #expect(await comes { side.heard.words(of: "ann").last == "changed bob:away@1,2" })
        #expect(world.words.isEmpty)
        await population.heartbeat(of: try address("bob"), on: SocialSessionID(1), whereabouts: nil)
        #expect(await comes { side.heard.words(of: "ann").last == "changed bob:online@1,2" })
        #expect(world.words == ["+bob"])
        side.order(.stop(try address("bob")))
        await population.leave(of: try address("bob"), on: SocialSessionID(1))
        #expect(await comes { side.heard.words(of: "ann").last == "changed bob:offline" })
        #expect(world.words == ["+bob", "-bob"])
        await side.stop()
    }

    @Test func `tell all of a long snapshot at once, what happens then, and what acts come to`() async throws {
        let population = population()
        for name in ["bob", "cyd", "dan", "eve"] {
            try await befriend(population, "ann", name)
            await population.heartbeat(of: try address(name), on: SocialSessionID(1), whereabouts: nil)
        }
        let side = RunningSide(EmbeddedSide(population))
        try side.open("ann")
        let beginning = ["opened", "snapshot bob:online cyd:online dan:online eve:online", "read bob cyd dan eve"]
        #expect(await side.hears(beginning, of: "ann"))
        let ann = try address("ann")
        side.order(.act(ann, .accept, towards: try address("bob")))
        let refused = "refused accept bob \(FriendshipRefusal.transition)"
        #expect(await side.hears(beginning + [refused], of: "ann"))
        _ = try await population.act(.delete, by: address("bob"), towards: ann)
        #expect(await comes { side.heard.words(of: "ann").contains("<delete bob") })
        side.order(.act(ann, .block, towards: try address("bob")))
        #expect(await comes { side.heard.words(of: "ann").contains("did block bob") })
        side.order(.readFriendships(ann))
        #expect(await comes { side.heard.words(of: "ann").last == "read cyd dan eve -bob" })
        side.order(.readFriendships(ann))
        #expect(await comes { side.heard.words(of: "ann").count { $0 == "read cyd dan eve -bob" } == 2 })
        await side.stop()
    }

    @Test func `begin anew when they lost what happens to friendships`() async throws {
        let population = population { $0.newsPerSubscription = 1 }
        let ears = SlowEars()
        let side = EmbeddedSide(population)
        let running = Task { await side.run(telling: ears) }
        side.carryOut(.openSession(try address("ann"), for: try user("ann")))
        #expect(await comes { ears.heard.words(of: "ann").last == "read " })
        // Nobody takes what happens while the first of it is being told.
        for name in ["bob", "cyd", "dan", "eve"] {
            _ = try await population.act(.request(message: nil), by: address(name), towards: address("ann"))
            #expect(await comes { ears.isTelling })
        }
        ears.goOn()
        #expect(await comes { ears.heard.words(of: "ann").last == "read <bob <cyd <dan <eve" })
        #expect(ears.heard.words(of: "ann").contains("lost"))
        running.cancel()
        await running.value
    }

    @Test func `let go of everybody when they end, and leave nothing behind`() async throws {
        let population = population()
        try await befriend(population, "ann", "bob")
        let side = RunningSide(EmbeddedSide(population))
        try side.open("ann", "bob", "0xab")
        #expect(await comes { side.heard.openCount == 3 })
        #expect(await side.report.sessionsOpen == 3)
        side.order(.closeSession(try address("ann")))
        side.order(.openSession(try address("ann"), for: try user("other")))
        #expect(await side.hears(["opened", "snapshot ", "read bob", "opened", "snapshot ", "read bob"], of: "ann"))
        side.order(.heartbeat(try address("bob"), nil, .online))
        #expect(await comes { side.heard.words(of: "ann").last == "changed bob:online" })
        await side.stop()
        #expect(await comes { await population.read { engine, _ in engine.counts.subscriptions } == 0 })
        let counts = await population.read { engine, _ in engine.counts }
        #expect(counts.subscriptions == 0 && counts.sessions == 0, "\(counts)")
        #expect(await side.report.sessions == 0)
    }
}

/// Does not return from news of friendships until it is told to.
private final class SlowEars: BridgeEars {
    let heard = HeardEvents()
    private let (gate, open) = AsyncStream.makeStream(of: Void.self)
    private let telling = Mutex(false)

    var isTelling: Bool { telling.withLock { $0 } }

    func goOn() { open.finish() }

    func hear(_ event: BridgeEngine.Event) async {
        if case .friendshipReported = event {
            telling.withLock { $0 = true }
            for await _ in gate {}
        }
        await heard.hear(event)
    }
}

private final class NotedWorld: SocialOutside {
    private let notes = Mutex<[String]>([])
    var words: [String] { notes.withLock { $0 } }
    func roomWanted(for pair: SocialPair) {}
    func userAppeared(_ user: SocialAddress) { notes.withLock { $0.append("+\(user)") } }
    func userLeft(_ user: SocialAddress) { notes.withLock { $0.append("-\(user)") } }
}

private struct KeptRows: SocialJournal {
    func write(_ records: [SocialEngine.Record]) async throws {}
}
