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
    public mutating func listen(on key: DeviceKey) -> StreamID {
        streamCount += 1
        perform(.streamOpened(StreamID(streamCount), key))
        return StreamID(streamCount)
    }

    /// Two users put each other on their lists, as far as they are users of this server.
    public mutating func befriend(_ one: UserID, _ other: UserID) {
        if one.isHosted(by: engine.server) { perform(.entryAdded(observer: one, observed: other)) }
        if other.isHosted(by: engine.server) { perform(.entryAdded(observer: other, observed: one)) }
    }

    /// What others may see of a user, if anything is known.
    public func presence(of user: UserID) -> Presence? {
        guard case .known(let presence)? = engine.knowledge(of: user) else { return nil }
        return presence
    }

    /// The state of ``presence(of:)``.
    public func state(of user: UserID) -> PublishedState? { presence(of: user)?.state }

    /// What was saved, as the rows that a store would hold.
    public var saved: PresenceEngine.Snapshot {
        var statuses: [UserID: StoredStatus] = [:]
        var entries: [[UserID]] = []
        var remotes: [UserID: StoredRemote] = [:]
        for case .save(let record) in effects {
            switch record {
            case .status(let user, let status): statuses[user] = status
            case .entry(let observer, let observed): entries.append([observer, observed])
            case .entryRemoved(let observer, let observed): entries.removeAll { $0 == [observer, observed] }
            case .remote(let user, let remote): remotes[user] = remote
            }
        }
        var snapshot = PresenceEngine.Snapshot()
        snapshot.statuses = statuses.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        snapshot.entries = entries.map { ($0[0], $0[1]) }
        snapshot.remotes = remotes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        return snapshot
    }
}
