/// One connection of a user, unique within a run.
public struct SocialSessionID: Hashable, Comparable, Sendable {
    /// Counted from 1.
    public let number: UInt64

    /// The session of that number.
    public init(_ number: UInt64) { self.number = number }

    /// The bridge of this process, for all its users. It holds them online to their friends, and does not count as
    /// their being in the world. Connections are counted from 1 and never come here.
    public static let bridge = SocialSessionID(.max)

    /// Older first.
    public static func < (left: SocialSessionID, right: SocialSessionID) -> Bool { left.number < right.number }
}

/// A subscription to presence or to friendships, unique within a run.
public struct SocialSubscriptionID: Hashable, Comparable, Sendable {
    /// Counted from 1.
    public let number: UInt64

    /// The subscription of that number.
    public init(_ number: UInt64) { self.number = number }

    /// Older first.
    public static func < (left: SocialSubscriptionID, right: SocialSubscriptionID) -> Bool {
        left.number < right.number
    }
}

/// Somebody who asked for something and waits for the answer, unique within a run.
public struct SocialTicket: Hashable, Sendable {
    /// Counted from 1.
    public let number: UInt64

    /// The ticket of that number.
    public init(_ number: UInt64) { self.number = number }
}

/// One element of a subscription to friends' presence.
public struct PresenceBatch: Hashable, Sendable {
    /// Sorted by friend.
    public var sightings: [FriendSighting]
    /// How friends are, not what just happened.
    public var isSnapshot: Bool
    /// The snapshot goes on in the next batch.
    public var hasMore: Bool

    /// A batch as given.
    public init(sightings: [FriendSighting], isSnapshot: Bool, hasMore: Bool) {
        self.sightings = sightings
        self.isSnapshot = isSnapshot
        self.hasMore = hasMore
    }
}
