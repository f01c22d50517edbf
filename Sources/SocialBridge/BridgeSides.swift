import BridgeEngine
import PresenceModel
import SocialEngine

/// Keeps the bridge's rows over restarts. The store's shell conforms to it.
public protocol BridgeJournal: Sendable {
    /// Returns when all of `records` are on disk, in one transaction.
    /// - Throws: nothing of them is kept.
    func write(_ records: [BridgeEngine.Record]) async throws
}

/// Hears what both sides report: the runtime.
public protocol BridgeEars: Sendable {
    /// Events of one caller are taken in the order of the calls.
    func hear(_ event: BridgeEngine.Event) async
}

/// What the bridge wants of the social side.
public enum SocialOrder: Hashable, Sendable {
    /// Log in for the user and keep trying, until ``closeSession(_:)``: answered by
    /// ``BridgeEngine/Event/sessionOpened(_:)``, then a snapshot of friends' presence and one of friendships, then
    /// changes; and by ``BridgeEngine/Event/sessionLost(_:)`` each time that it ends.
    case openSession(SocialAddress, for: UserID)
    /// No more is to be told of the user.
    case closeSession(SocialAddress)
    /// - whereabouts: `nil`: those that the social side has.
    case heartbeat(SocialAddress, Whereabouts?, FriendState)
    /// The user is not there any more; said where the protocol can.
    case stop(SocialAddress)
    /// Answered by ``BridgeEngine/Event/actAnswered(_:_:towards:)``, `actRefused` or `actFailed`.
    case act(SocialAddress, FriendshipAction, towards: SocialAddress)
    /// Answered by ``BridgeEngine/Event/friendshipsRead(_:seenBy:)``, if the session is open.
    case readFriendships(SocialAddress)

    /// In whose name.
    public var actor: SocialAddress {
        switch self {
        case .openSession(let address, _), .closeSession(let address), .heartbeat(let address, _, _),
            .stop(let address), .act(let address, _, _), .readFriendships(let address):
            address
        }
    }
}

/// The social side: sessions of linked users with a social service.
public protocol SocialSide: Sendable {
    /// Returns at once; orders in one user's name are carried out in their order, those of a user without a session are
    /// dropped.
    func carryOut(_ order: SocialOrder)
    /// Works until it is cancelled, and tells `ears`.
    func run(telling ears: any BridgeEars) async
    /// How it stands.
    func report() async -> SocialSideReport
    /// What went wrong last with that user's session, while it is not open: a kind as in
    /// ``SocialSideReport/failures``; `nil` if nothing did, or it is not known.
    func latestFailure(of address: SocialAddress) async -> String?
}

extension SocialSide {
    /// Not known.
    public func latestFailure(of address: SocialAddress) async -> String? { nil }
}

/// How the social side stands.
public struct SocialSideReport: Hashable, Sendable {
    /// Connections that stand.
    public var connections = 0
    /// The most that there may be.
    public var connectionsLimit = 0
    /// Linked users whom the service takes.
    public var sessionsOpen = 0
    /// Linked users for whom a session is tried.
    public var sessions = 0
    /// Heartbeats that the service took, since the start; none, of one that takes none.
    public var heartbeatsTaken = 0
    /// Failures since the start, by kind: `unreachable`, `unauthorized`, `no_credential`…; the kinds are few and fixed.
    public var failures: [String: Int] = [:]
    /// What went wrong last, without secrets, and fit to be shown anywhere.
    public var latestFailure: String?

    /// Nothing happened yet.
    public init() {}
}

/// What the bridge wants of Matrix.
public enum MatrixOrder: Hashable, Sendable {
    /// Not carried out: ``BridgeEngine/Event/presentFailed(_:)``.
    case present(UserID, Showing, as: BridgeEngine.Guise)
    /// Answered by ``BridgeEngine/Event/ghostMade(_:)`` or ``BridgeEngine/Event/ghostFailed(_:)``.
    case makeGhost(UserID, for: SocialAddress)
    /// Entries in the group `friends` and consents; see ``Bond`` for what is what. Refused:
    /// ``BridgeEngine/Event/editRefused(_:_:towards:)``.
    case editList(UserID, FriendshipAction, towards: UserID)
    /// Answered by ``BridgeEngine/Event/listRead(_:_:)``, and ``BridgeEngine/Event/listReported(_:other:_:at:)`` from
    /// then on.
    case readList(UserID)
}

/// Matrix: how local users are, friends shown to them, and presence lists.
public protocol MatrixSide: Sendable {
    /// Returns at once; orders about one user are carried out in their order.
    func carryOut(_ order: MatrixOrder)
    /// Works until it is cancelled, and tells `ears`: how local users are, from the start on and at every change, and
    /// what `carryOut` ordered.
    func run(telling ears: any BridgeEars) async
}
