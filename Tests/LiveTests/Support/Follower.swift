import Foundation
import Synchronization

/// Listens to a sequence, keeps what came, and says when it is as wished.
final class Follower<Update: Sendable>: Sendable {
    private struct Waiter {
        var number: Int
        var isSo: @Sendable ([Update]) -> Bool
        var continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var updates: [Update] = []
        var failure: (any Error)?
        var waiters: [Waiter] = []
        var count = 0
    }

    private let state = Mutex(State())
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(_ updates: AsyncThrowingStream<Update, any Error>) {
        let following = Task { [weak self] in
            do {
                for try await update in updates { self?.take(update) }
            } catch {
                self?.state.withLock { $0.failure = error }
            }
        }
        task.withLock { $0 = following }
    }

    deinit { task.withLock { $0?.cancel() } }

    /// Everything that came so far, in its order.
    var updates: [Update] { state.withLock { $0.updates } }

    func stop() { task.withLock { $0?.cancel() } }

    private func take(_ update: Update) {
        let ready = state.withLock { state -> [Waiter] in
            state.updates.append(update)
            let ready = state.waiters.filter { $0.isSo(state.updates) }
            state.waiters.removeAll { waiter in ready.contains { $0.number == waiter.number } }
            return ready
        }
        for waiter in ready { waiter.continuation.resume(returning: true) }
    }

    /// Returns when `isSo` holds of everything that came; throws at the deadline.
    func waits(
        _ what: String, within seconds: Double = 30, until isSo: @escaping @Sendable ([Update]) -> Bool
    ) async throws {
        let came = await withCheckedContinuation { continuation in
            let number = state.withLock { state -> Int? in
                guard !isSo(state.updates) else { return nil }
                state.count += 1
                state.waiters.append(Waiter(number: state.count, isSo: isSo, continuation: continuation))
                return state.count
            }
            guard let number else { return continuation.resume(returning: true) }
            DispatchQueue.global().asyncAfter(deadline: .now() + seconds) { [weak self] in
                let late = self?.state.withLock { state -> Waiter? in
                    guard let index = state.waiters.firstIndex(where: { $0.number == number }) else { return nil }
                    return state.waiters.remove(at: index)
                }
                late?.continuation.resume(returning: false)
            }
        }
        guard came else {
            let (updates, failure) = state.withLock { ($0.updates, $0.failure) }
            throw Child.Failure(
                description: "\(what): not so after \(seconds) s; \(failure.map { "\($0); " } ?? "")came: \(updates)")
        }
    }
}
