import PresenceModel

/// A few values that were said lately, each until it no longer matters. Past ``limit`` the one said longest ago goes.
struct Recollection<Value: Hashable & Sendable>: Sendable {
    static var limit: Int { 8 }

    private var entries: [(value: Value, until: Instant)] = []

    /// The one said longest ago first.
    var values: [Value] { entries.map(\.value) }

    /// Remembers `value`; returns whether the values are others now.
    mutating func note(_ value: Value, until: Instant) -> Bool {
        if let last = entries.last, last.value == value {
            entries[entries.count - 1].until = max(last.until, until)
            return false
        }
        let isNew = !entries.contains { $0.value == value }
        entries.removeAll { $0.value == value }
        entries.append((value, until))
        if entries.count > Self.limit { entries.removeFirst() }
        return isNew
    }

    /// Until when `value` matters; `nil` if not at `now`.
    func end(of value: Value, at now: Instant) -> Instant? {
        entries.last { $0.value == value && $0.until > now }?.until
    }
}
