import PresenceModel

/// A subscription to friends' presence: what was told, and about whom something may be new.
struct PresenceFeed: Sendable {
    let user: Int
    let session: SocialSessionID
    /// The subscriber waits for the next element.
    var isReady = false
    /// Of whom the snapshot is still to be told, the last first; `nil`: all of it was.
    var snapshot: [Int32]?
    /// What was told of each friend who is not offline.
    var told: [Int32: Person.Shown] = [:]
    /// Friends of whom the latest may not have been told.
    var pending: Set<Int32> = []
    /// It is among those to be looked at when the step ends.
    var isMarked = false
}

/// A subscription to what happens about friendships.
struct NewsFeed: Sendable {
    let user: Int
    let session: SocialSessionID
    /// The subscriber waits for the next element.
    var isReady = false
    /// Not taken yet.
    var news: [FriendshipNews] = []
    /// No more is added; the end comes when all is taken.
    var isFull = false
    /// It is among those to be looked at when the step ends.
    var isMarked = false
}

/// What a session has to do with.
struct SessionRecord: Sendable {
    /// Numbers of the users whom it holds.
    var users: Set<Int32> = []
    var subscriptions: Set<SocialSubscriptionID> = []

    var isEmpty: Bool { users.isEmpty && subscriptions.isEmpty }
}

/// A pair of users, and what is between them.
struct PairRecord: Sendable {
    let low: Int32
    let high: Int32
    var friendship = Friendship()
    var recentRequests = RecentTimes()
    /// Since the room was wanted.
    var roomFailures = 0
    /// Somebody is making one.
    var isRoomAsked = false

    func number(_ side: SocialPair.Side) -> Int { Int(side == .low ? low : high) }
}

/// What changes one thing at a time.
enum Subject: Hashable, Sendable {
    case pair(Int)
    case settings(Int)
}

/// A change that somebody wants, or that happened elsewhere.
enum Wish: Sendable {
    case action(SocialTicket, FriendshipAction, by: SocialPair.Side)
    case room(RoomID)
    case friendship(Friendship)
    case privacy(SocialTicket, SocialPrivacy)
    case concealment
    case settings(SocialSettings)

    /// Who waits for it.
    var ticket: SocialTicket? {
        switch self {
        case .action(let ticket, _, _), .privacy(let ticket, _): ticket
        default: nil
        }
    }
}

/// A change that is being written; nothing of it is true before that is done.
struct Change: Sendable {
    enum Result: Sendable {
        case friendship(Friendship)
        case settings(SocialSettings)
    }

    var subject: Subject
    var wish: Wish
    var result: Result
}
