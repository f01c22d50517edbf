import PresenceModel

/// Who is what, who may see it, and who wants to know: one server's users, their devices and their watch lists.
///
/// A value with one door, ``handle(_:at:into:)``. It has no clock; `now` comes with every event and never goes back.
/// What other servers are told is decided by `FederationEngine`; this engine says which of its decisions concern them.
public struct PresenceEngine: Sendable {
    /// This server: users hosted by it are local.
    public let server: ServerName
    /// Fixed for the engine's life.
    public let configuration: Configuration

    let limits: UserRecord.Limits

    var users: [UserRecord] = []
    var numbers: [UserID: Int] = [:]
    var streams: [StreamID: StreamRecord] = [:]
    var deadlines = DeadlineQueue()
    private var latest = Instant.epoch

    /// The version that the next change gets. Versions rise by one with every change that an observer could see.
    public internal(set) var version: UInt64 = 0

    /// An engine that knows no user; ``restore(_:at:)`` brings back those that were saved.
    public init(server: ServerName, configuration: Configuration = Configuration()) {
        self.server = server
        self.configuration = configuration
        limits = UserRecord.Limits(configuration)
    }

    /// When ``Event/deadlineReached`` has something to do; an early, late or doubled one does no harm.
    public var nextDeadline: Instant? { deadlines.next }

    /// The one door: takes what happened, appends what follows from it.
    ///
    /// Identifiers in `event` belong to this server where the event says "local"; a foreign one there is a
    /// programmer's error.
    public mutating func handle(_ event: Event, at now: Instant, into effects: inout [Effect]) {
        precondition(now >= latest, "time ran backwards: \(latest), \(now)")
        latest = now
        switch event {
        case .started:
            start(at: now, into: &effects)
        case .statusChosen(let key, let state, let text):
            choose(state, text, on: key, at: now, into: &effects)
        case .deviceSeen(let key):
            touch(key, isActive: false, at: now, into: &effects)
        case .deviceActed(let key):
            touch(key, isActive: true, at: now, into: &effects)
        case .deviceRevoked(let key):
            revoke(key, at: now, into: &effects)
        case .streamOpened(let stream, let key):
            open(stream, on: key, at: now, into: &effects)
        case .streamClosed(let stream):
            close(stream, at: now, into: &effects)
        case .entryAdded(let observer, let observed):
            addEntry(observer: observer, observed: observed, at: now, into: &effects)
        case .entryRemoved(let observer, let observed):
            removeEntry(observer: observer, observed: observed, at: now, into: &effects)
        case .remoteReported(let user, let presence, let goodUntil):
            learn(presence, of: user, goodUntil: goodUntil, at: now, into: &effects)
        case .remoteLapsed(let user):
            if let number = numbers[user] { lapse(number, at: now, into: &effects) }
        case .deadlineReached:
            while let number = deadlines.popDue(at: now) { age(number, at: now, into: &effects) }
        }
    }

    /// As ``handle(_:at:into:)``, for callers who want a list of their own.
    public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
        var effects: [Effect] = []
        handle(event, at: now, into: &effects)
        return effects
    }

    /// The number of `user`, who is taken in if need be.
    mutating func intern(_ user: UserID) -> Int {
        if let number = numbers[user] { return number }
        let number = users.count
        users.append(UserRecord(id: user, isLocal: user.isHosted(by: server)))
        numbers[user] = number
        return number
    }

    private mutating func start(at now: Instant, into effects: inout [Effect]) {
        for number in users.indices {
            restoreAudience(of: number, into: &effects)
            guard users[number].isLocal else { continue }
            refresh(number, at: now, occasion: .restarted, into: &effects)
            updateInterest(of: number, into: &effects)
        }
    }

    private mutating func age(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        if users[number].isLocal {
            refresh(number, at: now, into: &effects)
            updateInterest(of: number, into: &effects)
        } else if let goodUntil = users[number].goodUntil, goodUntil <= now {
            lapse(number, at: now, into: &effects)
        }
    }
}
