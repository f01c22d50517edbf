import SocialEngine

/// All that is between a user and others at one instant.
public struct StandingFriendships: Hashable, Sendable {
    /// Sorted.
    public var friends: [SocialAddress]
    /// Whom the user asked, in the order in which they did.
    public var outgoing: [FriendRequest]
    /// Who asked the user, in the order in which they did.
    public var incoming: [FriendRequest]
    /// Whom the user blocked. Sorted.
    public var blocked: [SocialAddress]
}
