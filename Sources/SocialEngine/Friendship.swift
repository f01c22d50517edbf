import PresenceModel

/// What is between two users: the one row that says it, also to other processes of the same population.
public struct Friendship: Hashable, Sendable {
    /// Where the two stand. Next: see ``Friendship/after(_:by:at:)``.
    public enum State: Hashable, Sendable {
        /// There never was anything but, perhaps, a block. Next: requested.
        case none
        /// One asked, the other did not answer. Next: friends, ended.
        case requested(by: SocialPair.Side)
        /// Next: ended.
        case friends
        /// A friendship or a request that is over. Next: requested.
        case ended
    }

    /// Where the two stand.
    public var state = State.none
    /// Since when; the epoch if never.
    public var since = Instant.epoch
    /// What was said with an open request.
    public var message: String?
    /// How often the lower one blocked and unblocked the other: blocked while odd. It only grows, so that of two counts
    /// the larger is the later.
    public var blocksByLow: Int64 = 0
    /// The same for the higher one.
    public var blocksByHigh: Int64 = 0
    /// Who acted last.
    public var actor = SocialPair.Side.low
    /// When that was.
    public var actedAt = Instant.epoch
    /// The room of the friendship, which outlives it; `nil` if none was made yet.
    public var room: RoomID?
    /// This process is to see to a room. Says nothing to other processes.
    public var isRoomWanted = false
    /// Counts what happened between the two.
    public var revision: Int64 = 0
    /// The process that ``revision`` is of.
    public var origin: UInt64 = 0

    /// Nothing between the two.
    public init() {}

    /// Whether that one blocks the other.
    public func isBlocked(by side: SocialPair.Side) -> Bool {
        (side == .low ? blocksByLow : blocksByHigh) % 2 == 1
    }

    /// Whether either blocks the other.
    public var isBlocked: Bool { isBlocked(by: .low) || isBlocked(by: .high) }

    mutating func countBlock(by side: SocialPair.Side) {
        switch side {
        case .low: blocksByLow += 1
        case .high: blocksByHigh += 1
        }
    }
}

/// Something that happened between two users, for the history.
public struct FriendshipEvent: Hashable, Sendable {
    /// Between whom.
    public var pair: SocialPair
    /// Who did it.
    public var actor: SocialPair.Side
    /// What they did.
    public var action: FriendshipAction
    /// When.
    public var at: Instant
    /// The friendship's revision after it.
    public var revision: Int64

    /// An event as given.
    public init(
        pair: SocialPair, actor: SocialPair.Side, action: FriendshipAction, at: Instant, revision: Int64
    ) {
        self.pair = pair
        self.actor = actor
        self.action = action
        self.at = at
        self.revision = revision
    }
}
