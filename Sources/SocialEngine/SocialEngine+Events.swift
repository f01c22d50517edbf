import PresenceModel

extension SocialEngine {
    /// What happened.
    public enum Event: Hashable, Sendable {
        /// What was saved is in; wishes of before the start are asked anew.
        case started
        case deadlineReached

        /// Answered by ``Effect/answered(_:_:)``.
        case actionAsked(SocialTicket, FriendshipAction, by: SocialAddress, towards: SocialAddress)
        /// Answered by ``Effect/answered(_:_:)``.
        case privacyAsked(SocialTicket, SocialAddress, SocialPrivacy)
        /// The user chose elsewhere to be seen by nobody, or not any more.
        case concealmentChanged(SocialAddress, isConcealed: Bool)

        /// The user is there, by this session: online, or away. Whereabouts that are `nil` stay as they were.
        case heartbeatReceived(SocialAddress, SocialSessionID, isAway: Bool, Whereabouts?)
        /// The user is not there any more, by this session: it holds them no longer, others may.
        case sessionLeft(SocialAddress, SocialSessionID)
        /// The session's users stay for ``Configuration/leaveGrace``; its subscriptions end.
        case sessionEnded(SocialSessionID)

        case presenceSubscribed(SocialSubscriptionID, by: SocialAddress, SocialSessionID)
        case friendshipsSubscribed(SocialSubscriptionID, by: SocialAddress, SocialSessionID)
        /// The subscriber took what it got, and wants the next element as soon as there is one.
        case subscriberReady(SocialSubscriptionID)
        case subscriptionClosed(SocialSubscriptionID)

        /// What ``Effect/store(_:_:)`` asked for is on disk.
        case stored(StoreID)
        /// It is not, and will not be.
        case storeFailed(StoreID)

        /// Answers ``Effect/makeRoom(_:)``.
        case roomMade(SocialPair, RoomID)
        /// Answers ``Effect/makeRoom(_:)``: not this time.
        case roomFailed(SocialPair)

        /// Another process of the population said so.
        case shared(SharedUpdate)
        /// Other processes are to be told of those of these users who are here.
        case sharingWanted([SocialAddress])
    }

    /// What is to be done.
    public enum Effect: Hashable, Sendable {
        /// To be written together, and answered by ``Event/stored(_:)`` or ``Event/storeFailed(_:)``.
        case store(StoreID, [Record])
        case answered(SocialTicket, Answer)
        /// The next element; the next comes after another ``Event/subscriberReady(_:)``.
        case showPresence(SocialSubscriptionID, PresenceBatch)
        /// The same.
        case tellNews(SocialSubscriptionID, [FriendshipNews])
        /// Nothing more comes.
        case endSubscription(SocialSubscriptionID)
        /// To be answered by ``Event/roomMade(_:_:)`` or ``Event/roomFailed(_:)``.
        case makeRoom(SocialPair)
        /// The user is there themself, by another session than a bridge's, whoever may see it.
        case userAppeared(SocialAddress)
        /// The user is not there any more; a bridge may hold them online.
        case userLeft(SocialAddress)
        /// To be told to the other processes.
        case share(SharedUpdate)
    }

    /// What came of something that was asked for.
    public enum Answer: Hashable, Sendable {
        /// What the actor is told, now that it is on disk.
        case acted(FriendshipNews)
        /// It is on disk.
        case done
        /// Nothing changed.
        case refused(FriendshipRefusal)
    }

    /// Rows that are written together, unique within a run.
    public struct StoreID: Hashable, Sendable {
        /// Counted from 1.
        public let number: UInt64

        /// The number as given.
        public init(_ number: UInt64) { self.number = number }
    }

    /// One row to keep.
    public enum Record: Hashable, Sendable {
        /// The latest for a pair wins.
        case friendship(SocialPair, Friendship)
        /// Never replaced, never read back.
        case event(FriendshipEvent)
        /// The latest for a user wins.
        case settings(SocialAddress, SocialSettings)
    }

    /// Everything that was saved.
    public struct Snapshot: Sendable {
        /// By pair.
        public var friendships: [(pair: SocialPair, friendship: Friendship)] = []
        /// By user.
        public var settings: [(user: SocialAddress, settings: SocialSettings)] = []

        /// Nothing saved: a first start.
        public init() {}
    }

    /// What processes of one population tell each other; each kind may come late, twice, or not at all.
    public enum SharedUpdate: Hashable, Sendable {
        /// How a user is in one process.
        case presence(SharedPresence)
        case friendship(SocialPair, Friendship)
        case settings(SocialAddress, SocialSettings)
    }

    /// How a user is in one process, on all its sessions together.
    public struct SharedPresence: Hashable, Sendable {
        /// Who.
        public var user: SocialAddress
        /// Where.
        public var process: UInt64
        /// Counts what the process said; the higher one is the later.
        public var sequence: UInt64
        /// Offline: not in that process any more.
        public var state: FriendState
        /// The latest that is known there.
        public var whereabouts: Whereabouts?
        /// Of ``whereabouts``.
        public var at: Instant
        /// The process that ``whereabouts`` came by.
        public var placedBy: UInt64
        /// How long it holds from now on, unless said anew.
        public var validFor: Duration
        /// Only a bridge holds the user there.
        public var isBridged: Bool

        /// An update as given.
        public init(
            user: SocialAddress, process: UInt64, sequence: UInt64, state: FriendState, whereabouts: Whereabouts?,
            at: Instant, placedBy: UInt64, validFor: Duration, isBridged: Bool = false
        ) {
            self.user = user
            self.process = process
            self.sequence = sequence
            self.state = state
            self.whereabouts = whereabouts
            self.at = at
            self.placedBy = placedBy
            self.validFor = validFor
            self.isBridged = isBridged
        }
    }
}

/// What one user wants others to see, as it is saved and told to other processes.
public struct SocialSettings: Hashable, Sendable {
    /// What the user chose.
    public var privacy = SocialPrivacy.full
    /// Counts the changes of ``privacy``.
    public var privacyRevision: Int64 = 0
    /// Chosen elsewhere: seen by nobody.
    public var isConcealed = false
    /// Counts the changes of ``isConcealed``.
    public var concealmentRevision: Int64 = 0

    /// What holds for users who chose nothing.
    public init() {}

    /// Offline to everybody.
    public var isHidden: Bool { privacy == .hidden || isConcealed }

    /// Of each choice the later one; of the same revision, what shows less.
    public func merged(with other: SocialSettings) -> SocialSettings {
        var merged = self
        if other.privacyRevision == privacyRevision {
            merged.privacy = SocialPrivacy.allCases.last { $0 == privacy || $0 == other.privacy } ?? privacy
        } else if other.privacyRevision > privacyRevision {
            merged.privacy = other.privacy
        }
        if other.concealmentRevision == concealmentRevision {
            merged.isConcealed = isConcealed || other.isConcealed
        } else if other.concealmentRevision > concealmentRevision {
            merged.isConcealed = other.isConcealed
        }
        merged.privacyRevision = max(privacyRevision, other.privacyRevision)
        merged.concealmentRevision = max(concealmentRevision, other.concealmentRevision)
        return merged
    }
}

/// Keeps rows over restarts.
public protocol SocialJournal: Sendable {
    /// Returns when all of `records` are on disk; several callers may share a transaction.
    /// - Throws: when none of them is, nor ever will be.
    func write(_ records: [SocialEngine.Record]) async throws
}
