import PresenceModel
import SocialEngine

/// What a subscriber to friends' presence is told.
public enum PresenceUpdate: Hashable, Sendable {
    /// All friends who are there now; forget what was told before. Comes first, and after every reconnection.
    case snapshot([FriendSighting])
    /// These changed.
    case changed([FriendSighting])
    /// The connection is lost: nobody's presence is known until the next snapshot.
    case lost(SocialClientError)
}

/// What a subscriber to friendships is told.
public enum FriendshipUpdate: Hashable, Sendable {
    /// How things are now; forget what was told before. Comes first, and after every reconnection.
    case snapshot(Friendships)
    /// This happened, in this order.
    case happened([FriendshipNews])
    /// The connection is lost: what happens meanwhile is in the next snapshot.
    case lost(SocialClientError)
}

/// What whoever follows both is told.
public enum SocialUpdate: Hashable, Sendable {
    case presence(PresenceUpdate)
    case friendships(FriendshipUpdate)
}

/// Who is friends with a user, and who would be.
public struct Friendships: Hashable, Sendable {
    /// In the service's order.
    public var friends: [SocialAddress]
    /// Whom the user asked.
    public var outgoing: [FriendRequest]
    /// Who asked the user.
    public var incoming: [FriendRequest]
    /// Whom the user blocked, where that was asked for.
    public var blocked: [SocialAddress]

    /// Friendships as given.
    public init(
        friends: [SocialAddress], outgoing: [FriendRequest], incoming: [FriendRequest], blocked: [SocialAddress] = []
    ) {
        self.friends = friends
        self.outgoing = outgoing
        self.incoming = incoming
        self.blocked = blocked
    }
}
