import FederationEngine
import PresenceEngine
import PresenceModel

/// One server's engines as one value: what the one decides about other servers, the other takes up in the same step.
///
/// The simulation runs this; ``PresenceRuntime`` is the same with a real clock and shells around it.
public struct PresenceInstance: Sendable {
    /// What happened, to the engine that it concerns.
    public enum Event: Hashable, Sendable {
        case presence(PresenceEngine.Event)
        case federation(FederationEngine.Event)
        case deadlineReached
    }

    /// What is to be done by the shells; what engines tell each other is not among it.
    public enum Effect: Hashable, Sendable {
        case wake(StreamID)
        indirect case send(OutgoingTransaction)
        indirect case save(Record)
        /// For who listens to local users: see ``PresenceEngine/Effect/localViewed(_:_:)``.
        indirect case localViewed(UserID, LocalView)
        /// For the operator: another server does not answer any more, or does again.
        case standingChanged(ServerName, FederationEngine.Standing)
    }

    /// One row to keep; the latest for a key wins.
    public enum Record: Hashable, Sendable {
        case presence(PresenceEngine.Record)
        case federation(FederationEngine.Record)
        /// Where a device's syncs stand, the latest last; none: the row goes.
        case syncCursors(DeviceKey, [SyncCursors.Cursor])
        case homeserver(HomeserverRecord)
    }

    /// Which way presence goes between this server and others.
    public struct Directions: OptionSet, Hashable, Sendable {
        /// 1 for ``send``, 2 for ``receive``.
        public let rawValue: UInt8

        /// - Parameter rawValue: bits without a meaning are kept and mean nothing.
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// What local users do and ask for is told to others. Without it nothing leaves, permissions and polls neither,
        /// and polls of others are answered like those of users who do not exist.
        public static let send = Directions(rawValue: 1)
        /// What others say counts. Without it all that they say and ask passes unheard, and they are asked nothing.
        public static let receive = Directions(rawValue: 2)
        /// Both ways.
        public static let both: Directions = [.send, .receive]
        /// A server that talks to no other.
        public static let none: Directions = []
    }

    /// Everything that was saved.
    public struct Snapshot: Sendable {
        /// Local users, their lists and rooms, and what is known of other servers' users.
        public var presence = PresenceEngine.Snapshot()
        /// Promises given and asked for, permissions to be told, and how other servers speak.
        public var federation = FederationEngine.Snapshot()
        /// Where devices' syncs stand; not for the engines but for ``SyncCursors/init(limit:restoring:)``.
        public var syncCursors: [(key: DeviceKey, cursors: [SyncCursors.Cursor])] = []
        /// What is known of the homeserver; no engine's business.
        public var homeserver = HomeserverSnapshot()

        /// Nothing saved: a first start.
        public init() {}
    }

    /// The engine of users, devices, lists and rooms; to be read only.
    public private(set) var presence: PresenceEngine
    /// The engine of the conversation with other servers; to be read only.
    public private(set) var federation: FederationEngine
    /// Which way presence goes between servers.
    public let directions: Directions
    private var presenceEffects: [PresenceEngine.Effect] = []
    private var woken: Set<StreamID> = []
    private var federationEffects: [FederationEngine.Effect] = []

    /// Both engines, of one server.
    public init(presence: PresenceEngine, federation: FederationEngine, directions: Directions = .both) {
        self.presence = presence
        self.federation = federation
        self.directions = directions
    }

    /// The earlier of both engines' deadlines, for ``Event/deadlineReached``.
    public var nextDeadline: Instant? {
        switch (presence.nextDeadline, federation.nextDeadline) {
        case (let mine?, let theirs?): min(mine, theirs)
        case (let mine, let theirs): mine ?? theirs
        }
    }

    /// Takes in what was saved, and starts.
    public mutating func start(from snapshot: Snapshot, at now: Instant) -> [Effect] {
        presence.restore(snapshot.presence, at: now)
        federation.restore(relevant(snapshot.federation), at: now)
        return handle(.presence(.started), at: now)
    }

