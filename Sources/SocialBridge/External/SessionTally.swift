import SocialEngine
import Synchronization

/// What happened to all sessions of one service, for the report.
final class SessionTally: Sendable {
    private let counts = Mutex(SocialSideReport())
    /// Of sessions that are wanted; as many as there are links.
    private let latest = Mutex<[SocialAddress: BridgedSessionError.Kind]>([:])

    /// The counts; connections are not in it.
    var report: SocialSideReport { counts.withLock { $0 } }

    func note(_ failure: BridgedSessionError) {
        counts.withLock { counts in
            counts.failures[failure.kind.rawValue, default: 0] += 1
            counts.latestFailure = "\(failure.kind.rawValue): \(failure.message)"
        }
    }

    /// As ``note(_:)``, of a session that could not be opened or ended.
    func note(_ failure: BridgedSessionError, of address: SocialAddress) {
        note(failure)
        latest.withLock { $0[address] = failure.kind }
    }

    /// The session is no longer wanted.
    func forget(_ address: SocialAddress) { _ = latest.withLock { $0.removeValue(forKey: address) } }

    /// Of a session that is wanted.
    func latestFailure(of address: SocialAddress) -> BridgedSessionError.Kind? { latest.withLock { $0[address] } }

    func noteHeartbeat() { counts.withLock { $0.heartbeatsTaken += 1 } }

    func noteOpen(_ change: Int) { counts.withLock { $0.sessionsOpen += change } }

    func noteTried(_ change: Int) { counts.withLock { $0.sessions += change } }
}
