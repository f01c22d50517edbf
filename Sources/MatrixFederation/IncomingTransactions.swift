import FederationEngine
import MatrixWire
import PresenceModel
import PresenceRuntime

/// One transaction of each server at a time, the others of it in a short queue; a repeated one is taken once.
///
/// A transaction that is under way is joined: both requests get the one answer. What could not be taken is not
/// remembered, so that it is taken when it comes again. Facts: transactions.
actor IncomingTransactions {
    /// What to do with a transaction that came in.
    enum Admission: Hashable {
        /// It is to be taken now; ``end(_:from:_:)`` must follow.
        case turn
        /// It was taken, just now or within the time of the memory: answer alike.
        case taken
    }

    private typealias Ending = Result<Void, MatrixErrorBody>

    private struct Lane {
        var current: String
        var waiting: [(id: String, turn: CheckedContinuation<Void, Never>)] = []
        var joined: [(id: String, end: CheckedContinuation<Ending, Never>)] = []
    }

    private let clock: any PresenceClock
    private let queueLimit: Int
    private var memory: TransactionMemory
    private var lanes: [ServerName: Lane] = [:]

    /// - Parameter queueLimit: the most requests of one server that wait for its current transaction; past that 429.
    init(clock: any PresenceClock, queueLimit: Int, memory: TransactionMemory.Limits) {
        self.clock = clock
        self.queueLimit = queueLimit
        self.memory = TransactionMemory(limits: memory)
    }

    /// Returns when it is the transaction's turn, or it was taken.
    /// - Throws: 429 `M_LIMIT_EXCEEDED` past the queue; or what the joined transaction ended with.
    func begin(_ id: String, from origin: ServerName) async throws(MatrixErrorBody) -> Admission {
        guard !memory.holds(id, from: origin, at: clock.now) else { return .taken }
        guard let lane = lanes[origin] else {
            lanes[origin] = Lane(current: id)
            return .turn
        }
        guard lane.waiting.count + lane.joined.count < queueLimit else {
            throw MatrixErrorBody(
                .limitExceeded, "Too many concurrent transactions; one at a time is taken.",
                retryAfterMilliseconds: 1000)
        }
        guard lane.current != id, !lane.waiting.contains(where: { $0.id == id }) else {
            let ending = await withCheckedContinuation { lanes[origin]?.joined.append((id, $0)) }
            try ending.get()
            return .taken
        }
        await withCheckedContinuation { lanes[origin]?.waiting.append((id, $0)) }
        return .turn
    }

    /// How the current transaction of `origin` ended; the next one has its turn.
    func end(_ id: String, from origin: ServerName, _ ending: Result<Void, MatrixErrorBody>) {
        guard var lane = lanes[origin], lane.current == id else {
            preconditionFailure("the end of a transaction that is not under way")
        }
        if case .success = ending { memory.note(id, from: origin, at: clock.now) }
        let joined = lane.joined.filter { $0.id == id }
        lane.joined.removeAll { $0.id == id }
        if lane.waiting.isEmpty {
            lanes[origin] = nil
        } else {
            let next = lane.waiting.removeFirst()
            lane.current = next.id
            lanes[origin] = lane
            next.turn.resume()
        }
        for request in joined { request.end.resume(returning: ending) }
    }

    /// How many servers have a transaction under way.
    var underway: Int { lanes.count }

    /// Requests of `origin` that wait.
    func waiting(of origin: ServerName) -> Int {
        lanes[origin].map { $0.waiting.count + $0.joined.count } ?? 0
    }
}
