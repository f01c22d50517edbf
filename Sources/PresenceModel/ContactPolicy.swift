/// Who may open a one-to-one chat.
public enum ContactRule: Hashable, Sendable {
    case anyone
    /// Those on the presence list, in any state but denied.
    case list
    /// Those in one group of the presence list; nobody if there is no such group.
    case group(GroupName)
    case nobody
}

/// A user's answer to "may X open a one-to-one chat with me?", by the state that X could see.
///
/// Who is not seen by anybody, be it because of `offline`, `hidden` or no connected device, answers by ``offline``: the
/// three are not told apart. Seed: presence and permissions.
public struct ContactPolicy: Hashable, Sendable {
    /// While free for chat. Default: anyone.
    public var freeForChat = ContactRule.anyone
    /// While online. Default: the list.
    public var online = ContactRule.list
    /// While busy. Default: nobody, until the user names a group.
    public var busy = ContactRule.nobody
    /// While unavailable by choice. Default: the list.
    public var unavailable = ContactRule.list
    /// While offline to others. Default: the list.
    public var offline = ContactRule.list
    /// Invitations to direct chats that the rules do not allow are left on the user's behalf, where presenced runs beside
    /// a homeserver. Default: no.
    public var refusesInvites = false

    /// The defaults above.
    public init() {}
}
