import Logging
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Synchronization

/// Keeps who is in which room as the homeserver has it: by the events that an application service is sent, and by lists
/// that are fetched for rooms of which the beginning was not heard.
///
/// What an event says is in the engine, and on its way to the disk, in one breath with the book of rooms; fetches happen
/// beside that, a few at a time. In doubt, nobody is in a room. Decision 22.
public final class RoomCensus: Sendable {
    /// Where the members of rooms come from that are not known yet.
    public enum Bootstrap: String, Hashable, Sendable, CaseIterable {
        /// All rooms at the first start, by Synapse's admin API.
        case admin
        /// A room when something happens in it, or a member is connected, in the name of a member.
        case lazy
        /// Only what happens from now on.
        case none
    }

    /// What is done how often, and how much at once.
    public struct Configuration: Sendable {
        /// Default: lazily.
        public var bootstrap = Bootstrap.lazy
        /// Shown to the admin API; `nil` for none.
        public var adminToken: String?
        /// How long a room in use is believed without looking again.
        public var reconcileAfter = Duration.hours(1)
        /// Questions under way at once.
        public var questions = 4
        /// What local users do in rooms counts as activity of theirs. Default: no, as what an application service does in
        /// their names looks the same.
        public var countsActivity = false
        /// An older event says nothing of what its sender does now.
        public var activityFreshFor = Duration.seconds(60)
        /// How often it is looked whether there is anything to do.
        public var tick = Duration.seconds(5)
        /// After the homeserver did not answer, doubled each time.
        public var pauseFirst = Duration.seconds(1)
        /// The longest such pause.
        public var pauseLimit = Duration.minutes(1)
        /// Invitations that wait to be left; past it the oldest is let go.
        public var refusedInvitesLimit = 10_000
        /// An invitation that could not be left is let be after this.
        public var refusalEndsAfter = Duration.hours(1)

        /// The defaults.
        public init() {}
    }

    /// Counts since the start.
    public struct Tally: Hashable, Sendable {
        /// Transactions taken, without repetitions.
        public var transactions: UInt64 = 0
        /// Room events that were read.
        public var events: UInt64 = 0
        /// Events that could not be read, and were left out.
        public var malformed: UInt64 = 0
        /// Members' events that said nothing new.
        public var repeated: UInt64 = 0
        /// Lists of members that were fetched.
        public var lists: UInt64 = 0
        /// Changes that a list brought for a room that was known: what no event had told.
        public var repairs: UInt64 = 0
        /// Invitations left on somebody's behalf.
        public var invitesLeft: UInt64 = 0
    }

    struct RefusedInvite: Hashable, Sendable {
        var user: UserID
        var room: RoomID
        var since: Instant
    }

    struct State {
        var book: MembershipBook
        /// In the order of their coming.
        var refusedInvites: [RefusedInvite]
        var roomsListed: Instant?
        /// Of those that are to be listed.
        var hasSeenAllRooms = false
        /// Whose rooms were asked for since the start.
        var asked: Set<UserID> = []
        var tally = Tally()
        var pause: Duration?
        var pausedUntil = Instant.epoch
        var reviewedUsersAt: Instant?
        var reviewedRoomsAt: Instant?
    }

    let server: ServerName
    let runtime: PresenceRuntime
    let journal: any Journal
    let client: HomeserverClient
    let configuration: Configuration
    let clock: any PresenceClock
    let logger: Logger
    let state: Mutex<State>
    let wakes: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation

    /// - Parameters:
    ///   - journal: the one that the runtime writes to: rooms are known after their members are on disk, not before.
    ///   - saved: what an earlier run left.
    public init(
        server: ServerName, registration: Registration, homeserver: any HomeserverAsking, runtime: PresenceRuntime,
        journal: any Journal, saved: HomeserverSnapshot, configuration: Configuration, clock: any PresenceClock,
        logger: Logger
    ) {
        self.server = server
        self.runtime = runtime
        self.journal = journal
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
        client = HomeserverClient(
            homeserver: homeserver, ownToken: registration.ownToken, id: registration.id,
            adminToken: configuration.adminToken)
        state = Mutex(
            State(
                book: MembershipBook(known: saved.rooms.map { ($0.room, $0.listed) }),
                refusedInvites: saved.refusedInvites.map {
                    RefusedInvite(user: $0.user, room: $0.room, since: $0.since)
                },
                roomsListed: saved.roomsListed))
        (wakes, wakeUp) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// See ``Tally``.
    public var tally: Tally { state.withLock { $0.tally } }

    /// Whether the members of the room were fetched and are followed since.
    public func isKnown(_ room: RoomID) -> Bool { state.withLock { $0.book.isKnown(room) } }

    /// Looks for something to do without waiting for the next tick.
    public func wake() { wakeUp.yield() }

    /// Takes in what happened; returns when what it says of members is on disk.
    /// - Throws: what the journal throws; the homeserver sends the transaction again then.
    public func take(_ transaction: ApplicationTransaction) async throws {
        await inOneBreath { [self] engine, now in decide(on: transaction, engine, at: now) }
        let left = roomsLeftByLocals(in: transaction)
        if !left.isEmpty { await inOneBreath { [self] engine, _ in forget(left, engine) } }
        let isAboutMembers = transaction.events.contains { if case .member = $0.kind { true } else { false } }
        // Also for repetitions: the first time may not have come to the disk.
        if isAboutMembers { try await journal.settle() }
        let hasWork = state.withLock { state in
            state.tally.transactions += 1
            state.tally.events += UInt64(transaction.events.count)
            state.tally.malformed += UInt64(transaction.malformedCount)
            return state.book.hasWishes || !state.refusedInvites.isEmpty
        }
        if hasWork { wake() }
    }

    /// Looks and acts in one breath.
    func inOneBreath(_ decide: @Sendable (PresenceEngine, Instant) -> [PresenceEngine.Event]) async {
        await runtime.submit { engine, now in (decide(engine, now), ()) }
    }

    /// Rooms of which a local user went by this transaction.
    private func roomsLeftByLocals(in transaction: ApplicationTransaction) -> [RoomID] {
        var rooms: [RoomID] = []
        for event in transaction.events {
            guard case .member(let user, let membership, _) = event.kind, membership != .join,
                user.isHosted(by: server), !rooms.contains(event.room)
            else { continue }
            rooms.append(event.room)
        }
        return rooms
    }

    /// A room that nobody here is in is none of ours: nothing is heard of it any more.
    func forget(_ rooms: [RoomID], _ engine: PresenceEngine) -> [PresenceEngine.Event] {
        state.withLock { state in
            // Of a room that is not known yet, there may be others; its list will tell.
            let all = configuration.bootstrap == .none
            return rooms.filter { (all || state.book.isKnown($0)) && !engine.hasLocalMembers($0) }.map { room in
                state.book.forget(room)
                // Before its members: a room must not be known without them.
                journal.append([.homeserver(.roomForgotten(room))])
                return .roomForgotten(room)
            }
        }
    }
}
