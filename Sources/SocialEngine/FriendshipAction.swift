import PresenceModel

/// What one user does about another.
public enum FriendshipAction: Hashable, Sendable {
    /// Asks to be friends, with a message of at most ``SocialEngine/Configuration/messageLimitBytes``.
    case request(message: String?)
    /// Agrees to the other's request.
    case accept
    /// Declines the other's request.
    case reject
    /// Takes back an own request.
    case cancel
    /// Ends the friendship.
    case delete
    /// Ends what there is between the two, and hides both from each other, until ``unblock``.
    case block
    /// Takes back an own block.
    case unblock
}

/// A request that nobody has answered.
public struct FriendRequest: Hashable, Sendable {
    /// The other side: who asked, or who was asked.
    public var other: SocialAddress
    /// When it was made.
    public var createdAt: Instant
    /// What was said with it.
    public var message: String?

    /// A request as given.
    public init(other: SocialAddress, createdAt: Instant, message: String?) {
        self.other = other
        self.createdAt = createdAt
        self.message = message
    }
}

/// How much of a user their friends see.
public enum SocialPrivacy: String, Hashable, Sendable, CaseIterable {
    /// State, position and realm.
    case full
    /// The state alone.
    case stateOnly = "state_only"
    /// Nothing: offline.
    case hidden
}

/// How a friend is.
public enum FriendState: String, Hashable, Sendable {
    case online, away, offline
}

/// Where a user is in the world.
public struct Whereabouts: Hashable, Sendable {
    /// A name, a world, or a URL; at most 255 bytes.
    public var realm: String?
    /// The parcel's coordinates, if known.
    public var parcel: Parcel?

    /// A parcel.
    public struct Parcel: Hashable, Sendable {
        /// West to east.
        public var x: Int32
        /// South to north.
        public var y: Int32

        /// The parcel at those coordinates.
        public init(x: Int32, y: Int32) {
            self.x = x
            self.y = y
        }
    }

    /// Whereabouts as given.
    public init(realm: String?, parcel: Parcel?) {
        self.realm = realm
        self.parcel = parcel
    }
}

/// What a subscriber is told of one friend.
public struct FriendSighting: Hashable, Sendable {
    /// Whom it is about.
    public var friend: SocialAddress
    /// How they are.
    public var state: FriendState
    /// `nil` if not known, or not for friends.
    public var whereabouts: Whereabouts?

    /// A sighting as given.
    public init(friend: SocialAddress, state: FriendState, whereabouts: Whereabouts?) {
        self.friend = friend
        self.state = state
        self.whereabouts = whereabouts
    }
}

/// What a subscriber is told of friendships, in the order in which it happened.
public struct FriendshipNews: Hashable, Sendable {
    /// What happened.
    public enum Body: Hashable, Sendable {
        /// One of the two did something about the other.
        case acted(FriendshipAction, at: Instant)
        /// The Matrix room of the friendship is known.
        case room(RoomID)
    }

    /// The other user, from the subscriber's point of view.
    public var other: SocialAddress
    /// The subscriber did it themself, maybe on another connection.
    public var isOwn: Bool
    /// What happened.
    public var body: Body

    /// News as given.
    public init(other: SocialAddress, isOwn: Bool, body: Body) {
        self.other = other
        self.isOwn = isOwn
        self.body = body
    }
}

/// Why an action was refused; nothing changed then.
public enum FriendshipRefusal: Error, Hashable, Sendable {
    /// The pair is not in a state that allows it.
    case transition
    /// The pair is, but it is the other one's turn.
    case actingUser(FriendshipAction)
    /// There is nothing between the two that it could be about.
    case unknownPair
    case toOneself
    /// One of the two blocked the other; who is not said.
    case blocked
    /// The actor, or the other, has as many friends as may be.
    case tooManyFriends
    /// The actor has as many open requests as may be, or the other is asked by as many.
    case tooManyRequests
    /// The actor blocks as many as may be.
    case tooManyBlocked
    /// The actor asked, or blocked, or chose a privacy, more often within the hour than may be.
    case tooOften
    case messageTooLong
    /// It could not be written; nothing changed.
    case notStored
}
