import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime

/// Two servers, ``here()`` and ``there(_:)``, whole but for their shells, with a virtual clock and a network that does as it
/// is told: everything takes no time, and every deadline is met to the millisecond.
public struct PairBench: Sendable {
    /// What becomes of what one server sends to the other.
    public enum Way: Sendable {
        case open
        /// Nothing arrives; given up after 10 s.
        case lost
        /// Answered with 200, and not taken.
        case swallowed
    }

    /// A transaction that left.
    public struct Sent: Sendable {
        /// When.
        public var at: Instant
        /// Who sent it.
        public var from: ServerName
        /// What it held.
        public var transaction: OutgoingTransaction
    }

    private struct Side: Sendable {
        let name: ServerName
        var instance: PresenceInstance?
        var journal = SimulatedJournal()
        var boot: UInt64 = 1
    }

    private static let timeout = Duration.seconds(10)

    /// The virtual clock.
    public private(set) var now = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
    /// Everything that left, retries included.
    public private(set) var sent: [Sent] = []
    /// What becomes of what leaves here, and there.
    public var ways: (fromHere: Way, fromThere: Way) = (.open, .open)
    private var sides: [Side] = []
    private var timeouts: [(at: Instant, side: Int, boot: UInt64, transaction: OutgoingTransaction)] = []
    private var streamCount: UInt64 = 0
    private let configuration: FederationEngine.Configuration

    /// Both run; nobody knows anybody.
    public init(_ configuration: FederationEngine.Configuration = FederationEngine.Configuration()) throws {
        self.configuration = configuration
        for name in [try here(), try there()] { sides.append(Side(name: name)) }
        for side in sides.indices { start(side) }
    }

    // MARK: Questions

    /// What the user's observers on the other server are shown.
    public func knowledge(of user: UserID) -> Knowledge? {
        sides.first { $0.name != user.server }?.instance?.presence.knowledge(of: user)
    }

    /// The state in ``knowledge(of:)``.
    public func state(of user: UserID) -> PublishedState? { World.presence(knowledge(of: user))?.state }

    /// What left after an instant, that instant not counted.
    public func sent(after instant: Instant) -> [Sent] { sent.filter { $0.at > instant } }

    // MARK: What happens

    /// Lets time pass.
    public mutating func pass(_ duration: Duration) { pass(until: now + duration) }

    /// Lets time pass, until an instant or until something holds.
    public mutating func pass(until end: Instant, or isDone: (PairBench) -> Bool = { _ in false }) {
        while !isDone(self), let next = nextInstant, next <= end {
            now = max(now, next)
            while let place = timeouts.firstIndex(where: { $0.at <= now }) {
                let late = timeouts.remove(at: place)
                guard sides[late.side].boot == late.boot else { continue }
                let destination = late.transaction.destination
                let failure = FederationEngine.Event.deliveryFailed(
                    to: destination, transaction: late.transaction.id, .unanswered(after: nil))
                submit(.federation(failure), to: late.side)
            }
            for side in sides.indices {
                guard let due = sides[side].instance?.nextDeadline, due <= now else { continue }
                submit(.deadlineReached, to: side)
            }
        }
        if !isDone(self) { now = max(now, end) }
    }

    /// A user's device listens.
    @discardableResult
    public mutating func listen(_ user: UserID) throws -> StreamID {
        streamCount += 1
        let key = DeviceKey(user: user, device: try DeviceID(parsing: "phone"))
        perform(.streamOpened(StreamID(streamCount), key, .online), of: user)
        return StreamID(streamCount)
    }

    /// A user does something, on their server.
    public mutating func perform(_ event: PresenceEngine.Event, of user: UserID) {
        guard let side = sides.firstIndex(where: { $0.name == user.server }) else { return }
        submit(.presence(event), to: side)
        sides[side].journal.settle()
    }

    /// Two users of the two servers: `observer` has `observed` on their list, with leave.
    public mutating func befriend(_ observed: UserID, by observer: UserID) {
        perform(.userKnown(observed), of: observed)
        perform(.userKnown(observer), of: observer)
        perform(.entryAdded(observer: observer, observed: observed, note: nil, acl: nil), of: observer)
        perform(.requestAccepted(observed: observed, observer: observer), of: observed)
    }

    /// kill -9 of the server; what was told to users is kept, and what is known of the other server if `commits`.
    public mutating func crash(_ server: ServerName, commits: Bool = true) {
        guard let side = sides.firstIndex(where: { $0.name == server }) else { return }
        sides[side].journal.settle()
        if !commits { sides[side].journal.fallBack() }
        sides[side].instance = nil
        sides[side].boot += 1
    }

    /// What the server knows of the other one now is what is left of it after the next crash without commits, if that is
    /// within three minutes.
    public mutating func keepCommit(of server: ServerName) {
        guard let side = sides.firstIndex(where: { $0.name == server }) else { return }
        sides[side].journal.settle()
        sides[side].journal.keep(at: now)
    }

    /// The server comes back.
    public mutating func start(_ server: ServerName) {
        guard let side = sides.firstIndex(where: { $0.name == server }) else { return }
        start(side)
    }

    private var nextInstant: Instant? {
        let candidates = sides.compactMap { $0.instance?.nextDeadline } + timeouts.map(\.at)
        return candidates.min()
    }

    private mutating func start(_ side: Int) {
        var presence = PresenceEngine.Configuration()
        // Nobody changes by doing nothing.
        presence.idleAfter = .hours(1_000)
        var instance = PresenceInstance(
            presence: PresenceEngine(server: sides[side].name, configuration: presence),
            federation: FederationEngine(
                server: sides[side].name, configuration: configuration, boot: sides[side].boot, seed: 1))
        let effects = instance.start(from: sides[side].journal.snapshot, at: now)
        sides[side].instance = instance
        carryOut(effects, of: side)
    }

    private mutating func submit(_ event: PresenceInstance.Event, to side: Int) {
        let effects = sides[side].instance?.handle(event, at: now) ?? []
        carryOut(effects, of: side)
    }

    private mutating func carryOut(_ effects: [PresenceInstance.Effect], of side: Int) {
        var records: [PresenceInstance.Record] = []
        for case .save(let record) in effects { records.append(record) }
        if !records.isEmpty { sides[side].journal.append(records, at: now) }
        for case .send(let transaction) in effects { deliver(transaction, from: side) }
    }

    private mutating func deliver(_ transaction: OutgoingTransaction, from side: Int) {
        sides[side].journal.settle()
        sent.append(Sent(at: now, from: sides[side].name, transaction: transaction))
        let there = 1 - side
        let way = side == 0 ? ways.fromHere : ways.fromThere
        guard way != .lost, sides[there].instance != nil else {
            timeouts.append((now + PairBench.timeout, side, sides[side].boot, transaction))
            return
        }
        if way == .open {
            let taken = FederationEngine.Event.received(
                from: sides[side].name, transaction: transaction.id, transaction.messages,
                permissions: transaction.permissions)
            submit(.federation(taken), to: there)
        }
        submit(.federation(.delivered(to: sides[there].name, transaction: transaction.id)), to: side)
    }
}

extension PairBench.Sent {
    /// The reminder in it.
    public var reminder: PresenceMessage.Reminder? { transaction.messages.compactMap(\.reminder).last }
    /// A reminder that says in short what both hold, and nothing else: the short watchdog.
    public var isDigest: Bool { reminder?.held != nil && transaction.pushed.isEmpty && transaction.polled.isEmpty }
}
