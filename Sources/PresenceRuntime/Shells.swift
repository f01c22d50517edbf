import FederationEngine
import PresenceEngine
import PresenceModel

/// Tells the time on the one axis.
public protocol PresenceClock: Sendable {
    /// Never earlier than any instant it gave before.
    var now: Instant { get }
}

/// Wall time at the start plus uptime: set once, then only forward, whatever happens to the wall clock.
public struct AnchoredClock: PresenceClock {
    private let wallAtStart: Int64
    private let start = ContinuousClock.now

    /// - Parameter wallMilliseconds: the wall clock's milliseconds since the epoch at this moment.
    public init(wallMilliseconds: Int64) { wallAtStart = wallMilliseconds }

    /// Wall time at the start plus the time since, in whole milliseconds.
    public var now: Instant {
        let uptime = ContinuousClock.now - start
        return Instant(millisecondsSinceEpoch: wallAtStart + uptime.inMilliseconds)
    }
}

/// Keeps rows over restarts. The store's shell conforms to it.
public protocol Journal: Sendable {
    /// Takes rows in their order and returns at once; they are on disk at most the write-behind time later.
    func append(_ records: [PresenceInstance.Record])

    /// Returns when everything appended before the call is on disk.
    /// - Throws: when the rows could not be written; they are kept and tried again.
    func settle() async throws
}

/// Takes transactions to other servers. The federation's shell conforms to it.
public protocol TransactionDelivery: Sendable {
    /// Returns when the destination answered, or did not in time. Never throws: every end is an outcome.
    func deliver(_ transaction: OutgoingTransaction) async -> DeliveryOutcome

    /// A server does not answer any more, or does again: for whoever tells the operator. Returns at once.
    func standingChanged(of server: ServerName, to standing: FederationEngine.Standing)
}

extension TransactionDelivery {
    /// Nobody is told.
    public func standingChanged(of server: ServerName, to standing: FederationEngine.Standing) {}
}

/// Hears of local users what a bridge goes by, as it happens and in that order. Everything returns at once.
public protocol LocalUserListening: Sendable {
    /// A local user is so now: see ``PresenceEngine/Effect/localViewed(_:_:)``.
    func userViewed(_ user: UserID, as view: LocalView)

    /// Something about what is between two users may be another: an entry, a consent, a block. One of them is local.
    func tieChanged(of user: UserID, with other: UserID)

    /// Groups or policies of a local user changed.
    func groupsChanged(of user: UserID)
}

/// How a delivery ended.
public enum DeliveryOutcome: Hashable, Sendable {
    case delivered
    case failed(FederationEngine.Failure)
}
