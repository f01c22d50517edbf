import PresenceModel
import Synchronization

/// Who may be tried now: a bound on attempts under way, so that servers that are gone do not hold up those that live.
///
/// A server that answered last time goes ahead, up to ``answeringFactor`` times the limit at once; servers not tried
/// yet and servers that did not answer last time wait in queues of their own, first come, first served. A server that
/// is heard of in between goes ahead at once.
final class AttemptTurns: Sendable {
    static let untriedFactor = 4
    static let answeringFactor = 8

    private struct State {
        var queue: TurnQueue
        var continuations: [UInt64: CheckedContinuation<TurnQueue.Kind?, Never>] = [:]
        var latest: UInt64 = 0
        var isClosed = false
    }

    private let state: Mutex<State>

    /// - Parameter limit: attempts at once to servers that did not answer last time, at least 1.
    init(limit: Int) {
        state = Mutex(
            State(
                queue: TurnQueue(limits: [
                    .answering: limit * Self.answeringFactor, .untried: limit * Self.untriedFactor, .failing: limit,
                ])))
    }

    /// Waits for a turn.
    /// - Returns: what to hand to ``end(_:)`` when the attempt is over; `nil` if there will be none any more.
    func wait(for server: ServerName) async -> TurnQueue.Kind? {
        await withCheckedContinuation { continuation in
            let answer = state.withLock { state -> TurnQueue.Kind?? in
                guard !state.isClosed else { return .some(nil) }
                state.latest += 1
                if let kind = state.queue.ask(for: server, ticket: state.latest) { return kind }
                state.continuations[state.latest] = continuation
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// An attempt is over.
    func end(_ kind: TurnQueue.Kind) { resume { $0.end(kind) } }

    /// Whether the server answered, whatever it said.
    func note(_ server: ServerName, answered: Bool) { resume { $0.note(server, answered: answered) } }

    /// Whether it answered when it was asked last.
    func isAnswering(_ server: ServerName) -> Bool { state.withLock { $0.queue.kind(of: server) == .answering } }

    /// How many wait at this moment.
    var waiting: Int { state.withLock { $0.continuations.count } }

    /// Those that wait get no turn any more.
    func close() {
        let all = state.withLock { state in
            state.isClosed = true
            defer { state.continuations = [:] }
            return state.continuations
        }
        for continuation in all.values { continuation.resume(returning: nil) }
    }

    private func resume(_ act: (inout TurnQueue) -> [TurnQueue.Turn]) {
        let ready = state.withLock { state in
            act(&state.queue).map { (state.continuations.removeValue(forKey: $0.ticket), $0.kind) }
        }
        for (continuation, kind) in ready { continuation?.resume(returning: kind) }
    }
}

/// The decisions of ``AttemptTurns``, as a value.
struct TurnQueue: Sendable {
    /// How a server stands.
    enum Kind: Hashable, Sendable { case answering, untried, failing }

    /// A wait that is over.
    struct Turn: Hashable, Sendable {
        var ticket: UInt64
        /// The bound that the attempt counts against.
        var kind: Kind
    }

    /// Of more servers it is not remembered how they stand.
    static let serversLimit = 100_000

    private let limits: [Kind: Int]
    private var underway: [Kind: Int] = [:]
    private var queues: [Kind: Queue] = [:]
    private var answered: [ServerName: Bool] = [:]

    /// First in, first out; a ticket may leave from the middle.
    private struct Queue: Sendable {
        var entries: ArraySlice<(ticket: UInt64, server: ServerName)> = []
    }

    init(limits: [Kind: Int]) { self.limits = limits }

    func kind(of server: ServerName) -> Kind {
        switch answered[server] {
        case true?: .answering
        case false?: .failing
        case nil: .untried
        }
    }

    /// - Returns: what the attempt counts as if it may begin at once; else it waits.
    mutating func ask(for server: ServerName, ticket: UInt64) -> Kind? {
        let kind = kind(of: server)
        guard queues[kind, default: Queue()].entries.isEmpty, hasRoom(kind) else {
            queues[kind, default: Queue()].entries.append((ticket, server))
            return nil
        }
        underway[kind, default: 0] += 1
        return kind
    }

    mutating func end(_ kind: Kind) -> [Turn] {
        precondition(underway[kind, default: 0] > 0, "no attempt is under way that is \(kind)")
        underway[kind, default: 0] -= 1
        return admit(kind)
    }

    mutating func note(_ server: ServerName, answered: Bool) -> [Turn] {
        let before = kind(of: server)
        if self.answered[server] == nil, self.answered.count >= Self.serversLimit {
            // Any will do: it is only how quickly a server is tried.
            self.answered.remove(at: self.answered.startIndex)
        }
        self.answered[server] = answered
        guard answered, before != .answering else { return [] }
        // Its attempts that wait go ahead, in the queue of those that answer.
        let waiting = queues[before]?.entries.filter { $0.server == server } ?? []
        guard !waiting.isEmpty else { return [] }
        queues[before]?.entries.removeAll { $0.server == server }
        queues[.answering, default: Queue()].entries += waiting
        return admit(.answering)
    }

    private func hasRoom(_ kind: Kind) -> Bool { underway[kind, default: 0] < limits[kind, default: 1] }

    private mutating func admit(_ kind: Kind) -> [Turn] {
        var turns: [Turn] = []
        while hasRoom(kind), let next = queues[kind]?.entries.popFirst() {
            underway[kind, default: 0] += 1
            turns.append(Turn(ticket: next.ticket, kind: kind))
        }
        return turns
    }
}
