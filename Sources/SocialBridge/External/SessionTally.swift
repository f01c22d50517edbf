import Synchronization

/// What happened to all sessions of one service, for the report.
final class SessionTally: Sendable {
    private let counts = Mutex(SocialSideReport())

    /// The counts; connections are not in it.
    var report: SocialSideReport { counts.withLock { $0 } }

    func note(_ failure: BridgedSessionError) {
        counts.withLock { counts in
            counts.failures[failure.kind.rawValue, default: 0] += 1
            counts.latestFailure = "\(failure.kind.rawValue): \(failure.message.prefix(SessionTally.messageLimit))"
        }
    }

    func noteHeartbeat() { counts.withLock { $0.heartbeatsTaken += 1 } }

    func noteOpen(_ change: Int) { counts.withLock { $0.sessionsOpen += change } }

    func noteTried(_ change: Int) { counts.withLock { $0.sessions += change } }

    /// Characters of what a service says that are repeated.
    private static let messageLimit = 200
}
