import PresenceModel
import SocialEngine

/// The bridge between Matrix users and a social service: who is who, what is said of whom on the other side and how
/// often, and which friendships are to be on both.
///
/// A value with one door, ``handle(_:at:into:)``. What is to be on either side is worked out from what was reported
/// last, and compared with what was ordered last; so a report that comes twice, or late, does no harm. Nothing that
/// came from one side goes back to it: heartbeats follow from Matrix alone, what is shown in Matrix from what others
/// than the bridge say, and friendships are compared with what the bridge itself brought about. Design: section 6.
public struct BridgeEngine: Sendable {
    /// This server: linked users and ghosts are its.
    public let server: ServerName
    /// Fixed for the engine's life.
    public let configuration: Configuration
    /// How ghosts are called.
    public let ghosts: GhostRule

    // Who is who.
    var people: [UserID: PersonMemory] = [:]
    /// Whose accounts were closed in this run: what is told of them later does not bring them back.
    var closed: Set<UserID> = []
    var links: [UserID: TableLink] = [:]
    var linkedUsers: [SocialAddress: UserID] = [:]

    // Everybody of the social side, by number; ``numbers`` has who is in use.
    var addresses: [SocialAddress] = []
    var numbers: [SocialAddress: Int] = [:]
    var freeNumbers: [Int] = []
    var figures: [Figure] = []
    var members: [Member?] = []
    var memberNumbers: [UserID: Int] = [:]
    var ghostCount = 0

    /// The earliest first.
    var leftovers: [ShownLeftover] = []
    /// When leftovers were taken away again lately, so that nobody is touched twice in a moment.
    var tidiedAt: [UserID: Instant] = [:]

    // What is between two of them.
    var pairs: [Pair] = []
    var pairNumbers: [PairKey: Int] = [:]
    var freePairs: [Int] = []

    var beatDeadlines = DeadlineQueue()
    var figureDeadlines = DeadlineQueue()
    var memberDeadlines = DeadlineQueue()
    var pairDeadlines = DeadlineQueue()

    /// Counts since the engine was made.
    public internal(set) var tally = Tally()
    var promptSecond: Int64 = 0
    var promptsInSecond = 0
    var generator: SeededGenerator
    private var latest = Instant.epoch

    /// - Parameter seed: of the jitter of waits.
    public init(server: ServerName, configuration: Configuration = Configuration(), seed: UInt64) {
        self.server = server
        self.configuration = configuration
        self.ghosts = GhostRule(server: server, prefix: configuration.ghostPrefix)
        self.generator = SeededGenerator(seed: seed)
    }

    /// When ``Event/deadlineReached`` has something to do; an early, late or doubled one does no harm.
    public var nextDeadline: Instant? {
        [
            beatDeadlines.next, figureDeadlines.next, memberDeadlines.next, pairDeadlines.next,
            leftovers.first?.retryAt,
        ].compactMap(\.self).min()
    }

    /// The one door: takes what happened, appends what follows from it.
    public mutating func handle(_ event: Event, at now: Instant, into effects: inout [Effect]) {
        precondition(now >= latest, "time ran backwards: \(latest), \(now)")
        latest = now
        switch event {
        case .restored(let records): restore(records, at: now, into: &effects)
        case .userKnown, .userGone, .linkAdded, .linkRemoved, .participationChosen, .privacyChosen:
            handleLink(event, at: now, into: &effects)
        case .matrixReported(let user, let view):
            guard !isAfterlife(view, of: user) else { return }
            know(user, at: now, into: &effects)
            take(view, of: user, at: now, into: &effects)
        case .listReported, .listRead, .editRefused, .friendshipReported, .friendshipsRead, .actAnswered, .actRefused,
            .actFailed:
            handleFriendship(event, at: now, into: &effects)
        case .ghostMade(let address): ghostMade(address, at: now, into: &effects)
        case .ghostFailed(let address): ghostFailed(address, at: now, into: &effects)
        case .presentFailed(let user): presentFailed(user, at: now, into: &effects)
        case .sessionOpened(let address): sessionOpened(address, at: now, into: &effects)
        case .sessionLost(let address): sessionLost(address, at: now, into: &effects)
        case .socialReported(let sightings, let observer):
            take(sightings, isSnapshot: false, seenBy: observer, at: now, into: &effects)
        case .snapshotReported(let sightings, let observer):
            take(sightings, isSnapshot: true, seenBy: observer, at: now, into: &effects)
        case .deadlineReached:
            reviewLeftovers(at: now, into: &effects)
            while let number = memberDeadlines.popDue(at: now) { reviewSession(number, at: now, into: &effects) }
            while let number = figureDeadlines.popDue(at: now) {
                reviewShowing(number, at: now, into: &effects)
                releaseIfUnneeded(number)
            }
            while let number = beatDeadlines.popDue(at: now) { reviewBeats(number, at: now, into: &effects) }
            while let number = pairDeadlines.popDue(at: now) { drive(number, at: now, into: &effects) }
        }
    }

    /// As ``handle(_:at:into:)``, for callers who want a list of their own.
    public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
        var effects: [Effect] = []
        handle(event, at: now, into: &effects)
        return effects
    }

    // MARK: Numbers

    /// The number of an address, a new one if it has none.
    mutating func intern(_ address: SocialAddress) -> Int {
        if let number = numbers[address] { return number }
        let number: Int
        if let free = freeNumbers.popLast() {
            number = free
            addresses[number] = address
            figures[number] = Figure()
        } else {
            number = addresses.count
            addresses.append(address)
            figures.append(Figure())
            members.append(nil)
        }
        numbers[address] = number
        return number
    }

    /// Lets go of an address that nobody has to do with any more. A ghost is found again when it is made again.
    mutating func releaseIfUnneeded(_ number: Int) {
        let figure = figures[number]
        guard numbers[addresses[number]] == number, members[number] == nil, figure.voters.isEmpty,
            figure.pairs.isEmpty, figure.shown == nil, figureDeadlines[number] == nil, !mayBeEcho(number, at: latest)
        else { return }
        switch figure.ghost {
        case .making, .waiting: return
        case .made: ghostCount -= 1
        case .none, .impossible: break
        }
        numbers[addresses[number]] = nil
        freeNumbers.append(number)
        beatDeadlines.set(number, to: nil)
        memberDeadlines.set(number, to: nil)
    }

    /// A number that stays the same for an address, over restarts and everywhere: FNV-1a.
    static func spread(_ address: SocialAddress) -> UInt64 {
        address.text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }
}
