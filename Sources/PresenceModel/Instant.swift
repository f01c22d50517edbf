/// A point on the one time axis of a run: milliseconds since the Unix epoch.
///
/// Only the runtime's clock (or a virtual one) makes instants; within a run they never go back.
public struct Instant: Hashable, Comparable, Sendable {
    public let millisecondsSinceEpoch: Int64

    public init(millisecondsSinceEpoch: Int64) {
        self.millisecondsSinceEpoch = millisecondsSinceEpoch
    }

    /// The beginning of the axis; as a stamp it means "never".
    public static let epoch = Instant(millisecondsSinceEpoch: 0)

    /// Later than every instant that a clock gives.
    public static let distantFuture = Instant(millisecondsSinceEpoch: .max / 4)

    public static func < (left: Instant, right: Instant) -> Bool {
        left.millisecondsSinceEpoch < right.millisecondsSinceEpoch
    }

    /// Saturates at ``epoch`` and ``distantFuture``.
    public func advanced(byMilliseconds milliseconds: Int64) -> Instant {
        let (sum, overflow) = millisecondsSinceEpoch.addingReportingOverflow(milliseconds)
        guard !overflow else { return milliseconds < 0 ? .epoch : .distantFuture }
        return Instant(millisecondsSinceEpoch: min(max(sum, 0), Instant.distantFuture.millisecondsSinceEpoch))
    }

    public func advanced(by duration: Duration) -> Instant {
        advanced(byMilliseconds: duration.inMilliseconds)
    }

    /// Milliseconds from `earlier` to here; negative if `earlier` is later.
    public func milliseconds(since earlier: Instant) -> Int64 {
        millisecondsSinceEpoch - earlier.millisecondsSinceEpoch
    }

    public static func + (instant: Instant, duration: Duration) -> Instant { instant.advanced(by: duration) }
    public static func - (left: Instant, right: Instant) -> Duration { .milliseconds(left.milliseconds(since: right)) }
}

extension Instant: CustomStringConvertible {
    public var description: String { "\(millisecondsSinceEpoch) ms" }
}

extension Duration {
    /// Whole milliseconds, rounded towards zero.
    public var inMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }

    public static func minutes(_ count: Int) -> Duration { .seconds(60 * count) }
    public static func hours(_ count: Int) -> Duration { .seconds(3600 * count) }
}
