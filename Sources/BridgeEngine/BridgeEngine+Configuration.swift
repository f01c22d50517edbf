import PresenceModel
import SocialEngine

extension BridgeEngine {
    /// Times, bounds and choices of the bridge. Design: sections 6 and 8.
    public struct Configuration: Hashable, Sendable {
        /// Who takes part without having said anything.
        public enum Participation: String, Hashable, Sendable, CaseIterable {
            /// Nobody: a linked user is bridged once they say so.
            case optIn = "opt_in"
            /// Everybody who is linked, until they decline.
            case optOut = "opt_out"
        }

        /// What friends' whereabouts become in Matrix.
        public enum TextForm: String, Hashable, Sendable, CaseIterable {
            /// The JSON of the old client, which old clients read.
            case oldClient = "old_client"
            /// A line for people.
            case readable
            case nothing
        }

        /// Whose localpart is their social address without any table.
        public enum LinkRule: Hashable, Sendable {
            /// Nobody's.
            case nobody
            /// Of this server's users those called `0x` and 40 digits in lower case.
            case addresses
            /// Of every user of this server whose localpart may be an address as it is: for the embedded service, which
            /// goes by localparts itself.
            case localparts
        }

        /// Who is linked without any table.
        public var linkRule: LinkRule = .addresses
        /// Who is bridged without having chosen.
        public var participation: Participation = .optIn
        /// Past this, links of tables are refused.
        public var linksLimit = 100_000

        /// A visible user beats this often.
        public var heartbeatEvery: Duration = .seconds(30)
        /// A user beats at once for a change, but not again within this.
        public var promptPause: Duration = .seconds(5)
        /// Past this many in a second, changes wait for their user's next regular beat.
        public var promptsPerSecond = 200
        /// The social service takes a user for offline this long after the last heartbeat.
        public var socialTimeout: Duration = .minutes(2)
        /// What is under way between the bridge and the social service arrives within this.
        public var lateness: Duration = .seconds(30)
        /// Whereabouts that the social side told are repeated for this long after it last told them.
        public var reportedWhereaboutsLast: Duration = .hours(1)

        /// A user is shown changed in Matrix at most this often; the latest state wins.
        public var showPause: Duration = .seconds(10)
        /// Friends are unknown this long after the social side was lost.
        public var unknownAfter: Duration = .minutes(2)
        /// Who is shown offline is remembered for this long, in case the bridge falls before Matrix is told.
        public var shownOfflineKept: Duration = .minutes(1)
        /// What Matrix did not take is put again after this.
        public var showRetry: Duration = .seconds(30)
        /// Past this, the user who could not be taken away first stays as they are.
        public var leftoversLimit = 1_000
        /// What friends' whereabouts become.
        public var textForm: TextForm = .readable
        /// The localpart of a ghost is this and the address.
        public var ghostPrefix = "_social_"
        /// Localparts with these prefixes are ghosts of others, and nobody's own.
        public var foreignGhostPrefixes: [String] = []
        /// Past this, friends without a Matrix user are not shown.
        public var ghostsLimit = 100_000
        /// A ghost that could not be made is tried again after this, then after twice as long, up to
        /// ``ghostRetryLimit``.
        public var ghostRetryFirst: Duration = .minutes(1)
        /// The longest wait between two tries at a ghost.
        public var ghostRetryLimit: Duration = .hours(1)

        /// Blocks are carried over; otherwise a block ends the friendship on the other side, and that is all.
        public var carriesBlocks = true
        /// Past this, further friends and requests of one user are left alone.
        public var pairsPerUser = 5_000
        /// An order about a friendship that had no result is given again after this.
        public var orderPatience: Duration = .seconds(30)
        /// The wait after an order failed; doubled with every further one, up to ``orderRetryLimit``.
        public var orderRetryFirst: Duration = .seconds(10)
        /// The longest wait between two orders about one pair, before jitter.
        public var orderRetryLimit: Duration = .minutes(10)
        /// Every such wait is longer by up to this fraction.
        public var orderRetryJitter = 0.2
        /// A pair is left as it is after so many orders in a row that changed nothing, until one side changes.
        public var ordersPerChange = 8
        /// Friendships are read anew this often, spread over the users.
        public var rereadEvery: Duration = .minutes(15)
        /// A reading that lacks all friends and requests of a user, so many or more, counts when another one says so too.
        public var doubtfulLoss = 5
        /// The other one is at least this much later.
        public var doubtfulReadingAfter: Duration = .seconds(30)

        /// A fault on purpose, to see that the tests notice. Not to be reached from outside the package.
        package var canary: Canary?

        /// The defaults above.
        public init() {}

        /// How long after a heartbeat the social side may still speak of it.
        var echoWindow: Duration { socialTimeout + lateness }
    }

    /// Faults that tests switch on to see that they are found.
    package enum Canary: Hashable, Sendable, CaseIterable {
        /// Takes what it sent to the social side itself for the user's own doing.
        case believesItsEcho
        /// Takes the device `world`, which it made itself, for the user's own.
        case heedsItsDevice
        /// Beats for hidden users.
        case hiddenBeats
        /// Beats all users at the same moment.
        case beatsTogether
        /// Shows every change at once.
        case forgetsToDamp
        /// After a restart, does not know what it sent before.
        case forgetsWhatItSent
        /// Where both sides changed, the one that grants wins.
        case grantBeatsRevocation
        /// Sends whereabouts that are not for friends.
        case ignoresPrivacy
        /// Keeps those for online who are missing in a fresh snapshot.
        case snapshotOnlyAdds
        /// Friends stay as they were when the social side is lost.
        case lossIsForgotten
    }
}
