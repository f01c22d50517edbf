import PresenceModel

extension FederationEngine {
    /// Times and bounds of the conversation between servers. Design: sections 4 and 8.
    public struct Configuration: Hashable, Sendable {
        /// What the first change after a quiet time waits for.
        public enum BatchLead: String, Hashable, Sendable, CaseIterable {
            /// Every change waits for its window to close.
            case window
            /// The first change after ``Configuration/quietBeforeLead`` leaves at once.
            case immediate
        }

        /// A batch of changes closes this long after the latest of them.
        public var batchWindow: Duration = .seconds(10)
        /// A batch closes this long after its first change, whatever comes.
        public var batchStretch: Duration = .seconds(60)
        /// Whether that first change leaves at once.
        public var batchLead: BatchLead = .window
        /// How long nothing was sent to a server before a lead may leave at once.
        public var quietBeforeLead: Duration = .seconds(60)
        /// How long this server's word holds that it will push changes.
        public var promise: Duration = .minutes(65)
        /// How long the word of a server holds that states no time of its own (Synapse refreshes every 25 min).
        public var impliedPromise: Duration = .minutes(30)
        /// What was asked is asked again this long before the promise runs out, where no reminder renewed it.
        public var renewBefore: Duration = .minutes(1)
        /// The longest promise believed.
        public var promiseLimit: Duration = .hours(24)
        /// Nobody cares any more: the other server is told after this.
        public var unpollGrace: Duration = .seconds(60)
        /// Nothing was heard from a server with which presence is exchanged: it is reminded after this.
        public var shortWatchdog: Duration = .seconds(60)
        /// No reminder came from such a server: everything is exchanged anew after this.
        public var longWatchdog: Duration = .hours(1)
        /// The long watchdog is off by up to this fraction, either way; the first time it is anywhere in its time.
        public var longWatchdogJitter = 0.05
        /// A server is silent after so many short watchdogs without a sign of life.
        public var silentAfter = 3
        /// A server that cannot subscribe is told of whoever is not offline this often, and up to 12 % later: today's
        /// servers forget after 30 min.
        public var legacyRefresh: Duration = .minutes(25)
        /// At least this long between two refreshes of one server.
        public var refreshPause: Duration = .seconds(60)
        /// A server that wants nothing about presence is asked again after this.
        public var optOutLasts: Duration = .hours(24)
        /// A server with which nothing is exchanged is forgotten after this.
        public var forgetAfter: Duration = .hours(1)
        /// The wait after the first failure in a row.
        public var retryFirst: Duration = .seconds(10)
        /// Every further failure in a row makes the wait this many times as long, up to ``retryLimit``.
        public var retryFactor = 2.0
        /// The longest wait, before jitter; a longer one that the destination asks for is cut to this.
        public var retryLimit: Duration = .hours(1)
        /// Every wait is off by up to this fraction, either way.
        public var retryJitter = 0.2
        /// States in one EDU; Synapse's own limit.
        public var statesPerEDU = 50
        /// EDUs in one transaction, those about permissions included. Spec: transactions.
        public var edusPerTransaction = 100
        /// Past this the transaction id received longest ago is forgotten, per server.
        public var transactionsRemembered = 64
        /// Users in one list of polls.
        public var pollsPerEDU = 500
        /// Past this a server is not told that further users of its are not wanted.
        public var unpollsPerServer = 10_000
        /// With so many permissions waiting for one server a further denial is not said to it: it may make up requests
        /// without end, and one that is not answered waits.
        public var permissionsPerServer = 10_000

        /// A fault on purpose, to see that the tests notice. Not to be reached from outside the package.
        package var canary: Canary?

        /// The defaults above.
        public init() {}
    }

    /// Faults that tests switch on to see that they are found.
    package enum Canary: Hashable, Sendable, CaseIterable {
        /// Takes a transaction again that was taken before.
        case acceptsOlderVersion
        /// Forgets after a restart what was to be told for certain.
        case losesOutboxAtRestart
        /// Reminds a server that says nothing once, and never again.
        case forgetsToRearm
        /// Compares views without the texts.
        case digestLacksText
        /// Takes a server that was silent once for silent from then on.
        case silenceNeverEnds
        /// Shows the users of a silent server as if nothing were.
        case silentStaysKnown
        /// Does not wait for the answer to a transaction before the next one.
        case overlapsTransactions
    }

    /// How soon a change must leave.
    public enum Urgency: Hashable, Sendable {
        /// A first appearance: at once, together with the polls.
        case atOnce
        case batched
        /// Nothing new, but this server came back: for those who hold a promise.
        case restated
    }

    /// What happened.
    public enum Event: Hashable, Sendable {
        case localPublished(UserID, Presence, Urgency)
        /// From now on someone at that server may see this local user.
        case audienceAdded(UserID, ServerName)
        /// Someone at that server may see this local user, as before the restart.
        case audienceRestored(UserID, ServerName)
        case audienceRemoved(UserID, ServerName)
        /// By what a local user can be seen at a server of their audience; `near` where nothing was said.
        case reachChanged(UserID, ServerName, Reach)
        /// The first connected observer here of a user of another server; whether what was said of that user last is still
        /// held here.
        case interestBegan(UserID, knows: Bool = true)
        case interestEnded(UserID)
        /// An authenticated server sent a transaction; `[]` if it holds nothing about presence or permissions.
        case received(
            from: ServerName, transaction: String, [PresenceMessage], permissions: [PermissionMessage] = [])
        /// To be told to ``PermissionMessage/destination`` for certain; ours to say. The latest for a pair wins.
        case permission(PermissionMessage)
        /// Need not be told any more; what was handed out to be sent already stays as it is.
        case permissionWithdrawn(PermissionMessage)
        /// An authenticated server asked for something else than to take a transaction: a sign of life.
        case heard(from: ServerName)
        /// The destination answered 200.
        case delivered(to: ServerName, transaction: String)
        case deliveryFailed(to: ServerName, transaction: String, Failure)
        case deadlineReached
    }

