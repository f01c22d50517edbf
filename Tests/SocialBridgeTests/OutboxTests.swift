import BridgeEngine
import PresenceModel
import PresenceRuntime
import SocialBridge
import SocialEngine
import Synchronization
import Testing

@Suite struct `The bridge's runtime` {
    @Test func `lets orders leave when the rows of their step are on disk`() async throws {
        let bench = try RuntimeBench()
        await bench.runtime.submit(.linkAdded(bench.link, .proof))
        #expect(await bench.journal.isAsked(times: 1))
        #expect(bench.social.orders.isEmpty && bench.matrix.orders.isEmpty)
        bench.journal.answer()
        #expect(await bench.social.has([.openSession(bench.link.address, for: bench.link.user)]))
        #expect(bench.matrix.orders == [.readList(bench.link.user)])
        await bench.runtime.stop()
    }

    @Test func `lets orders leave that the disk refuses, and writes their rows with the next ones`() async throws {
        let bench = try RuntimeBench()
        await bench.runtime.submit(.linkAdded(bench.link, .operator))
        #expect(await bench.journal.isAsked(times: 1))
        bench.journal.answer(failing: true)
        await bench.runtime.submit(.participationChosen(bench.link.user, true))
        #expect(await bench.journal.isAsked(times: 2))
        #expect(bench.journal.latest.count == 2)
        bench.journal.answer()
        #expect(await bench.social.has([.openSession(bench.link.address, for: bench.link.user)]))
        await bench.runtime.stop()
    }

    @Test func `tells whoever waits that a row is not on disk`() async throws {
        let bench = try RuntimeBench()
        let outcome = Task { try await bench.runtime.perform(.linkAdded(bench.link, .operator)) }
        #expect(await bench.journal.isAsked(times: 1))
        bench.journal.answer(failing: true)
        await #expect(throws: DiskIsFull.self) { try await outcome.value }
        await bench.runtime.stop()
    }

    @Test func `tries again what the disk refused when somebody waits for it who changes nothing`() async throws {
        let bench = try RuntimeBench()
        let event = BridgeEngine.Event.linkAdded(bench.link, .operator)
        let first = Task { try await bench.runtime.perform(event) }
        #expect(await bench.journal.isAsked(times: 1))
        bench.journal.answer(failing: true)
        await #expect(throws: DiskIsFull.self) { try await first.value }
        let second = Task { try await bench.runtime.perform(event) }
        try #require(await bench.journal.isAsked(times: 2))
        bench.journal.answer()
        try await second.value
        await bench.runtime.stop()
    }

    @Test func `keeps the latest of each row while the disk fails`() async throws {
        let bench = try RuntimeBench()
        await bench.runtime.submit(.linkAdded(bench.link, .operator))
        for attempt in 1...6 {
            let (runtime, user) = (bench.runtime, bench.link.user)
            let choice = Task { try await runtime.perform(.participationChosen(user, attempt.isMultiple(of: 2))) }
            if attempt == 1 {
                // Of the link alone.
                try #require(await bench.journal.isAsked(times: 1))
                bench.journal.answer(failing: true)
            }
            try #require(await bench.journal.isAsked(times: attempt + 1))
            bench.journal.answer(failing: true)
            await #expect(throws: DiskIsFull.self) { try await choice.value }
        }
        let people = bench.journal.latest.compactMap { record -> Bool? in
            if case .person(_, let person) = record { person.participates } else { nil }
        }
        // What failed last, and what came then.
        #expect(people == [false, true])
        #expect(bench.journal.latest.count { if case .link = $0 { true } else { false } } == 1)
        await bench.runtime.stop()
    }
}

struct DiskIsFull: Error {}

/// A runtime between two sides that only listen, and a disk that answers when it is told to.
struct RuntimeBench: Sendable {
    let runtime: BridgeRuntime
    let journal = SlowJournal()
    let social = ListeningSide<SocialOrder>()
    let matrix = ListeningSide<MatrixOrder>()
    let link: Link

    init() throws {
        let server = try ServerName(parsing: "x.org")
        link = Link(user: try UserID(parsing: "@a:x.org"), address: try SocialAddress(parsing: "0xa"))
        runtime = BridgeRuntime(
            engine: BridgeEngine(server: server, seed: 1), clock: AnchoredClock(wallMilliseconds: 1_000_000),
            journal: journal, social: social, matrix: matrix)
    }
}

final class SlowJournal: BridgeJournal {
    private struct State {
        var asked: [[BridgeEngine.Record]] = []
        var waiting: CheckedContinuation<Bool, Never>?
    }

    private let state = Mutex(State())

    func write(_ records: [BridgeEngine.Record]) async throws {
        let isFailing = await withCheckedContinuation { continuation in
            state.withLock { state in
                state.asked.append(records)
                state.waiting = continuation
            }
        }
        if isFailing { throw DiskIsFull() }
    }

    var latest: [BridgeEngine.Record] { state.withLock { $0.asked.last ?? [] } }

    func answer(failing: Bool = false) {
        let waiting = state.withLock { state in
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume(returning: failing)
    }

    func isAsked(times: Int) async -> Bool { await comes { state.withLock { $0.asked.count } == times } }
}

final class ListeningSide<Order: Hashable & Sendable>: Sendable {
    private let taken = Mutex<[Order]>([])

    var orders: [Order] { taken.withLock { $0 } }

    func take(_ order: Order) { taken.withLock { $0.append(order) } }

    func has(_ expected: [Order]) async -> Bool { await comes { orders == expected } }
}

extension ListeningSide: SocialSide where Order == SocialOrder {
    func carryOut(_ order: SocialOrder) { take(order) }
    func run(telling ears: any BridgeEars) async {}
    func report() async -> SocialSideReport { SocialSideReport() }
}

extension ListeningSide: MatrixSide where Order == MatrixOrder {
    func carryOut(_ order: MatrixOrder) { take(order) }
    func run(telling ears: any BridgeEars) async {}
}
