import PresenceModel

/// How long to wait before the next attempt to connect: longer with each that failed, and never as long as others.
public struct ReconnectPause: Hashable, Sendable {
    /// After the first failure.
    public var first = Duration.seconds(1)
    /// After each further one that many times as long.
    public var factor = 2.0
    /// No longer than this, but for the jitter.
    public var limit = Duration.minutes(1)
    /// The share that is added or taken away, 0 to 1.
    public var jitter = 0.2

    /// 1 s, doubling to 1 min, ±20 %.
    public init() {}

    /// The pause after `failures` attempts in a row failed, at least one.
    public func duration(afterFailures failures: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        var milliseconds = Double(first.inMilliseconds)
        let limit = Double(limit.inMilliseconds)
        for _ in 1..<max(failures, 1) where milliseconds < limit { milliseconds *= factor }
        let share = Double.random(in: -1...1, using: &generator) * jitter
        return .milliseconds(Int64(min(milliseconds, limit) * (1 + share)))
    }
}
