extension Presence {
    /// How long ago the user was active, as far as others may know: whole steps of `granularity`, and for who is
    /// offline whole minutes, hours or days as the age grows. `nil` for a user who was never active.
    public func coarseAgeMilliseconds(at now: Instant, granularityMilliseconds: Int64) -> Int64? {
        guard let lastActive else { return nil }
        let age = max(0, now.milliseconds(since: lastActive))
        var step = max(1, granularityMilliseconds)
        if state == .offline {
            let hour: Int64 = 3_600_000
            if age >= 24 * hour { step = max(step, 24 * hour) } else if age >= hour { step = max(step, hour) }
        }
        return age / step * step
    }
}
