extension SocialEngine {
    /// Times and limits; each is named by what follows it.
    public struct Configuration: Hashable, Sendable {
        /// A user of whom no heartbeat came for this long is offline.
        public var offlineAfter: Duration = .minutes(2)
        /// A session that ended still holds its users this long.
        public var leaveGrace: Duration = .seconds(10)
        /// What could not be written, and nobody waits for, is tried again after this.
        public var storesAgainAfter: Duration = .seconds(5)
        /// A room that could not be made is asked for again after this, the next time after twice as long, and so on.
        public var roomAgainAfter: Duration = .seconds(5)
        /// Where that stops growing.
        public var roomAgainAfterAtMost: Duration = .minutes(10)

        /// Friendships have a room in Matrix.
        public var makesRooms = true
        /// There are other processes of the same population, who are told.
        public var isShared = false

        /// Past this a friendship of either is refused.
        public var friendsPerUser = 1000
        /// Past this a further request of a user is refused.
        public var requestsFromUser = 100
        /// Past this a further request to a user is refused.
        public var requestsToUser = 200
        /// Past this within an hour a further request of a user is refused.
        public var requestsPerHour = 30
        /// Past this within an hour a further request between the same two is refused.
        public var requestsPerHourOfPair = 6
        /// A longer message of a request is refused.
        public var messageLimitBytes = 2048
        /// Past this a further block of a user is refused.
        public var blocksPerUser = 1000
        /// Past this within an hour a further block or unblock of a user is refused.
        public var blocksPerHour = 100
        /// Past this within an hour a further choice of privacy is refused, unless it is to hide.
        public var privaciesPerHour = 60

        /// Pairs that nothing was ever between, and users without any who choose a privacy, within a minute; past it
        /// both are refused. Keys of wallets cost nothing, and what is kept is kept for good.
        public var newcomersPerMinute = 1000

        /// Past this the session whose heartbeat is the oldest holds the user no longer.
        public var sessionsPerUser = 64
        /// Past this the oldest subscription of a user, of that kind, ends.
        public var subscriptionsPerUser = 64
        /// Sightings, or news, in one element of a subscription; the others come with the next.
        public var batchLimit = 100
        /// News of friendships that a subscriber did not take yet; past this the subscription ends when they are taken.
        public var newsPerSubscription = 1000
        /// Actions between two users that wait for one that is being written; past this a further one is refused.
        public var waitingPerPair = 16

        /// A fault on purpose, to see that the tests notice. Not to be reached from outside the package.
        package var canary: Canary?

        /// The defaults above.
        public init() {}
    }

    /// Faults on purpose.
    package enum Canary: Hashable, Sendable, CaseIterable {
        /// Who hides is shown all the same.
        case showsTheHidden
        /// A deadline that was met is not set again.
        case forgetsToRearm
        /// What is not written yet is told.
        case tellsBeforeItIsStored
        /// Whom the bridge holds online is told to be in the world.
        case takesTheBridgeForAUser
        /// News reach one subscription of a user only.
        case tellsOneSubscription
    }
}