    /// Why a transaction was not taken.
    public enum Failure: Hashable, Sendable {
        /// No answer, or one that says "later"; `after` is the wait the destination asked for.
        case unanswered(after: Duration?)
        /// The destination will never take this one: its content is composed anew.
        case refused
        /// The destination wants nothing about presence, and said so before it was sent anything (MSC4373).
        case optedOut
    }

    /// Whether a server answers.
    public enum Standing: String, Hashable, Sendable, CaseIterable {
        /// It answers, or was not asked anything lately.
        case answering
        /// Nothing was heard of it for ``Configuration/silentAfter`` short watchdogs, though it was asked.
        case silent
    }

    /// What is to be done.
    public enum Effect: Hashable, Sendable {
        /// Deliver, and say how it went; the same value again means the same bytes.
        case send(OutgoingTransaction)
        case remoteReported(UserID, Presence, goodUntil: Instant?)
        case remoteLapsed(UserID, UnknownReason)
        /// Another server said something that is its to say, of a user here or to one.
        case permissionReceived(PermissionMessage)
        /// What was reported of the user last holds at least until then.
        case remoteRenewed(UserID, goodUntil: Instant)
        /// For the operator: a server that takes part in subscribe and push does not answer any more, or does again.
        case standingChanged(ServerName, Standing)
        case save(Record)
    }

    /// One row to keep; the latest for a key wins.
    public enum Record: Hashable, Sendable {
        /// This server's word to `server` that it will push changes of a local user.
        case promiseGiven(UserID, to: ServerName, until: Instant)
        case promiseGivenEnded(UserID, to: ServerName)
        /// A user of another server was asked for; `until` is that server's word, if it gave it.
        case promiseAsked(UserID, until: Instant?)
        case promiseAskedEnded(UserID)
        case peer(ServerName, PeerMemory)
        case peerForgotten(ServerName)
        /// To be told until the other server took it. The key is the pair, and whether it is an invite or an answer.
        case permissionQueued(PermissionMessage)
        /// What was queued under the same key need not be told any more.
        case permissionDelivered(PermissionMessage)
    }

    /// What of another server a restart needs.
    public struct PeerMemory: Hashable, Sendable {
        /// How it speaks.
        public var dialect: Dialect
        /// Failures in a row.
        public var failures: Int
        /// Not to be tried before; `nil`: at any time.
        public var retryAt: Instant?
        /// Since when it does not answer.
        public var silentSince: Instant?

        /// A server that answers, unless told otherwise.
        public init(dialect: Dialect, failures: Int = 0, retryAt: Instant? = nil, silentSince: Instant? = nil) {
            self.dialect = dialect
            self.failures = failures
            self.retryAt = retryAt
            self.silentSince = silentSince
        }
    }

    /// Counts since the start, never reset.
    public struct Tally: Hashable, Sendable {
        /// Transactions handed out to be sent, retries not counted.
        public var transactionsSent: UInt64 = 0
        /// Transactions handed out again after a failure, each time counted.
        public var retries: UInt64 = 0
        /// EDUs in those transactions, retries not counted.
        public var edusSent: UInt64 = 0
        /// Users' states put into EDUs, retries not counted.
        public var statesSent: UInt64 = 0
        /// Batched changes dropped because the user was back at what the server was last told.
        public var statesCancelledOut: UInt64 = 0
        /// Transactions taken in, repeated ones not counted.
        public var transactionsReceived: UInt64 = 0
        /// Transactions taken before, answered alike and not taken again.
        public var transactionsRepeated: UInt64 = 0
        /// Presence EDUs in the transactions taken in, empty ones not counted.
        public var messagesReceived: UInt64 = 0
        /// Pushed states of users of the server that sent them.
        public var statesReceived: UInt64 = 0
        /// Pushes about users of another server than the one that sent them.
        public var foreignStatesDropped: UInt64 = 0
        /// Users polled or queried by other servers, each mention counted.
        public var pollsReceived: UInt64 = 0
        /// Polls for users who do not exist or may not be seen.
        public var pollsUnanswered: UInt64 = 0
        /// Reminders in the transactions handed out, retries not counted.
        public var remindersSent: UInt64 = 0
        /// Reminders in the transactions taken in.
        public var remindersReceived: UInt64 = 0
        /// Of those, differences between both views that were acted on.
        public var mismatches: UInt64 = 0
        /// Exchanges of everything, both ways, handed out.
        public var fullExchanges: UInt64 = 0
        /// Active users told again to servers that forget.
        public var statesRefreshed: UInt64 = 0
        /// Pushes of users in whom nobody here is interested.
        public var unwantedStates: UInt64 = 0
        /// Permissions put into transactions, retries not counted.
        public var permissionsSent: UInt64 = 0
        /// Permissions that were the sender's to say, in the transactions taken in.
        public var permissionsReceived: UInt64 = 0
        /// Permissions that another server than the sender may say, or that are not for this server.
        public var foreignPermissionsDropped: UInt64 = 0
        /// Denials not said because too much waited for the server already.
        public var denialsDropped: UInt64 = 0

        /// All zero.
        public init() {}
    }
}
