import PresenceModel

/// Who is friends with whom, who is there, and who is told: the embedded social service without the world.
///
/// A value with one door, ``handle(_:at:into:)``. Nothing that is to be kept is true, told or shown before it is on
/// disk: a change is decided, handed out as ``Effect/store(_:_:)``, and takes effect with ``Event/stored(_:)``; a second
/// change of the same pair waits meanwhile. So a disk that fails leaves nothing behind that would have to be taken back.
///
/// Decisions 25 and 26.
public struct SocialEngine: Sendable {
    /// Fixed for the engine's life.
    public let configuration: Configuration
    /// This process, among those that serve the same population; another number at every start.
    public let process: UInt64

    // By the user's number.
    var people: [Person] = []
    var numbers: [SocialAddress: Int32] = [:]
    /// Numbers of users who were let go of.
    var free: [Int] = []
    // By the pair's number.
    var pairs: [PairRecord] = []
    /// By the numbers of both, the smaller one in the high half.
    var pairNumbers: [UInt64: Int32] = [:]

    var sessions: [SocialSessionID: SessionRecord] = [:]
    var presenceFeeds: [SocialSubscriptionID: PresenceFeed] = [:]
    var newsFeeds: [SocialSubscriptionID: NewsFeed] = [:]
    /// Subscriptions to be looked at when the step ends, in the order in which they were marked.
    var marked: [SocialSubscriptionID] = []

    var changes: [StoreID: Change] = [:]
    var storeCount: UInt64 = 0
    /// What waits for a change of the same subject; a subject that is not in it is not being changed.
    var waiting: [Subject: [Wish]] = [:]
    /// What could not be written and nobody waits for.
    var unstored: [Subject: [Wish]] = [:]
    /// What ``unstored`` has, in the order in which it came.
    var unstoredSubjects: [Subject] = []
    var storesAgainAt: Instant?

    /// By the user's number: when a hold ends.
    var expiries = DeadlineQueue()
    /// By the pair's number: when a room is asked for again.
    var roomDeadlines = DeadlineQueue()
    var sequence: UInt64 = 0
    /// In the minute of that number since the epoch.
    var newcomers: (minute: Int64, count: Int) = (0, 0)
    private var latest = Instant.epoch

    /// An engine that knows nobody; ``restore(_:)`` brings back what was saved.
    public init(process: UInt64, configuration: Configuration = Configuration()) {
        self.process = process
        self.configuration = configuration
    }

    /// When ``Event/deadlineReached`` has something to do; an early, late or doubled one does no harm.
    public var nextDeadline: Instant? {
        [expiries.next, roomDeadlines.next, storesAgainAt].compactMap { $0 }.min()
    }

    /// The one door: takes what happened, appends what follows from it.
    public mutating func handle(_ event: Event, at now: Instant, into effects: inout [Effect]) {
        precondition(now >= latest, "time ran backwards: \(latest), \(now)")
        latest = now
        switch event {
        case .started: askForRooms(at: now, into: &effects)
        case .deadlineReached: meetDeadlines(at: now, into: &effects)
        case .actionAsked(let ticket, let action, let actor, let other):
            act(ticket, action, by: actor, towards: other, at: now, into: &effects)
        case .privacyAsked(let ticket, let user, let privacy):
            let number = intern(user)
            wish(.privacy(ticket, privacy), about: .settings(number), at: now, into: &effects)
            releaseIfNobody(number)
        case .concealmentChanged(let user, let isConcealed):
            conceal(user, isConcealed, at: now, into: &effects)
        case .heartbeatReceived(let user, let session, let isAway, let whereabouts):
            hold(user, by: session, isAway: isAway, whereabouts, at: now, into: &effects)
        case .sessionLeft(let user, let session): letGo(of: user, by: session, at: now, into: &effects)
        case .sessionEnded(let session): end(session, at: now, into: &effects)
        case .presenceSubscribed(let id, let user, let session):
            subscribeToPresence(id, by: user, session, into: &effects)
        case .friendshipsSubscribed(let id, let user, let session):
            subscribeToNews(id, by: user, session, into: &effects)
        case .subscriberReady(let id): makeReady(id)
        case .subscriptionClosed(let id): close(id)
        case .stored(let id): finish(id, isStored: true, at: now, into: &effects)
        case .storeFailed(let id): finish(id, isStored: false, at: now, into: &effects)
        case .roomMade(let pair, let room):
            guard let number = pairNumber(of: pair) else { break }
            wish(.room(room), about: .pair(number), at: now, into: &effects)
        case .roomFailed(let pair): delayRoom(of: pair, at: now)
        case .shared(let update): take(update, at: now, into: &effects)
        case .sharingWanted(let users): share(users, at: now, into: &effects)
        }
        deliver(into: &effects)
    }

    /// As ``handle(_:at:into:)``, for callers who want a list of their own.
    public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
        var effects: [Effect] = []
        handle(event, at: now, into: &effects)
        return effects
    }

    private mutating func meetDeadlines(at now: Instant, into effects: inout [Effect]) {
        while let number = expiries.popDue(at: now) {
            refresh(number, at: now, into: &effects)
            if configuration.canary == .forgetsToRearm { expiries.set(number, to: nil) }
        }
        while let number = roomDeadlines.popDue(at: now) { askForRoom(of: number, at: now, into: &effects) }
        storeAgain(at: now, into: &effects)
    }

    // MARK: Numbers

    func number(of user: SocialAddress) -> Int? { numbers[user].map { Int($0) } }

    /// The number of `user`, who is taken in if need be.
    mutating func intern(_ user: SocialAddress) -> Int {
        if let number = numbers[user] { return Int(number) }
        let number = free.popLast() ?? people.count
        if number == people.count {
            people.append(Person(user))
        } else {
            people[number] = Person(user)
        }
        numbers[user] = Int32(number)
        return number
    }

    /// Names alone must not fill the memory.
    mutating func releaseIfNobody(_ number: Int) {
        guard people[number].isNobody, numbers[people[number].address] == Int32(number) else { return }
        numbers[people[number].address] = nil
        expiries.set(number, to: nil)
        free.append(number)
    }

    static func key(_ one: Int, _ other: Int) -> UInt64 {
        UInt64(min(one, other)) << 32 | UInt64(max(one, other))
    }

    func pairNumber(of pair: SocialPair) -> Int? {
        guard let low = number(of: pair.low), let high = number(of: pair.high) else { return nil }
        return pairNumbers[SocialEngine.key(low, high)].map { Int($0) }
    }

    /// The number of `pair`, which is taken in if need be.
    mutating func intern(_ pair: SocialPair) -> Int {
        let (low, high) = (intern(pair.low), intern(pair.high))
        let key = SocialEngine.key(low, high)
        if let number = pairNumbers[key] { return Int(number) }
        pairs.append(PairRecord(low: Int32(low), high: Int32(high)))
        pairNumbers[key] = Int32(pairs.count - 1)
        people[low].pairs.append(Int32(pairs.count - 1))
        people[high].pairs.append(Int32(pairs.count - 1))
        return pairs.count - 1
    }

    func pair(_ number: Int) -> SocialPair {
        let record = pairs[number]
        guard let pair = SocialPair(people[record.number(.low)].address, people[record.number(.high)].address) else {
            preconditionFailure("a pair of one: \(record)")
        }
        return pair
    }
}
