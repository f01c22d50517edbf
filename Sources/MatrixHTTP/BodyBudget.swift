import MatrixWire
import Synchronization

/// How many bytes of request bodies may be in memory at once, before anybody knows who sent them.
///
/// The first ``smallBytes`` of every body come out of one pot, what goes beyond out of another, of which no single
/// claimed sender may have more than a share. Whoever sends many large bodies, or sends them in somebody's name,
/// thus leaves room for the small ones, which most are. Bytes count as they come: announcing many holds up nobody.
public final class BodyBudget<Key: Hashable & Sendable>: Sendable {
    /// What counts as small, in bytes.
    public static var smallBytes: Int { 64 * 1024 }

    /// The sizes of the pots, in bytes.
    public struct Limits: Hashable, Sendable {
        /// For the first ``BodyBudget/smallBytes`` of each body.
        public var small: Int
        /// For all that goes beyond.
        public var large: Int
        /// Of ``large``, for one sender.
        public var largePerKey: Int

        /// The limits as given.
        public init(small: Int, large: Int, largePerKey: Int) {
            self.small = small
            self.large = large
            self.largePerKey = largePerKey
        }
    }

    private struct Use {
        var small = 0
        var large = 0
        var largeByKey: [Key: Int] = [:]
    }

    private let limits: Limits
    private let use = Mutex(Use())

    /// With empty pots.
    public init(limits: Limits) { self.limits = limits }

    /// The bytes in use: small and large.
    public var used: (small: Int, large: Int) { use.withLock { ($0.small, $0.large) } }

    /// For one body in the name of `key`; to be closed when the body is let go.
    public func open(for key: Key) -> Share { Share(of: self, for: key) }

    /// What one body takes up.
    public final class Share: Sendable {
        private let budget: BodyBudget
        private let key: Key
        private let held = Mutex(0)

        fileprivate init(of budget: BodyBudget, for key: Key) {
            self.budget = budget
            self.key = key
        }

        /// `count` further bytes have come.
        /// - Throws: 429 `M_LIMIT_EXCEEDED`, and takes none.
        public func take(_ count: Int) throws(MatrixErrorBody) {
            let isTaken = held.withLock { held in
                let small = min(held + count, BodyBudget.smallBytes) - min(held, BodyBudget.smallBytes)
                guard budget.reserve(small: small, large: count - small, for: key) else { return false }
                held += count
                return true
            }
            guard isTaken else {
                throw MatrixErrorBody(
                    .limitExceeded, "Too many large requests at once; come again soon.", retryAfterMilliseconds: 1000)
            }
        }

        /// Gives everything back.
        public func close() {
            held.withLock { held in
                let small = min(held, BodyBudget.smallBytes)
                budget.release(small: small, large: held - small, for: key)
                held = 0
            }
        }
    }

    private func reserve(small: Int, large: Int, for key: Key) -> Bool {
        use.withLock { use in
            let ofKey = use.largeByKey[key, default: 0]
            guard use.small + small <= limits.small, use.large + large <= limits.large,
                large == 0 || ofKey + large <= limits.largePerKey
            else { return false }
            use.small += small
            use.large += large
            if large > 0 { use.largeByKey[key] = ofKey + large }
            return true
        }
    }

    private func release(small: Int, large: Int, for key: Key) {
        use.withLock { use in
            use.small -= small
            use.large -= large
            guard large > 0 else { return }
            let left = use.largeByKey[key, default: 0] - large
            use.largeByKey[key] = left > 0 ? left : nil
        }
    }
}