    /// One step: takes the event, lets the engines settle, and returns what is to be done, in order.
    public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
        switch event {
        case .presence(let event):
            presence.handle(event, at: now, into: &presenceEffects)
        case .federation(let event):
            hear(event, at: now)
        case .deadlineReached:
            presence.handle(.deadlineReached, at: now, into: &presenceEffects)
        }
        var effects: [Effect] = []
        woken.removeAll(keepingCapacity: true)
        settle(at: now, into: &effects)
        // What became urgent in this step leaves in this step, one transaction for each server.
        if let due = federation.nextDeadline, due <= now {
            federation.handle(.deadlineReached, at: now, into: &federationEffects)
            settle(at: now, into: &effects)
        }
        return effects
    }

    /// Hands effects from engine to engine until none is left. Reports from other servers cause no words to other
    /// servers, so this ends.
    private mutating func settle(at now: Instant, into effects: inout [Effect]) {
        while !presenceEffects.isEmpty || !federationEffects.isEmpty {
            let mine = presenceEffects
            presenceEffects.removeAll(keepingCapacity: true)
            for effect in mine { route(effect, at: now, into: &effects) }
            guard !federationEffects.isEmpty else { continue }
            let theirs = federationEffects
            federationEffects.removeAll(keepingCapacity: true)
            for effect in theirs { route(effect, at: now, into: &effects) }
        }
    }

    private mutating func route(_ effect: PresenceEngine.Effect, at now: Instant, into effects: inout [Effect]) {
        switch effect {
        case .wake(let stream):
            // Once a step: whoever is woken reads everything.
            if woken.insert(stream).inserted { effects.append(.wake(stream)) }
        case .save(let record): effects.append(.save(.presence(record)))
        case .localViewed(let user, let view): effects.append(.localViewed(user, view))
        case .localPublished(let user, let presence, let occasion):
            tell(.localPublished(user, presence, PresenceInstance.urgency(of: occasion)), at: now)
        case .audienceAdded(let user, let server): tell(.audienceAdded(user, server), at: now)
        case .audienceRestored(let user, let server): tell(.audienceRestored(user, server), at: now)
        case .audienceRemoved(let user, let server): tell(.audienceRemoved(user, server), at: now)
        case .reachChanged(let user, let server, let reach): tell(.reachChanged(user, server, reach), at: now)
        case .interestBegan(let user, let knows): tell(.interestBegan(user, knows: knows), at: now)
        case .interestEnded(let user): tell(.interestEnded(user), at: now)
        case .permission(let message): tell(.permission(message), at: now)
        case .permissionWithdrawn(let message): tell(.permissionWithdrawn(message), at: now)
        }
    }

    private mutating func route(_ effect: FederationEngine.Effect, at now: Instant, into effects: inout [Effect]) {
        switch effect {
        case .send(let transaction): effects.append(.send(transaction))
        case .save(let record): effects.append(.save(.federation(record)))
        case .remoteReported(let user, let report, let goodUntil):
            presence.handle(
                .remoteReported(user, report, goodUntil: goodUntil), at: now, into: &presenceEffects)
        case .remoteLapsed(let user, let reason):
            presence.handle(.remoteLapsed(user, reason), at: now, into: &presenceEffects)
        case .remoteRenewed(let user, let goodUntil):
            presence.handle(.remoteRenewed(user, goodUntil: goodUntil), at: now, into: &presenceEffects)
        case .standingChanged(let server, let standing): effects.append(.standingChanged(server, standing))
        case .permissionReceived(let message):
            presence.handle(.permissionReceived(message), at: now, into: &presenceEffects)
        }
    }

    /// What does not leave is not gathered either; who does not listen does not ask, and who may not speak cannot.
    private mutating func tell(_ event: FederationEngine.Event, at now: Instant) {
        switch event {
        case .interestBegan, .interestEnded: guard directions == .both else { return }
        default: guard directions.contains(.send) else { return }
        }
        federation.handle(event, at: now, into: &federationEffects)
    }

    /// What others say is a sign of life even where nobody listens. Where nobody answers, what they ask is nothing, and
    /// all are as servers that tell without being asked.
    private mutating func hear(_ event: FederationEngine.Event, at now: Instant) {
        var event = event
        if case .received(let origin, let transaction, let messages, let permissions) = event, directions != .both {
            let reports = messages.map { message in
                var report = PresenceMessage()
                report.push = message.push
                report.promise = message.promise
                return report
            }
            event =
                directions.contains(.receive)
                ? .received(from: origin, transaction: transaction, reports, permissions: permissions)
                : .heard(from: origin)
        }
        federation.handle(event, at: now, into: &federationEffects)
    }

    /// What was saved while more was sent or received stays on disk, and holds again when that is switched on again.
    private func relevant(_ saved: FederationEngine.Snapshot) -> FederationEngine.Snapshot {
        var saved = saved
        if !directions.contains(.send) {
            saved.given = []
            saved.permissions = []
            saved.peers = []
        }
        if directions != .both { saved.asked = [] }
        return saved
    }

    private static func urgency(of occasion: PresenceEngine.Occasion) -> FederationEngine.Urgency {
        switch occasion {
        case .appeared: .atOnce
        case .changed: .batched
        case .restarted: .restated
        }
    }
}
