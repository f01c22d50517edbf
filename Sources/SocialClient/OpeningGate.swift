/// Lets in so many at once; the others wait in the order of their coming.
actor OpeningGate {
    private var free: Int
    private var lastTicket: UInt64 = 0
    /// By ticket; nobody is in it who was let in.
    private var waiting: [UInt64: CheckedContinuation<Bool, Never>] = [:]
    private var queue: ArraySlice<UInt64> = []

    init(atOnce limit: Int) { free = limit }

    /// - Throws: `CancellationError`; nobody was let in then.
    func enter() async throws {
        guard free == 0 else {
            free -= 1
            return
        }
        lastTicket += 1
        let ticket = lastTicket
        let isIn = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard !Task.isCancelled else { return continuation.resume(returning: false) }
                waiting[ticket] = continuation
                queue.append(ticket)
            }
        } onCancel: {
            Task { await giveUp(ticket) }
        }
        guard isIn else { throw CancellationError() }
    }

    /// Somebody who was let in is through.
    func leave() {
        while let next = queue.popFirst() {
            guard let continuation = waiting.removeValue(forKey: next) else { continue }
            return continuation.resume(returning: true)
        }
        free += 1
    }

    private func giveUp(_ ticket: UInt64) { waiting.removeValue(forKey: ticket)?.resume(returning: false) }
}
