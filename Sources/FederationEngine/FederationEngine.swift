import PresenceModel

/// The conversation with every other server: what was promised to it, what was asked of it, what it is to be told
/// next, and when.
///
/// A value with one door, ``handle(_:at:into:)``. Messages for one server that come about in one step leave in one
/// transaction: they are composed at ``Event/deadlineReached``, for which urgent matters make ``nextDeadline`` due
/// at once.
public struct FederationEngine: Sendable {
    /// This server: users hosted by it are local.
    public let server: ServerName
    /// Fixed for the engine's life.
    public let configuration: Configuration

    var peers: [Peer] = []
    var peerNumbers: [ServerName: Int] = [:]
    var freePeers: [Int] = []
    var peerDeadlines = DeadlineQueue()

    /// Local users: what to say of them, and to which servers it may be said.
    var locals: [UserID: LocalUser] = [:]

    /// Users of other servers whom someone here cares about.
    var interests: [Interest] = []
    var interestNumbers: [UserID: Int] = [:]
    var freeInterests: [Int] = []
    var interestDeadlines = DeadlineQueue()

    /// Counts since the engine was made.
    public internal(set) var tally = Tally()
    let boot: UInt64
    var generator: SeededGenerator
    private var latest = Instant.epoch

    /// - Parameters:
    ///   - boot: higher at every start of this server; makes transaction ids unique.
    ///   - seed: of the jitter of back-off.
    public init(server: ServerName, configuration: Configuration = Configuration(), boot: UInt64, seed: UInt64) {
        self.server = server
        self.configuration = configuration
        self.boot = boot
        self.generator = SeededGenerator(seed: seed)
    }

    /// When ``Event/deadlineReached`` has something to do; an early, late or doubled one does no harm.
    public var nextDeadline: Instant? {
        [peerDeadlines.next, interestDeadlines.next].compactMap(\.self).min()
    }

    /// The one door: takes what happened, appends what follows from it.
    public mutating func handle(_ event: Event, at now: Instant, into effects: inout [Effect]) {
        precondition(now >= latest, "time ran backwards: \(latest), \(now)")
        latest = now
        switch event {
        case .localPublished(let user, let presence, let urgency):
            publish(presence, of: user, urgency, at: now, into: &effects)
        case .audienceAdded(let user, let server):
            admit(user, to: server, at: now, into: &effects)
        case .audienceRestored(let user, let server):
            restoreAudience(user, server, at: now)
        case .audienceRemoved(let user, let server):
            withdraw(user, from: server, at: now, into: &effects)
        case .reachChanged(let user, let server, let reach):
            reachChanged(user, server, reach, at: now, into: &effects)
        case .interestBegan(let user, let knows):
            beginInterest(in: user, knows: knows, at: now, into: &effects)
        case .interestEnded(let user):
            endInterest(in: user, at: now)
        case .permission(let message):
            tell(message, at: now, into: &effects)
        case .permissionWithdrawn(let message):
            withdraw(message, at: now, into: &effects)
        case .received(let origin, let transaction, let messages, let permissions):
            take(transaction, messages, permissions, from: origin, at: now, into: &effects)
        case .heard(let origin):
            hear(from: origin, at: now, into: &effects)
        case .delivered(let destination, let transaction):
            confirm(transaction, by: destination, at: now, into: &effects)
        case .deliveryFailed(let destination, let transaction, let failure):
            retryLater(transaction, to: destination, failure, at: now, into: &effects)
        case .deadlineReached:
            while let number = interestDeadlines.popDue(at: now) { reviewInterest(number, at: now, into: &effects) }
            while let number = peerDeadlines.popDue(at: now) { attend(number, at: now, into: &effects) }
        }
    }

    /// As ``handle(_:at:into:)``, for callers who want a list of their own.
    public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
        var effects: [Effect] = []
        handle(event, at: now, into: &effects)
        return effects
    }
}
