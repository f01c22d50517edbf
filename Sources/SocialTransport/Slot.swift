import Synchronization

/// Room for one value, which one task at a time waits for.
final class Slot<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var waiting: CheckedContinuation<Value?, Never>?
    }

    private let state = Mutex(State())

    /// Gives the value to whoever waits or will wait; in the place of one that nobody took.
    func put(_ value: Value) {
        let waiting = state.withLock { state in
            let waiting = state.waiting
            state.waiting = nil
            if waiting == nil { state.value = value }
            return waiting
        }
        waiting?.resume(returning: value)
    }

    /// Waits for a value. - Returns: `nil` if the task is cancelled.
    func take() async -> Value? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (isOver, value) = state.withLock { state -> (Bool, Value?) in
                    if let value = state.value {
                        state.value = nil
                        return (true, value)
                    }
                    guard !Task.isCancelled else { return (true, nil) }
                    precondition(state.waiting == nil, "two tasks wait for one value")
                    state.waiting = continuation
                    return (false, nil)
                }
                if isOver { continuation.resume(returning: value) }
            }
        } onCancel: {
            let waiting = state.withLock { state in
                defer { state.waiting = nil }
                return state.waiting
            }
            waiting?.resume(returning: nil)
        }
    }
}
