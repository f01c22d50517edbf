import BridgeEngine
import Foundation
import PresenceModel
import PresenceRuntime
import SocialBridge
import SocialEngine
import SocialWire
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) struct `A bridge to the production service` {
    private let me = ProductionBench.me

    @Test func `carries orders out over a session of its own, and tells what comes of them`() async throws {
        let bench = try await ProductionBench()
        bench.played.change { $0.friends = ["0xa"] }
        let credentials = HandedCredentials(makesTokens: false)
        let side = RunningSide(ExternalSide(bench.service(), credentials: credentials))
        try side.open(me)
        try await itComes { await side.report.failures["no_credential"] == 1 }
        credentials.give(.identity(bench.identity), to: try user(me))
        #expect(await comes { side.heard.openCount == 1 })
        side.order(
            .heartbeat(try address(me), nil, .online), .act(try address(me), .accept, towards: try address("0xb")),
            .readFriendships(try address(me)), .stop(try address(me)))
        #expect(await comes { side.heard.words(of: me).count == 5 })
        #expect(Set(side.heard.words(of: me)) == ["opened", "snapshot ", "read 0xa", "did accept 0xb"])
        #expect(await side.report.connections == 1)
        bench.gate.set(.closes(3003, text: nil))
        bench.gate.cut()
        #expect(await comes { !credentials.refused.isEmpty })
        #expect(side.heard.words(of: me).last == "lost")
        await side.stop()
        await bench.stop()
    }

    @Test func `ends no friendship because a list is empty, after a fall either`() async throws {
        let bench = try await ProductionBench()
        bench.played.change {
            $0.friends = ["0xa"]
            $0.failingLists = ["GetFriends"]
        }
        let runtimes = Mutex<BridgeRuntime?>(nil)
        let service = bench.service(acquaintances: { address in
            await runtimes.withLock { $0 }?.read { engine, _ in engine.socialAcquaintances(of: address) } ?? []
        })
        let credentials = HandedCredentials(makesTokens: false)
        credentials.give(.identity(bench.identity), to: try user(me))
        let (ghost, link) = (try user("_social_0xa"), Link(user: try user(me), address: try address(me)))
        let matrix = FriendlyMatrix(friend: ghost)
        var configuration = BridgeEngine.Configuration()
        configuration.participation = .optOut
        let runtime = BridgeRuntime(
            engine: BridgeEngine(server: link.user.server, configuration: configuration, seed: 1),
            clock: RealService.clock, journal: NothingKept(), social: ExternalSide(service, credentials: credentials),
            matrix: matrix)
        runtimes.withLock { $0 = runtime }
        // As it was agreed before the fall.
        let memory = PairMemory(
            firstUser: link.user, secondUser: ghost, aim: .friends, matrix: .friends, social: .friends)
        await runtime.start(from: [
            .link(link, [.operator]), .ghost(try address("0xa")), .pair(link.address, try address("0xa"), memory),
        ])
        let running = Task { await runtime.run() }
        #expect(await comes { bench.played.world.calls.contains("GetFriendshipStatus") })
        // The other one says that it is over: that is believed, and shows that the reading before was taken in.
        try bench.played.push(
            "SubscribeToFriendshipUpdates", SocialV2FriendshipUpdate.with { $0.delete.user.address = "0xa" })
        #expect(await comes { !matrix.edits.isEmpty })
        #expect(matrix.edits == [.editList(link.user, .delete, towards: ghost)])
        #expect(await runtime.read { engine, _ in engine.tally.conflicts } == 0)
        running.cancel()
        _ = await running.value
        await runtime.stop()
        await bench.stop()
    }
}

/// Where one friend is in everybody's list.
private final class FriendlyMatrix: MatrixSide {
    private let friend: UserID
    private let orders = Mutex<[MatrixOrder]>([])
    private let (asked, asking) = AsyncStream.makeStream(of: UserID.self)

    init(friend: UserID) { self.friend = friend }

    var edits: [MatrixOrder] { orders.withLock { $0 }.filter { if case .editList = $0 { true } else { false } } }

    func carryOut(_ order: MatrixOrder) {
        orders.withLock { $0.append(order) }
        if case .readList(let user) = order { asking.yield(user) }
    }

    func run(telling ears: any BridgeEars) async {
        for await user in asked { await ears.hear(.listRead(user, [friend: .friends])) }
    }
}

private struct NothingKept: BridgeJournal {
    func write(_ records: [BridgeEngine.Record]) async throws {}
}
