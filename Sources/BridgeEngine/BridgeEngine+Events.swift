import PresenceModel
import SocialEngine

extension BridgeEngine {
    /// What happened.
    public enum Event: Hashable, Sendable {
        /// What was kept, before anything else; once.
        case restored([Record])

        // Who is who.

        /// This server has such a user. Said of each after a start, or implied by ``matrixReported(_:_:)``.
        case userKnown(UserID)
        /// The account was closed. That the user is offline or unknown, said later, does not bring them back.
        case userGone(UserID)
        case linkAdded(Link, LinkSource)
        case linkRemoved(Link, LinkSource)
        /// The user wants to be bridged or not; `nil`: as configured.
        case participationChosen(UserID, Bool?)
        case privacyChosen(UserID, SocialPrivacy)

        // From Matrix.

        /// How a local user is, as others see them.
        case matrixReported(UserID, MatrixView)
        /// What is between a local user and another in Matrix, seen from the former, since that instant.
        case listReported(UserID, other: UserID, Bond, at: Instant)
        /// All that is between the user and others, seen from the user; who is missing is nothing to them.
        case listRead(UserID, [UserID: Bond])
        /// ``Effect/editList(_:_:towards:)`` was not carried out, and will not be.
        case editRefused(UserID, FriendshipAction, towards: UserID)
        case ghostMade(SocialAddress)
        case ghostFailed(SocialAddress)
        /// ``Effect/present(_:_:as:)`` was not carried out.
        case presentFailed(UserID)

        // From the social side.

        /// The social side takes what is said in the user's name. A snapshot and ``friendshipsRead(_:seenBy:)`` follow.
        case sessionOpened(SocialAddress)
        /// It does not any more; what was under way may be lost.
        case sessionLost(SocialAddress)
        /// Changes of friends, in the order in which they came to that user.
        case socialReported([FriendSighting], seenBy: SocialAddress)
        /// All friends who are not offline; who is missing is.
        case snapshotReported([FriendSighting], seenBy: SocialAddress)
        case friendshipReported(FriendshipNews, seenBy: SocialAddress)
        /// All that is between the user and others; who is missing is nothing to them.
        case friendshipsRead(FriendshipReading, seenBy: SocialAddress)
        /// ``Effect/actSocially(_:_:towards:)`` was carried out.
        case actAnswered(SocialAddress, FriendshipAction, towards: SocialAddress)
        case actRefused(SocialAddress, FriendshipAction, towards: SocialAddress, FriendshipRefusal)
        /// Whether it was carried out is not known.
        case actFailed(SocialAddress, FriendshipAction, towards: SocialAddress)

        case deadlineReached
    }

    /// What is to be done. Of one step, records are kept before anything else of it leaves: what the bridge said is
    /// known for its own only by them after a fall.
    public enum Effect: Hashable, Sendable {
        /// Log in for the user and keep trying: friends' presence, friendships and heartbeats go that way.
        case openSession(SocialAddress, for: UserID)
        case closeSession(SocialAddress)
        /// - whereabouts: `nil`: those that the social side has.
        case heartbeat(SocialAddress, Whereabouts?, FriendState)
        /// No more heartbeats; said to the social side where the protocol can.
        case stop(SocialAddress)
        case actSocially(SocialAddress, FriendshipAction, towards: SocialAddress)
        /// Answered by ``Event/friendshipsRead(_:seenBy:)``.
        case readFriendships(SocialAddress)
        case present(UserID, Showing, as: Guise)
        /// The application service is to own that user. Answered by ``Event/ghostMade(_:)`` or
        /// ``Event/ghostFailed(_:)``.
        case makeGhost(UserID, for: SocialAddress)
        /// Entries in the group `friends` and consents; see ``Bond`` for what is what.
        case editList(UserID, FriendshipAction, towards: UserID)
        /// Answered by ``Event/listRead(_:_:)``, and ``Event/listReported(_:other:_:at:)`` from then on.
        case readList(UserID)
        case save(Record)
        /// For the log, and for who keeps something of users besides; nothing of the engine depends on it.
        case note(Note)
    }

    /// In what form somebody of the social side is shown in Matrix.
    public enum Guise: String, Hashable, Sendable {
        /// As the device `world` of the linked local user.
        case world
        /// As a user of the application service.
        case ghost
    }

    /// One row to keep; the latest for a key wins.
    public enum Record: Hashable, Sendable {
        /// A link of a table; no sources: none any more. Key: the user.
        case link(Link, Set<LinkSource>)
        /// Key: the user.
        case person(UserID, PersonMemory)
        /// What was sent in the user's name. Key: the address.
        case beats(SocialAddress, BeatMemory)
        /// What stands in Matrix; `nil`: nothing any more. Key: the address.
        case shown(SocialAddress, ShownMemory?)
        case ghost(SocialAddress)
        /// What was agreed about two users; `nil`: nothing any more. Key: both addresses, the lesser one first.
        case pair(SocialAddress, SocialAddress, PairMemory?)
    }

