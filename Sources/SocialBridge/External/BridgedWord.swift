import BridgeEngine
import SocialEngine

/// What a session tells of its life.
public enum BridgedWord: Hashable, Sendable {
    /// The service takes what is said in the user's name.
    case opened
    /// All friends who are not offline.
    case snapshot([FriendSighting])
    /// These changed.
    case changed([FriendSighting])
    /// All that is between the user and others.
    case read(FriendshipReading)
    /// This happened, in this order.
    case happened([FriendshipNews])
}
