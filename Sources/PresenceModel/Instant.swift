/// A point on the one time axis of a run: milliseconds since the Unix epoch.
///
/// Only the runtime's clock (or a virtual one) makes instants; within a run they never go back.
public struct Instant: Hashable, Comparable, Sendable {
    /// Milliseconds since 1970-01-01 00:00 UTC.
    public let millisecondsSinceEpoch: Int64

    /// The instant at that count; any value is taken, none is clamped.
    public init(millisecondsSinceEpoch: Int64) {
        self.millisecondsSinceEpoch = millisecondsSinceEpoch
    }

    /// The beginning of the axis; as a stamp it means "never".
    public static let epoch = Instant(millisecondsSinceEpoch: 0)

    /// Later than every instant that a clock gives.
    public static let distantFuture = Instant(millisecondsSinceEpoch: .max / 4)

    /// Earlier comes first.
    public static func < (left: Instant, right: Instant) -> Bool {
        left.millisecondsSinceEpoch < right.millisecondsSinceEpoch
    }

    /// Saturates at ``epoch`` and ``distantFuture``.
    public func advanced(byMilliseconds milliseconds: Int64) -> Instant {
        let (sum, overflow) = millisecondsSinceEpoch.addingReportingOverflow(milliseconds)
        guard !overflow else { return milliseconds < 0 ? .epoch : .distantFuture }
        return Instant(millisecondsSinceEpoch: min(max(sum, 0), Instant.distantFuture.millisecondsSinceEpoch))
    }

    /// Whole milliseconds of `duration` later; saturates at ``epoch`` and ``distantFuture``.
    public func advanced(by duration: Duration) -> Instant {
        advanced(byMilliseconds: duration.inMilliseconds)
    }

    /// Milliseconds from `earlier` to here; negative if `earlier` is later.
    public func milliseconds(since earlier: Instant) -> Int64 {
        millisecondsSinceEpoch - earlier.millisecondsSinceEpoch
    }

    /// As ``advanced(by:)``.
    public static func + (instant: Instant, duration: Duration) -> Instant { instant.advanced(by: duration) }
    /// The time from `right` to `left`; negative if `right` is later.
    public static func - (left: Instant, right: Instant) -> Duration { .milliseconds(left.milliseconds(since: right)) }
}

extension Instant: CustomStringConvertible {
    /// The count with its unit, as in `1700000000000 ms`.
    public var description: String { "\(millisecondsSinceEpoch) ms" }
}

extension Duration {
    /// Whole milliseconds, rounded towards zero.
    public var inMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }

    /// `count` minutes of 60 seconds.
    public static func minutes(_ count: Int) -> Duration { .seconds(60 * count) }
    /// `count` hours of 3600 seconds.
    public static func hours(_ count: Int) -> Duration { .seconds(3600 * count) }
}
