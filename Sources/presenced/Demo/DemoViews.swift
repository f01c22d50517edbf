import AsyncHTTPClient
import Foundation
import MatrixWire
import NIOCore
import PresenceModel
import Synchronization

/// What each of the stage's users sees, as their client learns it from the stream.
final class DemoViews: Sendable {
    struct Glimpse: Hashable, Sendable {
        var presence: String
        var text: String?
    }

    private struct State {
        var seen: [String: [String: Glimpse]] = [:]
        var count: UInt64 = 0
        var waiters: [(isMet: @Sendable ([String: [String: Glimpse]]) -> Bool, resume: @Sendable () -> Void)] = []
    }

    private let state = Mutex(State())

    /// What `observer` sees of `observed`.
    func glimpse(of observed: String, by observer: String) -> Glimpse? {
        state.withLock { $0.seen[observer]?[observed] }
    }

    /// How many of `users` the observer sees.
    func count(of users: [UserID], by observer: String) -> Int {
        state.withLock { state in users.count { state.seen[observer]?[$0.text] != nil } }
    }

    /// Follows a user's stream until cancelled or the server ends it.
    func follow(_ user: DemoStage.User, with client: HTTPClient) async throws {
        var request = HTTPClientRequest(
            url: "\(user.url)/_matrix/client/unstable/org.presenced/presence/stream")
        request.headers.add(name: "Authorization", value: "Bearer \(user.token)")
        request.headers.add(name: "Accept", value: "text/event-stream")
        let response = try await client.execute(request, deadline: .distantFuture)
        var partial = ""
        for try await part in response.body {
            partial += String(buffer: part)
            var lines = partial.components(separatedBy: "\n")
            partial = lines.removeLast()
            for line in lines where line.hasPrefix("data: ") { take(line.dropFirst(6), by: user.id.text) }
        }
    }

    private func take(_ line: Substring, by observer: String) {
        guard let event = try? JSONParser.lenient.parse(Array(line.utf8)).value,
            let sender = event["sender"]?.string, let presence = event["content"]?["presence"]?.string
        else { return }
        let glimpse = Glimpse(presence: presence, text: event["content"]?["status_msg"]?.string)
        let ready = state.withLock { state -> [@Sendable () -> Void] in
            state.seen[observer, default: [:]][sender] = glimpse
            state.count += 1
            var ready: [@Sendable () -> Void] = []
            let seen = state.seen
            state.waiters.removeAll { waiter in
                guard waiter.isMet(seen) else { return false }
                ready.append(waiter.resume)
                return true
            }
            return ready
        }
        for resume in ready { resume() }
    }

    /// Waits until `isMet`; false if that takes longer than `limit`.
    func wait(
        upTo limit: Duration, until isMet: @escaping @Sendable ([String: [String: Glimpse]]) -> Bool
    ) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask { await self.arrive(isMet) }
            group.addTask {
                try? await Task.sleep(for: limit)
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            return first
        }
    }

    private func arrive(_ isMet: @escaping @Sendable ([String: [String: Glimpse]]) -> Bool) async -> Bool {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        state.withLock { state in
            if isMet(state.seen) {
                continuation.yield()
            } else {
                state.waiters.append((isMet, { continuation.yield() }))
            }
        }
        for await _ in stream { return true }
        return false
    }
}
