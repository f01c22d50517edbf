import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime
import PresenceTestKit
import Synchronization

/// A clock that stands until it is moved by hand.
final class HandClock: PresenceClock {
    private let instant = Mutex(Instant(millisecondsSinceEpoch: 1_700_000_000_000))

    var now: Instant { instant.withLock { $0 } }

    func move(by duration: Duration) { instant.withLock { $0 = $0 + duration } }
}

/// What happened to the shells, in its order.
final class Log: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func add(_ line: String) { lines.withLock { $0.append(line) } }
}

/// A journal whose commits wait until they are let through.
final class GatedJournal: Journal {
    struct Failure: Error {}

    private struct State {
        var records: [PresenceInstance.Record] = []
        var isOpen: Bool
        var fails = false
        var waiting: [CheckedContinuation<Void, Never>] = []
        var watchers: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>
    private let log: Log

    init(isOpen: Bool = true, log: Log = Log()) {
        state = Mutex(State(isOpen: isOpen))
        self.log = log
    }

    var records: [PresenceInstance.Record] { state.withLock { $0.records } }

    func append(_ records: [PresenceInstance.Record]) { state.withLock { $0.records += records } }

    func settle() async throws {
        await withCheckedContinuation { continuation in
            let (passes, watchers) = state.withLock { state in
                if state.isOpen { return (true, [CheckedContinuation<Void, Never>]()) }
                state.waiting.append(continuation)
                defer { state.watchers = [] }
                return (false, state.watchers)
            }
            for watcher in watchers { watcher.resume() }
            if passes { continuation.resume() }
        }
        log.add("settled")
        if state.withLock({ $0.fails }) { throw Failure() }
    }

    /// Returns when a commit waits, or when commits are let through, as they are when the test runs out of time.
    func waitsForCommit() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isThere = state.withLock { state in
                    if state.isOpen || !state.waiting.isEmpty { return true }
                    state.watchers.append(continuation)
                    return false
                }
                if isThere { continuation.resume() }
            }
        } onCancel: {
            open()
        }
    }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { (state.waiting, state.watchers) = ([], []) }
            return state.waiting + state.watchers
        }
        for continuation in waiting { continuation.resume() }
    }

    func fail() { state.withLock { $0.fails = true } }
}

/// A network that answers when the test says so.
final class ScriptedDelivery: TransactionDelivery {
    struct Arrival: Sendable {
        let transaction: OutgoingTransaction
        let answer: CheckedContinuation<DeliveryOutcome, Never>
    }

    let arrivals: AsyncStream<Arrival>
    private let continuation: AsyncStream<Arrival>.Continuation
    private let log: Log

    init(log: Log = Log()) {
        (arrivals, continuation) = AsyncStream.makeStream()
        self.log = log
    }

    func deliver(_ transaction: OutgoingTransaction) async -> DeliveryOutcome {
        log.add("delivers \(transaction.id)")
        return await withCheckedContinuation { answer in
            continuation.yield(Arrival(transaction: transaction, answer: answer))
        }
    }
}

extension PresenceRuntime {
    /// A runtime of ``here()``, started from nothing.
    static func started(
        clock: any PresenceClock = HandClock(), journal: any Journal = GatedJournal(),
        delivery: any TransactionDelivery = ScriptedDelivery(), boot: UInt64 = 1,
        configuration: PresenceEngine.Configuration = PresenceEngine.Configuration(),
        listener: (any LocalUserListening)? = nil
    ) async throws -> PresenceRuntime {
        let instance = PresenceInstance(
            presence: PresenceEngine(server: try here(), configuration: configuration),
            federation: FederationEngine(server: try here(), boot: boot, seed: 1))
        let runtime = PresenceRuntime(
            instance: instance, clock: clock, journal: journal, delivery: delivery, boot: boot, listener: listener)
        await runtime.start(from: PresenceInstance.Snapshot())
        return runtime
    }
}
