import PresenceModel

/// Who came into which room, as the answer to a sync shows it: what the last membership event of each member in the
/// answer says, unless it only changes a join (a name, an avatar) that was there before.
///
/// Facts: section 2.4, newly joined rooms.
public struct SyncJoins: Sendable {
    /// One member of one room.
    public struct Join: Hashable, Sendable {
        /// Who joined.
        public var user: UserID
        /// Where.
        public var room: RoomID

        /// - Parameters:
        ///   - user: who joined.
        ///   - room: where.
        public init(user: UserID, room: RoomID) {
            self.user = user
            self.room = room
        }
    }

    /// The most members that are kept, of all rooms together.
    public static let limit = 1000

    /// Parts of a room in which events stand; what a later one says of a member goes before what an earlier one says,
    /// in whatever order they come.
    enum Block: Int, Sendable { case state, timeline, stateAfter }

    /// What an event says that may be one of membership.
    struct Event: Sendable {
        var isMember = false
        var subject: String?
        var membership: String?
        var membershipBefore: String?
    }

    private struct Member: Sendable {
        let user: UserID
        var isJoined: Bool
        var isNew: Bool
        var block: Block
    }

    private let reader: UserID
    private var room: RoomID?
    private var members: [Member] = []
    private var places: [UserID: Int] = [:]

    /// Everyone who joined, room by room. Where the reader of the answer joined, everyone in the room whom the answer
    /// names.
    public private(set) var joins: [Join] = []
    /// Rooms that the reader of the answer joined.
    public private(set) var ownRooms: [RoomID] = []
    /// There were more than ``limit``; only the first are here.
    public private(set) var isCut = false

    /// - Parameter reader: whom the answer is for.
    init(reader: UserID) { self.reader = reader }

    mutating func beginRoom(_ text: String?) {
        room = text.flatMap { try? RoomID(parsing: $0) }
        members.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
    }

    mutating func take(_ event: Event, in block: Block) {
        guard room != nil, event.isMember, let membership = event.membership,
            let user = event.subject.flatMap({ try? UserID(parsing: $0) })
        else { return }
        let isJoined = membership == "join"
        let isNew = isJoined && event.membershipBefore != "join"
        if let place = places[user] {
            guard block.rawValue >= members[place].block.rawValue else { return }
            // A change of name after the join.
            let before = members[place]
            let staysNew = isJoined && before.isJoined && before.isNew && before.block == block
            members[place].isJoined = isJoined
            members[place].isNew = isNew || staysNew
            members[place].block = block
            return
        }
        guard joins.count + members.count < SyncJoins.limit else {
            isCut = true
            return
        }
        places[user] = members.count
        members.append(Member(user: user, isJoined: isJoined, isNew: isNew, block: block))
    }

    mutating func endRoom() {
        guard let room else { return }
        let isOwn = places[reader].map { members[$0].isJoined && members[$0].isNew } ?? false
        if isOwn { ownRooms.append(room) }
        for member in members where member.isJoined && (member.isNew || isOwn) && member.user != reader {
            joins.append(Join(user: member.user, room: room))
        }
        self.room = nil
    }
}
