import Synchronization

/// An end that comes once: a client closed its connection, or the server stops. What waits for it is called then.
public final class Hangup: Sendable {
    private struct State {
        var isOver = false
        var count: UInt64 = 0
        var waiting: [UInt64: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    /// One that has not come yet.
    public init() {}

    /// It came. A second call changes nothing.
    public func come() {
        let waiting = state.withLock { state in
            state.isOver = true
            defer { state.waiting = [:] }
            return state.waiting
        }
        // Whoever waits does no more than cancel a task; in which order does not show.
        for (_, action) in waiting { action() }
    }

    /// Runs `operation` in a task that is cancelled as soon as one of `hangups` comes, or the caller is cancelled.
    ///
    /// Returns when the operation has ended.
    public static func cancelling<Value: Sendable>(
        at hangups: [Hangup], _ operation: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let task = Task { try await operation() }
        let places = hangups.map { ($0, $0.add { task.cancel() }) }
        defer { for (hangup, place) in places { hangup.remove(place) } }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    private func add(_ action: @escaping @Sendable () -> Void) -> UInt64 {
        let (place, isOver) = state.withLock { state -> (UInt64, Bool) in
            guard !state.isOver else { return (0, true) }
            state.count += 1
            state.waiting[state.count] = action
            return (state.count, false)
        }
        if isOver { action() }
        return place
    }

    private func remove(_ place: UInt64) { state.withLock { $0.waiting[place] = nil } }
}
