import PresenceModel
import Synchronization

/// Which failures of other servers the operator was told, so that a log says what happened once, however often it is
/// met.
///
/// A failure is news when it begins and when it becomes one of another kind; but the same kind of the same server is
/// news once in ``quietTime`` only, for a server that fails every other time would fill a log as well. At most
/// ``serversLimit`` servers are followed: past that, failures of further ones are no news, until followed ones recover.
final class FailureNotices<Kind: Hashable & Sendable>: Sendable {
    static var quietTime: Duration { .minutes(10) }
    /// Of one server; a further kind within the quiet time is no news.
    static var kindsLimit: Int { 8 }
    /// Looking for servers to forget takes long, and is done this often at most.
    static var forgettingPause: Duration { .minutes(1) }

    private struct Followed {
        /// What the server fails with since it last did not fail.
        var ongoing: Kind?
        var count = 0
        var isTold = false
        var told: [Kind: Instant] = [:]
        var latest: Instant
    }

    private struct State {
        var servers: [ServerName: Followed] = [:]
        var forgotten: Instant?
    }

    private let serversLimit: Int
    private let state = Mutex(State())

    /// - Parameter serversLimit: at least 1.
    init(serversLimit: Int = 10_000) { self.serversLimit = serversLimit }

    /// Whether the operator is to be told that `server` failed at `now`.
    func isNews(_ kind: Kind, of server: ServerName, at now: Instant) -> Bool {
        state.withLock { state in
            if state.servers[server] == nil, !makeRoom(&state, at: now) { return false }
            var followed = state.servers[server] ?? Followed(latest: now)
            defer { state.servers[server] = followed }
            followed.latest = now
            followed.count += 1
            guard followed.ongoing != kind else { return false }
            followed.ongoing = kind
            followed.told = followed.told.filter { isQuiet(since: $0.value, at: now) }
            guard followed.told[kind] == nil, followed.told.count < FailureNotices.kindsLimit else { return false }
            followed.told[kind] = now
            followed.isTold = true
            return true
        }
    }

    /// The server did what it should.
    /// - Returns: how often it had failed before, if the operator was told of that.
    func ended(of server: ServerName) -> Int? {
        state.withLock { state in
            guard var followed = state.servers[server], followed.ongoing != nil else { return nil }
            let count = followed.isTold ? followed.count : nil
            followed.ongoing = nil
            followed.count = 0
            followed.isTold = false
            state.servers[server] = followed
            return count
        }
    }

    private func isQuiet(since told: Instant, at now: Instant) -> Bool {
        now.milliseconds(since: told) < FailureNotices.quietTime.inMilliseconds
    }

    /// Servers that recovered, or were not met again, for the quiet time are forgotten.
    private func makeRoom(_ state: inout State, at now: Instant) -> Bool {
        guard state.servers.count >= serversLimit else { return true }
        let pause = FailureNotices.forgettingPause.inMilliseconds
        if let last = state.forgotten, now.milliseconds(since: last) < pause { return false }
        state.forgotten = now
        // A server that is tried again every hour still fails in between.
        let patience = FailureNotices.quietTime.inMilliseconds * 12
        state.servers = state.servers.filter { _, followed in
            let age = now.milliseconds(since: followed.latest)
            return age < (followed.ongoing == nil ? FailureNotices.quietTime.inMilliseconds : patience)
        }
        return state.servers.count < serversLimit
    }
}
