import PresenceModel
import PresenceRuntime
import SocialEngine
import SocialService
import Synchronization

func address(_ name: String) throws -> SocialAddress { try SocialAddress(parsing: name) }

/// A clock that a test sets forward.
final class HandClock: PresenceClock {
    private let instant = Mutex(Instant(millisecondsSinceEpoch: 1_000_000))
    var now: Instant { instant.withLock { $0 } }
    func advance(by duration: Duration) { instant.withLock { $0 = $0.advanced(by: duration) } }
}

/// A disk that writes when the test lets it, or not at all.
final class HeldJournal: SocialJournal {
    struct Full: Error {}
    private struct State {
        var isOpen: Bool
        var fails = false
        var written: [SocialEngine.Record] = []
        var waiters: [CheckedContinuation<Void, Never>] = []
        var watchers: [(count: Int, watcher: CheckedContinuation<Void, Never>)] = []
    }
    private let state: Mutex<State>

    init(isOpen: Bool = true) { state = Mutex(State(isOpen: isOpen)) }

    var written: [SocialEngine.Record] { state.withLock { $0.written } }

    func write(_ records: [SocialEngine.Record]) async throws {
        await withCheckedContinuation { continuation in
            let ready = state.withLock { state -> [CheckedContinuation<Void, Never>] in
                guard !state.isOpen else { return [continuation] }
                state.waiters.append(continuation)
                let count = state.waiters.count
                let ready = state.watchers.filter { $0.count <= count }.map(\.watcher)
                state.watchers.removeAll { $0.count <= count }
                return ready
            }
            for one in ready { one.resume() }
        }
        try state.withLock { state in
            if state.fails { throw Full() }
            state.written += records
        }
    }

    /// Returns when so many wait to be written.
    func waits(for count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                guard state.waiters.count < count else { return true }
                state.watchers.append((count, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    /// Lets through what waits and what comes.
    func open(failing: Bool = false) {
        let waiters = state.withLock { state in
            state.isOpen = true
            state.fails = failing
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}

/// Notes what the population wants of the rest.
final class NotedOutside: SocialOutside {
    private let notes = Mutex<[String]>([])
    var all: [String] { notes.withLock { $0 } }
    func roomWanted(for pair: SocialPair) { notes.withLock { $0.append("room \(pair.low) \(pair.high)") } }
    func userAppeared(_ user: SocialAddress) { notes.withLock { $0.append("+\(user)") } }
    func userLeft(_ user: SocialAddress) { notes.withLock { $0.append("-\(user)") } }
}
