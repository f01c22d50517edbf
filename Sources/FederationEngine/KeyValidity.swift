import PresenceModel

/// Until when a server's key document may be relied on, and when to ask for it anew.
///
/// Spec: server-server API, publishing keys: the document's own `valid_until_ts`, capped from the moment it was
/// fetched. A request is good only under a key that holds now; old keys are for events alone.
public struct KeyValidity: Hashable, Sendable {
    /// Not relied on at or after this.
    public let until: Instant
    /// Asked for anew from here on, while the old one still serves.
    public let refetchAfter: Instant

    /// - Parameter limit: the longest time that any document is relied on; the specification says 7 days.
    public init(validUntil: Instant, fetched: Instant, limit: Duration) {
        until = min(validUntil, fetched + limit)
        let life = max(0, until.milliseconds(since: fetched))
        refetchAfter = fetched.advanced(byMilliseconds: life / 2)
    }

    /// Whether the document may be relied on at `now`; false from ``until`` on.
    public func holds(at now: Instant) -> Bool { now < until }
}
