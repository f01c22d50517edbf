/// Two different users, whichever of them is named first.
public struct SocialPair: Hashable, Comparable, Sendable {
    /// One of the two.
    public enum Side: String, Hashable, Sendable, CaseIterable {
        case low, high

        /// The other one.
        public var opposite: Side { self == .low ? .high : .low }
    }

    /// The one whose address comes first.
    public let low: SocialAddress
    /// The other one.
    public let high: SocialAddress

    /// - Returns: `nil` if both are the same.
    public init?(_ one: SocialAddress, _ other: SocialAddress) {
        guard one != other else { return nil }
        (low, high) = one < other ? (one, other) : (other, one)
    }

    /// The address on that side.
    public subscript(side: Side) -> SocialAddress { side == .low ? low : high }

    /// By the lower address, then by the higher one.
    public static func < (left: SocialPair, right: SocialPair) -> Bool {
        left.low != right.low ? left.low < right.low : left.high < right.high
    }
}
