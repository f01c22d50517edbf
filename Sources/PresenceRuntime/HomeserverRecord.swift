import PresenceModel

/// One row of what is kept of the homeserver that presenced runs beside; the latest for a key wins. The key is everything
/// before the last value.
public enum HomeserverRecord: Hashable, Sendable {
    /// The members of a room were fetched at that time, and events of it are heard since.
    case roomListed(RoomID, Instant)
    /// The members of a room are not known, or nobody here is in it.
    case roomForgotten(RoomID)
    /// An invitation is to be left on the invited user's behalf.
    case inviteRefused(UserID, RoomID, Instant)
    /// It was left, or there is none any more.
    case inviteSettled(UserID, RoomID)
    /// All rooms of the homeserver were listed; what came later was heard of.
    case roomsListed(Instant)
}

/// Everything of ``HomeserverRecord`` that was saved.
public struct HomeserverSnapshot: Sendable {
    /// Rooms whose members were fetched, and when.
    public var rooms: [(room: RoomID, listed: Instant)] = []
    /// Invitations that are still to be left, and since when.
    public var refusedInvites: [(user: UserID, room: RoomID, since: Instant)] = []
    /// When all rooms were listed; `nil` if they were not.
    public var roomsListed: Instant?

    /// Nothing saved: a first start.
    public init() {}
}
