/// Seats for sessions that have a connection each: whoever gets none waits, in the order of their coming.
actor SessionSeats {
    /// `nil`: there is room for everybody.
    private var free: Int?
    private var lastTicket: UInt64 = 0
    private var waiting: [UInt64: CheckedContinuation<Bool, Never>] = [:]
    private var queue: ArraySlice<UInt64> = []

    init(_ limit: Int?) { free = limit }

    /// Takes one if there is one.
    func takeAtOnce() -> Bool {
        guard let free else { return true }
        guard free > 0 else { return false }
        self.free = free - 1
        return true
    }

    /// Waits for one. - Returns: false if the task is cancelled; there is none then.
    func take() async -> Bool {
        guard !takeAtOnce() else { return true }
        lastTicket += 1
        let ticket = lastTicket
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard !Task.isCancelled else { return continuation.resume(returning: false) }
                waiting[ticket] = continuation
                queue.append(ticket)
            }
        } onCancel: {
            Task { await giveUp(ticket) }
        }
    }

    func giveBack() {
        while let next = queue.popFirst() {
            guard let continuation = waiting.removeValue(forKey: next) else { continue }
            return continuation.resume(returning: true)
        }
        free = free.map { $0 + 1 }
    }

    private func giveUp(_ ticket: UInt64) { waiting.removeValue(forKey: ticket)?.resume(returning: false) }
}
