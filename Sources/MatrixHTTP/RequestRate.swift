import MatrixWire
import PresenceModel
import Synchronization

/// How often one user, or one server, may ask for something: a bucket for each that fills at a steady rate.
///
/// Past the limit: 429 with the wait. At most ``keysLimit`` buckets are kept; past that, full ones are dropped, and
/// if none is full everyone begins anew.
public final class RequestRate<Key: Hashable & Sendable>: Sendable {
    /// The most buckets kept.
    public static var keysLimit: Int { 100_000 }

    private struct Bucket {
        var tokens: Double
        var filled: Instant
    }

    private let perSecond: Double
    private let burst: Double
    private let now: @Sendable () -> Instant
    private let buckets = Mutex<[Key: Bucket]>([:])

    /// - Parameters:
    ///   - perSecond: 0 for no limit.
    ///   - burst: requests at once after a quiet time; at least 1.
    public init(perSecond: Double, burst: Int, now: @escaping @Sendable () -> Instant) {
        self.perSecond = perSecond
        self.burst = Double(max(burst, 1))
        self.now = now
    }

    /// - Throws: 429 `M_LIMIT_EXCEEDED`.
    public func take(for key: Key) throws(MatrixErrorBody) {
        guard perSecond > 0 else { return }
        let instant = now()
        let wait = buckets.withLock { buckets -> Double? in
            if buckets.count >= RequestRate.keysLimit { makeRoom(&buckets, at: instant) }
            var bucket = refill(buckets[key] ?? Bucket(tokens: burst, filled: instant), at: instant)
            defer { buckets[key] = bucket }
            guard bucket.tokens < 1 else {
                bucket.tokens -= 1
                return nil
            }
            return (1 - bucket.tokens) / perSecond
        }
        if let wait {
            throw MatrixErrorBody(
                .limitExceeded, "Too many requests", retryAfterMilliseconds: Int64((wait * 1000).rounded(.up)))
        }
    }

    private func refill(_ bucket: Bucket, at instant: Instant) -> Bucket {
        let seconds = Double(instant.milliseconds(since: bucket.filled)) / 1000
        return Bucket(tokens: min(burst, bucket.tokens + seconds * perSecond), filled: instant)
    }

    private func makeRoom(_ buckets: inout [Key: Bucket], at instant: Instant) {
        buckets = buckets.filter { refill($0.value, at: instant).tokens < burst }
        if buckets.count >= RequestRate.keysLimit { buckets.removeAll() }
    }
}
