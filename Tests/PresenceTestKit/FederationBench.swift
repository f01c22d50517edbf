import FederationEngine
import PresenceModel

/// A federation engine with a virtual clock: every deadline is met to the millisecond, and all effects are kept.
public struct FederationBench: Sendable {
    /// The engine, for questions.
    public private(set) var engine: FederationEngine
    /// The virtual clock.
    public private(set) var now: Instant
    /// All effects so far, or since they were last cleared.
    public var effects: [FederationEngine.Effect] = []
    /// Whether every transaction is delivered in the instant in which it leaves.
    public var deliversAtOnce = true
    /// When each of ``sent`` left.
    public private(set) var sentAt: [Instant] = []
    /// All transactions so far, retries included.
    public private(set) var sent: [OutgoingTransaction] = []

    /// An engine of ``here()``, started from what was saved; unless told otherwise its watchdogs sleep.
    public init(
        _ configuration: FederationEngine.Configuration = .unwatched,
        from snapshot: FederationEngine.Snapshot = FederationEngine.Snapshot(), boot: UInt64 = 1, seed: UInt64 = 1,
        at start: Instant = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
    ) throws {
        engine = FederationEngine(server: try here(), configuration: configuration, boot: boot, seed: seed)
        now = start
        engine.restore(snapshot, at: start)
    }

    /// Some events of one instant, and what is due after them.
    ///
    /// - Returns: the transactions that left.
    @discardableResult
    public mutating func perform(_ events: FederationEngine.Event...) -> [OutgoingTransaction] {
        let count = sent.count
        for event in events { keep(engine.handle(event, at: now)) }
        meetDeadline()
        return Array(sent[count...])
    }

    /// Lets time pass.
    ///
    /// - Returns: the transactions that left on the way.
    @discardableResult
    public mutating func pass(_ duration: Duration) -> [OutgoingTransaction] {
        let end = now + duration
        let count = sent.count
        var rounds = 0
        while let deadline = engine.nextDeadline, deadline <= end {
            rounds += 1
            precondition(rounds < 100_000, "the deadlines until \(end) do not end")
            now = max(now, deadline)
            meetDeadline()
        }
        now = end
        return Array(sent[count...])
    }

    /// What became of the latest transaction.
    @discardableResult
    public mutating func conclude(_ failure: FederationEngine.Failure? = nil) -> [OutgoingTransaction] {
        guard let last = sent.last else { return [] }
        if let failure {
            return perform(.deliveryFailed(to: last.destination, transaction: last.id, failure))
        }
        return perform(.delivered(to: last.destination, transaction: last.id))
    }

    /// A transaction of one message from another server that takes part in subscribe and push.
    @discardableResult
    public mutating func hear(
        _ id: String, from server: ServerName, poll: [UserID] = [], unpoll: [UserID] = [], query: [UserID] = [],
        watch: [UserID] = [], push: [(UserID, Presence)] = [], permissions: [PermissionMessage] = [],
        promise: Duration? = .minutes(65), isCapable: Bool = true
    ) -> [OutgoingTransaction] {
        var message = PresenceMessage()
        message.push = push.map { PresenceMessage.Report(user: $0.0, presence: $0.1) }
        message.poll = poll
        message.unpoll = unpoll
        message.query = query
        message.watch = watch
        message.promise = isCapable ? promise : nil
        message.speaksExtension = isCapable
        return perform(.received(from: server, transaction: id, [message], permissions: permissions))
    }

    private mutating func meetDeadline() {
        var rounds = 0
        while let deadline = engine.nextDeadline, deadline <= now {
            rounds += 1
            precondition(rounds < 1_000, "the deadlines at \(now) do not end")
            let new = engine.handle(.deadlineReached, at: now)
            keep(new)
            guard deliversAtOnce else { return }
            for case .send(let transaction) in new {
                keep(
                    engine.handle(
                        .delivered(to: transaction.destination, transaction: transaction.id), at: now))
            }
        }
    }

    private mutating func keep(_ new: [FederationEngine.Effect]) {
        effects += new
        for case .send(let transaction) in new {
            sent.append(transaction)
            sentAt.append(now)
        }
    }
}

extension OutgoingTransaction {
    /// The users pushed, in the order of the messages.
    public var pushed: [UserID] { messages.flatMap { $0.push.map(\.user) } }
    /// The users polled.
    public var polled: [UserID] { messages.flatMap(\.poll) }
    /// The users polled no longer.
    public var unpolled: [UserID] { messages.flatMap(\.unpoll) }

    /// What is said of a user.
    public func presence(of user: UserID) -> Presence? {
        messages.flatMap(\.push).last { $0.user == user }?.presence
    }
}

extension FederationEngine.Configuration {
    /// The defaults, but for watchdogs that never wake, and servers that never forget.
    public static var unwatched: FederationEngine.Configuration {
        var configuration = FederationEngine.Configuration()
        configuration.shortWatchdog = .hours(24 * 365)
        configuration.longWatchdog = .hours(24 * 365 * 1000)
        configuration.legacyRefresh = .hours(24 * 365)
        return configuration
    }
}
