import PresenceModel
import SocialClient

/// How long a session that ended waits for its next life.
public struct SessionPauses: Hashable, Sendable {
    /// After what may work at any time: a service that is gone is noticed to be back within the limit.
    public var passing: ReconnectPause
    /// After a refusal that only somebody's doing ends.
    public var refused: ReconnectPause
    /// After a credential that was not taken; a new one ends it.
    public var unauthorized: ReconnectPause
    /// A life that was longer is no failure in a row with those before.
    public var settledAfter = Duration.seconds(30)

    /// 1 s to 20 s; 5 s to 10 min; 1 s to 1 h; doubling, ±20 %.
    public init() {
        (passing, refused, unauthorized) = (ReconnectPause(), ReconnectPause(), ReconnectPause())
        passing.limit = .seconds(20)
        refused.first = .seconds(5)
        refused.limit = .minutes(10)
        unauthorized.limit = .hours(1)
    }

    func duration(after kind: BridgedSessionError.Kind, failures: Int) -> Duration {
        var generator = SystemRandomNumberGenerator()
        return pause(after: kind).duration(afterFailures: failures, using: &generator)
    }

    private func pause(after kind: BridgedSessionError.Kind) -> ReconnectPause {
        switch kind {
        case .unreachable, .lost, .timedOut, .failed, .credentialsUnavailable, .connectionsFull, .tooOften: passing
        case .refused, .notUnderstood: refused
        case .unauthorized, .noCredential: unauthorized
        }
    }
}
