import PresenceModel

/// The body of `PUT /_matrix/app/v1/transactions/{txnId}`, as far as membership, activity and presence are concerned.
///
/// Spec: application service API, pushing events. What is read of an event is read without the rest of it: an event of
/// any depth or oddity costs none of its neighbours.
public struct ApplicationTransaction: Hashable, Sendable {
    /// Room events in their order, those left out that could not be read.
    public var events: [ApplicationEvent] = []
    /// Who is typing, and who read something, as far as it is told.
    public var signs: [ActivitySign] = []
    /// How users are, in the order of the events; at most ``presencesLimit``, the others are left out.
    public var presences: [PresencePush] = []
    /// Events that were left out: without room, sender or type that could be read; and members without a state.
    public var malformedCount = 0

    /// Homeservers send a hundred.
    public static let presencesLimit = 10_000

    /// Nothing happened.
    public init() {}

    /// - Throws: 400 if it is no object, or `events` no array: nothing of it could be trusted.
    public static func decode(_ body: [UInt8]) throws(MatrixErrorBody) -> ApplicationTransaction {
        let transaction = body.withUnsafeBufferPointer { bytes in
            ApplicationTransactionReader(JSONSkim(bytes: bytes)).transaction()
        }
        guard let transaction else { throw .contentNotJSON }
        return transaction
    }
}

/// What one room event says of who is where, and who did something.
public struct ApplicationEvent: Hashable, Sendable {
    /// What it is about.
    public enum Kind: Hashable, Sendable {
        /// `m.room.member`: whose membership became what. `isDirect`: an invitation to a direct chat.
        case member(UserID, Membership, isDirect: Bool)
        /// A message, a reaction or the like; `isAutomatic` where it says of itself that no person sent it here.
        case message(isAutomatic: Bool)
        /// Everything else.
        case other
    }

    /// `m.room.member`, `membership`.
    public enum Membership: String, Hashable, Sendable, CaseIterable {
        case join, leave, ban, invite, knock
    }

    /// `nil` where there is none, as in old versions of rooms none was.
    public var id: String?
    /// The event of the same state before it, as our homeserver saw it.
    public var replaces: String?
    /// Where.
    public var room: RoomID
    /// Who sent it.
    public var sender: UserID
    /// What it is about.
    public var kind: Kind
    /// How old it was when it was handed over; `nil` if that is not told.
    public var ageMilliseconds: Int64?
    /// The sender's homeserver's stamp.
    public var sentMilliseconds: Int64?

    /// An event as given.
    public init(
        id: String?, replaces: String? = nil, room: RoomID, sender: UserID, kind: Kind, ageMilliseconds: Int64? = nil,
        sentMilliseconds: Int64? = nil
    ) {
        self.id = id
        self.replaces = replaces
        self.room = room
        self.sender = sender
        self.kind = kind
        self.ageMilliseconds = ageMilliseconds
        self.sentMilliseconds = sentMilliseconds
    }
}

/// Somebody did something that is no event of a room: they type, or read.
public struct ActivitySign: Hashable, Sendable {
    /// Who; of any server.
    public var user: UserID
    /// When, by the homeserver's clock; `nil` for now.
    public var atMilliseconds: Int64?

    /// A sign as given.
    public init(user: UserID, atMilliseconds: Int64?) {
        self.user = user
        self.atMilliseconds = atMilliseconds
    }
}

/// Who is in a room, as homeservers tell: `{"joined":{user:…}}` or `{"members":[user]}`.
///
/// Spec: client-server API, `joined_members`; Synapse's admin API, room members.
public enum RoomMemberList {
    /// Users whose names cannot be read are left out.
    /// - Returns: in the order of the document; `nil` if it is neither.
    public static func decode(_ body: [UInt8]) -> [UserID]? {
        body.withUnsafeBufferPointer { bytes in
            let skim = JSONSkim(bytes: bytes)
            var users: [UserID]?
            let isObject = skim.members(of: skim.whole) { key, value in
                var found: [UserID] = []
                func take(_ text: String?) {
                    if let user = text.flatMap({ try? UserID(parsing: $0) }) { found.append(user) }
                }
                if skim.holds("joined", at: key) {
                    if skim.members(of: value, { name, _ in take(skim.key(name)) }) { users = found }
                } else if skim.holds("members", at: key) {
                    if skim.elements(of: value, { take(skim.text($0)) }) { users = found }
                }
            }
            return isObject ? users : nil
        }
    }
}
