import PresenceEngine
import PresenceModel

/// A presence engine with a virtual clock: every deadline is met to the millisecond, and all effects are kept.
public struct PresenceBench: Sendable {
    /// The engine, for questions.
    public private(set) var engine: PresenceEngine
    /// The virtual clock.
    public private(set) var now: Instant
    /// All effects so far, or since they were last cleared.
    public var effects: [PresenceEngine.Effect] = []
    private var streamCount: UInt64 = 0

    /// An engine of ``here()``, started from what was saved.
    public init(
        _ configuration: PresenceEngine.Configuration = PresenceEngine.Configuration(),
        from snapshot: PresenceEngine.Snapshot = PresenceEngine.Snapshot(),
        at start: Instant = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
    ) throws {
        engine = PresenceEngine(server: try here(), configuration: configuration)
        now = start
        engine.restore(snapshot, at: start)
        perform(.started)
    }

    /// One event; its effects are also kept.
    @discardableResult
    public mutating func perform(_ event: PresenceEngine.Event) -> [PresenceEngine.Effect] {
        let new = engine.handle(event, at: now)
        effects += new
        return new
    }

    /// Lets time pass.
    ///
    /// - Returns: the effects of the deadlines on the way.
    @discardableResult
    public mutating func pass(_ duration: Duration) -> [PresenceEngine.Effect] {
        let end = now + duration
        let count = effects.count
        var rounds = 0
        while let deadline = engine.nextDeadline, deadline <= end {
            rounds += 1
            precondition(rounds < 100_000, "the deadlines until \(end) do not end")
            now = max(now, deadline)
            perform(.deadlineReached)
        }
        now = end
        return Array(effects[count...])
    }

    /// Opens a stream on a device.
    public mutating func listen(on key: DeviceKey, _ set: SetPresence = .online) -> StreamID {
        streamCount += 1
        perform(.streamOpened(StreamID(streamCount), key, set))
        return StreamID(streamCount)
    }

    /// Puts `observed` on the list of a local user.
    @discardableResult
    public mutating func add(
        _ observed: UserID, to observer: UserID, note: String? = nil, acl: String? = nil
    ) -> [PresenceEngine.Effect] {
        perform(.entryAdded(observer: observer, observed: observed, note: note, acl: acl))
    }

    /// Two users put each other on their lists, and let each other see them. What a user of another server has to do
    /// with it, that server says at once.
    public mutating func befriend(_ one: UserID, _ other: UserID) {
        for user in [one, other] where user.isHosted(by: engine.server) { perform(.userKnown(user)) }
        for (observer, observed) in [(one, other), (other, one)] {
            if observer.isHosted(by: engine.server) {
                add(observed, to: observer)
            } else {
                perform(.permissionReceived(PermissionMessage(.invite, observed: observed, observer: observer)))
            }
        }
        for (observer, observed) in [(one, other), (other, one)] where observer.isHosted(by: engine.server) {
            guard !observed.isHosted(by: engine.server) else { continue }
            perform(.permissionReceived(PermissionMessage(.accept, observed: observed, observer: observer)))
        }
    }

    /// Puts users into a room.
    public mutating func gather(_ users: [UserID], in room: RoomID) {
        for user in users { perform(.roomJoined(user, room)) }
    }

    /// What others may see of a user, if anything is known.
    public func presence(of user: UserID) -> Presence? {
        guard case .known(let presence)? = engine.knowledge(of: user) else { return nil }
        return presence
    }

    /// The state of ``presence(of:)``.
    public func state(of user: UserID) -> PublishedState? { presence(of: user)?.state }

    /// Where an entry of a local user's list stands; `nil` if there is none.
    public func entry(of observed: UserID, on observer: UserID) -> EntryState? {
        engine.list(of: observer).first { $0.user == observed }?.entry.state
    }

    /// What was saved, as the rows that a store would hold.
    public var saved: PresenceEngine.Snapshot {
        var rows = PresenceRows()
        for case .save(let record) in effects { rows.write(record) }
        return rows.snapshot
    }
}
