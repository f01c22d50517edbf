import MatrixHTTP
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Synchronization

extension SyncGateway {
    /// Asks the homeserver. With early wakes on, a long-poll is taken back when there is presence of others for it, and
    /// asked again to be answered at once: the answer is the homeserver's all the same.
    func send(_ call: Upstream.Call, _ hold: SyncHold, _ wish: Wish?) async throws(UpstreamError) -> Upstream.Reply {
        guard let stream = hold.stream, let wish, case .after = wish.start, let wait = call.wait, wait > .zero,
            let prompt = SyncGateway.withoutWait(call)
        else { return try await pass.send(call) }
        if await hasNews(wish, hold), wakes.take(wish.key) { return try await pass.send(prompt) }
        let woken = Hangup()
        let watcher = Task { () -> Bool in
            for await _ in stream.wakes {
                guard await hasNews(wish, hold), wakes.take(wish.key) else { continue }
                woken.come()
                return true
            }
            return false
        }
        defer { watcher.cancel() }
        do {
            let pass = pass
            return try await Hangup.cancelling(at: [woken]) { try await pass.send(call) }
        } catch {
            let error = error as? UpstreamError ?? UpstreamError(error, whileReading: false)
            watcher.cancel()
            guard error.code == .cancelled, await watcher.value else { throw error }
        }
        return try await pass.send(prompt)
    }

    /// Whether others did something that the client wants to know. What the user did on another device can wait.
    private func hasNews(_ wish: Wish, _ hold: SyncHold) async -> Bool {
        let batch = await batch(for: wish, on: hold.id, nil)
        return !batch.isOver && !filtered(batch, for: wish).sightings.isEmpty
    }

    /// The same question, to be answered at once; `nil` if its query does not say how long to wait.
    static func withoutWait(_ call: Upstream.Call) -> Upstream.Call? {
        guard let mark = call.target.firstIndex(of: "?") else { return nil }
        var isFound = false
        let pairs = call.target[call.target.index(after: mark)...].split(
            separator: "&", omittingEmptySubsequences: false
        ).map { pair in
            guard pair.hasPrefix("timeout=") else { return String(pair) }
            isFound = true
            return "timeout=0"
        }
        guard isFound else { return nil }
        var prompt = call
        prompt.target = call.target[...mark] + pairs.joined(separator: "&")
        prompt.wait = .zero
        return prompt
    }
}

/// Which devices were woken lately. Bounded: past ``limit`` those that may be woken again are forgotten, and if there are
/// none, nobody is woken.
final class EarlyWakes: Sendable {
    static let limit = 100_000

    private let pause: Duration
    private let clock: any PresenceClock
    private let latest = Mutex<[DeviceKey: Instant]>([:])

    init(pause: Duration, clock: any PresenceClock) {
        self.pause = pause
        self.clock = clock
    }

    /// Whether the device may be woken now; it counts as woken then.
    func take(_ key: DeviceKey) -> Bool {
        let now = clock.now
        return latest.withLock { latest in
            if let before = latest[key], now < before + pause { return false }
            if latest.count >= EarlyWakes.limit { latest = latest.filter { now < $0.value + pause } }
            guard latest.count < EarlyWakes.limit else { return false }
            latest[key] = now
            return true
        }
    }
}
