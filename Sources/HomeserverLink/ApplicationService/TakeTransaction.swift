import MatrixHTTP
import MatrixWire
import PresenceModel

extension ApplicationGateway {
    /// `PUT …/transactions/{txnId}` → 200 `{}`: what it says of members is on disk by then. Decision 22.
    ///
    /// Whatever the events hold, the transaction is taken: a homeserver repeats a refused one for ever, and sends no
    /// other.
    func sendTransaction(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let id = try request.capture(0)
        try request.refuseLongBody(limit: configuration.bodyLimitBytes)
        let bytes = try await request.bodyBytes(limit: configuration.bodyLimitBytes)
        let transaction = try ApplicationTransaction.decode(bytes)
        if transaction.malformedCount > 0 {
            logger.notice(
                "events of a transaction could not be read and were left out",
                metadata: ["count": "\(transaction.malformedCount)"])
        }
        let outcome = await turns.take(id) { [census, presences] in
            // Of a transaction that comes again because of the rest, it is no news.
            if !transaction.presences.isEmpty { presences?.hear(transaction.presences) }
            do {
                try await census.take(transaction)
                return true
            } catch {
                return false
            }
        }
        switch outcome {
        case .taken: return .emptyObject
        case .failed: throw .notStored
        case .full:
            throw MatrixErrorBody(
                .limitExceeded, "Too many transactions at once; one after the other.", retryAfterMilliseconds: 1000)
        }
    }
}

/// Lets transactions be taken one after the other, each once.
actor TransactionTurns {
    enum Outcome: Hashable, Sendable {
        case taken
        /// To be sent again.
        case failed
        /// Too many wait.
        case full
    }

    private let limit: Int
    private let remembered: Int
    private var latest: Task<Bool, Never>?
    private var underway: [String: Task<Bool, Never>] = [:]
    private var done: Set<String> = []
    /// The oldest first.
    private var doneInOrder: [String] = []

    init(limit: Int, remembered: Int) {
        self.limit = max(limit, 1)
        self.remembered = max(remembered, 1)
    }

    /// Does `work` when those before it are done; nothing, if that was done under this id. Who comes while it is being
    /// done gets the same outcome.
    /// - Parameter work: returns whether it is done.
    func take(_ id: String, _ work: @escaping @Sendable () async -> Bool) async -> Outcome {
        if done.contains(id) { return .taken }
        if let same = underway[id] { return await same.value ? .taken : .failed }
        guard underway.count < limit else { return .full }
        let before = latest
        let task = Task {
            _ = await before?.value
            return await work()
        }
        latest = task
        underway[id] = task
        let isDone = await task.value
        underway[id] = nil
        if isDone { remember(id) }
        return isDone ? .taken : .failed
    }

    /// Those that are being taken, or wait.
    var waitingCount: Int { underway.count }

    private func remember(_ id: String) {
        guard done.insert(id).inserted else { return }
        doneInOrder.append(id)
        guard doneInOrder.count >= remembered * 2 else { return }
        for old in doneInOrder.prefix(remembered) { done.remove(old) }
        doneInOrder.removeFirst(remembered)
    }
}
