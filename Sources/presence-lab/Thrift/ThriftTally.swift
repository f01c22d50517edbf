import PresenceTestKit

/// What went over the network, and how late it was.
struct ThriftTally: Sendable {
    var transactions: UInt64 = 0
    var edus: UInt64 = 0
    var states: UInt64 = 0
    var bodyBytes: UInt64 = 0
    /// Request lines, headers and answers.
    var aroundBytes: UInt64 = 0
    var staleness = ThriftStaleness()
    var digest = EffectDigest()

    var bytes: UInt64 { bodyBytes + aroundBytes }

    /// Text that two runs of one seed share, and no others.
    var fingerprint: String {
        var digest = digest
        for number in [transactions, edus, states, bodyBytes, aroundBytes] { digest.mix(number) }
        staleness.mix(into: &digest)
        let digits = String(digest.value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// From the change of a user at home until an observer's server shows it, for every observer who is connected.
struct ThriftStaleness: Sendable {
    private static let bucketMilliseconds: Int64 = 10
    private static let buckets = 400_000

    private var counts = [UInt64](repeating: 0, count: ThriftStaleness.buckets + 1)
    private(set) var shown: UInt64 = 0
    private(set) var longestMilliseconds: Int64 = 0
    /// Another change came first, or the user was back at what is shown.
    var superseded: UInt64 = 0
    /// The observers went away first, or the run ended.
    var unseen: UInt64 = 0

    mutating func note(_ milliseconds: Int64, observers: UInt64) {
        shown += observers
        longestMilliseconds = max(longestMilliseconds, milliseconds)
        let bucket = Int(milliseconds / ThriftStaleness.bucketMilliseconds)
        counts[min(bucket, ThriftStaleness.buckets)] += observers
    }

    /// - Parameter share: 0.5 for the median.
    func seconds(_ share: Double) -> Double {
        let wanted = UInt64(Double(shown) * share)
        var sum: UInt64 = 0
        for (bucket, count) in counts.enumerated() {
            sum += count
            if sum > wanted { return Double(Int64(bucket) * ThriftStaleness.bucketMilliseconds) / 1000 }
        }
        return 0
    }

    var supersededShare: Double {
        let all = shown + superseded + unseen
        return all == 0 ? 0 : Double(superseded) / Double(all)
    }

    func mix(into digest: inout EffectDigest) {
        digest.mix(shown)
        digest.mix(superseded)
        digest.mix(unseen)
        for (bucket, count) in counts.enumerated() where count > 0 {
            digest.mix(UInt64(bucket))
            digest.mix(count)
        }
    }
}