    /// What is worth a line in the log.
    public enum Note: Hashable, Sendable {
        /// The user or the address has another link, which stays.
        case linkRefused(Link, LinkSource, because: Link?)
        /// A link gave way to one that counts for more.
        case linkDisplaced(Link, by: Link)
        /// Both sides changed while apart. Bonds are seen from the first.
        case conflictDecided(SocialAddress, SocialAddress, matrix: Bond, social: Bond, decided: Bond)
        /// The two sides stay different until one of them changes.
        case leftDifferent(SocialAddress, SocialAddress, matrix: Bond, social: Bond, FriendshipRefusal?)
        /// The account was closed: nothing is kept of it.
        case userForgotten(UserID)
        /// The social side says that all of the user's friends and requests are gone; it is asked once more.
        case readingDoubted(SocialAddress, friends: Int)
    }

    /// Counts since the engine was made.
    public struct Tally: Hashable, Sendable {
        /// Heartbeats ordered.
        public var heartbeats = 0
        /// Those of them that were at once.
        public var promptHeartbeats = 0
        /// Sightings taken, snapshots included.
        public var sightings = 0
        /// Changes shown in Matrix.
        public var presented = 0
        /// What came back and was known for the bridge's own.
        public var echoesSuppressed = 0
        /// Orders about friendships to the social side.
        public var socialActs = 0
        /// Orders about friendships to Matrix.
        public var listEdits = 0
        /// Decided where both sides had changed.
        public var conflicts = 0
        /// Orders that failed or were refused, ghosts that could not be made, states that were not taken.
        public var failures = 0

        /// Nothing happened yet.
        public init() {}
    }
}

/// All that is between a user and others in the social service.
public struct FriendshipReading: Hashable, Sendable {
    /// In any order.
    public var friends: [SocialAddress]
    /// Whom the user asked.
    public var outgoing: [FriendRequest]
    /// Who asked the user.
    public var incoming: [FriendRequest]
    /// Whom the user blocked.
    public var blocked: [SocialAddress]
    /// Of whom nothing could be said, and who is in none of the others: with them it is as it was.
    public var unknown: [SocialAddress]

    /// A reading as given.
    public init(
        friends: [SocialAddress] = [], outgoing: [FriendRequest] = [], incoming: [FriendRequest] = [],
        blocked: [SocialAddress] = [], unknown: [SocialAddress] = []
    ) {
        self.friends = friends
        self.outgoing = outgoing
        self.incoming = incoming
        self.blocked = blocked
        self.unknown = unknown
    }
}

/// What a user chose.
public struct PersonMemory: Hashable, Sendable {
    /// The account is there, as far as the rule for links asks.
    public var isKnown: Bool
    /// `nil`: as configured.
    public var participates: Bool?
    /// What friends may see through the bridge, in both directions.
    public var privacy: SocialPrivacy

    /// A user who chose nothing.
    public init(isKnown: Bool = false, participates: Bool? = nil, privacy: SocialPrivacy = .full) {
        self.isKnown = isKnown
        self.participates = participates
        self.privacy = privacy
    }
}

/// What was sent in a user's name, so that it is known for the bridge's own when it comes back.
public struct BeatMemory: Hashable, Sendable {
    /// Heartbeats go on.
    public var isBeating: Bool
    /// Of the last heartbeat when the row was written.
    public var lastBeat: Instant
    /// Whereabouts sent lately.
    public var sent: [Whereabouts]
    /// What the social side said of the user last, that was not sent.
    public var reported: Whereabouts?

    /// A memory as given.
    public init(isBeating: Bool, lastBeat: Instant, sent: [Whereabouts], reported: Whereabouts?) {
        self.isBeating = isBeating
        self.lastBeat = lastBeat
        self.sent = sent
        self.reported = reported
    }
}

/// What stands in Matrix of somebody of the social side.
public struct ShownMemory: Hashable, Sendable {
    /// As whom they are shown.
    public var user: UserID
    /// How.
    public var showing: Showing
    /// What stood there before, and may still come back as somebody's presence.
    public var before: Showing?

    /// A memory as given.
    public init(user: UserID, showing: Showing, before: Showing? = nil) {
        self.user = user
        self.showing = showing
        self.before = before
    }
}

/// What was agreed about two users. Bonds are seen from the user of the lesser address.
public struct PairMemory: Hashable, Sendable {
    /// Who the first is in Matrix.
    public var firstUser: UserID
    /// Who the second is in Matrix.
    public var secondUser: UserID
    /// What both sides are to be.
    public var aim: Bond
    /// How Matrix was when it was last taken into account.
    public var matrix: Bond
    /// How the social side was when it was last taken into account.
    public var social: Bond

    /// A memory as given.
    public init(firstUser: UserID, secondUser: UserID, aim: Bond, matrix: Bond, social: Bond) {
        self.firstUser = firstUser
        self.secondUser = secondUser
        self.aim = aim
        self.matrix = matrix
        self.social = social
    }
}
