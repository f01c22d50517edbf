import MatrixWire
import PresenceModel
import Synchronization

/// How often one user may change something: a bucket for each user that fills at a steady rate.
///
/// Past the limit: 429 with the wait. At most ``usersLimit`` buckets are kept; past that, full ones are dropped, and
/// if none is full everyone begins anew.
final class PutRate: Sendable {
    static let usersLimit = 100_000

    private struct Bucket {
        var tokens: Double
        var filled: Instant
    }

    private let perSecond: Double
    private let burst: Double
    private let now: @Sendable () -> Instant
    private let buckets = Mutex<[UserID: Bucket]>([:])

    /// - Parameter perSecond: 0 for no limit.
    init(perSecond: Double, burst: Int, now: @escaping @Sendable () -> Instant) {
        self.perSecond = perSecond
        self.burst = Double(max(burst, 1))
        self.now = now
    }

    /// - Throws: 429 `M_LIMIT_EXCEEDED`.
    func take(for user: UserID) throws(MatrixErrorBody) {
        guard perSecond > 0 else { return }
        let instant = now()
        let wait = buckets.withLock { buckets -> Double? in
            if buckets.count >= PutRate.usersLimit { makeRoom(&buckets, at: instant) }
            var bucket = refill(buckets[user] ?? Bucket(tokens: burst, filled: instant), at: instant)
            defer { buckets[user] = bucket }
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

    private func makeRoom(_ buckets: inout [UserID: Bucket], at instant: Instant) {
        buckets = buckets.filter { refill($0.value, at: instant).tokens < burst }
        if buckets.count >= PutRate.usersLimit { buckets.removeAll() }
    }
}
