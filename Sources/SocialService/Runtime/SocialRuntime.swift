import PresenceModel
import PresenceRuntime
import SocialEngine

/// The actor around ``SocialEngine``: it gives it the time, keeps one sleeper for its next deadline, writes what is to
/// be kept, and hands what it orders to those concerned.
public actor SocialRuntime: SocialPopulation {
    private var engine: SocialEngine
    private let clock: any PresenceClock
    private let journal: any SocialJournal
    private let outside: any SocialOutside
    private let sharing: (any PopulationSharing)?

    private var ticketCount: UInt64 = 0
    private var subscriptionCount: UInt64 = 0
    private var asking: [SocialTicket: CheckedContinuation<SocialEngine.Answer, Never>] = [:]
    private var takers: [SocialSubscriptionID: Taker] = [:]
    private var open: Set<SocialSubscriptionID> = []
    private var sleeper: Task<Void, Never>?
    private var sleepsUntil: Instant?
    private var writing = 0
    private var stopping: [CheckedContinuation<Void, Never>] = []
    private var isStopped = false

    private enum Taker {
        case presence(CheckedContinuation<PresenceBatch?, Never>)
        case news(CheckedContinuation<[FriendshipNews]?, Never>)

        func end() {
            switch self {
            case .presence(let taker): taker.resume(returning: nil)
            case .news(let taker): taker.resume(returning: nil)
            }
        }
    }

    /// - Parameter sharing: `nil`: this process has the population to itself. Must agree with the engine's
    ///   configuration.
    public init(
        engine: SocialEngine, clock: any PresenceClock, journal: any SocialJournal,
        outside: any SocialOutside = NoOutside(), sharing: (any PopulationSharing)? = nil
    ) {
        precondition(engine.configuration.isShared == (sharing != nil), "shared with nobody, or unawares")
        self.engine = engine
        self.clock = clock
        self.journal = journal
        self.outside = outside
        self.sharing = sharing
    }

    /// Takes in what was saved, and starts.
    public func start(from snapshot: SocialEngine.Snapshot) {
        engine.restore(snapshot)
        submit(.started)
    }

    /// Ends all subscriptions and the sleeper; returns when nothing is being written any more. What is asked for later
    /// is refused as not stored.
    public func stop() async {
        isStopped = true
        sleeper?.cancel()
        for id in open.sorted() { close(id) }
        guard writing > 0 else { return }
        await withCheckedContinuation { stopping.append($0) }
    }

    /// Decides and records in one breath: no `await` in between.
    public func submit(_ event: SocialEngine.Event) {
        var effects: [SocialEngine.Effect] = []
        engine.handle(event, at: clock.now, into: &effects)
        for effect in effects { carryOut(effect) }
        rearm()
    }

    private func carryOut(_ effect: SocialEngine.Effect) {
        switch effect {
        case .store(let id, let records): store(id, records)
        case .answered(let ticket, let answer): asking.removeValue(forKey: ticket)?.resume(returning: answer)
        case .showPresence(let id, let batch):
            guard case .presence(let taker)? = takers.removeValue(forKey: id) else { break }
            taker.resume(returning: batch)
        case .tellNews(let id, let news):
            guard case .news(let taker)? = takers.removeValue(forKey: id) else { break }
            taker.resume(returning: news)
        case .endSubscription(let id):
            open.remove(id)
            takers.removeValue(forKey: id)?.end()
        case .makeRoom(let pair): outside.roomWanted(for: pair)
        case .userAppeared(let user): outside.userAppeared(user)
        case .userLeft(let user): outside.userLeft(user)
        case .share(let update): sharing?.share(update)
        }
    }

    private func store(_ id: SocialEngine.StoreID, _ records: [SocialEngine.Record]) {
        writing += 1
        Task {
            do {
                try await journal.write(records)
                submit(.stored(id))
            } catch {
                submit(.storeFailed(id))
            }
            writing -= 1
            guard writing == 0 else { return }
            for waiter in stopping { waiter.resume() }
            stopping.removeAll()
        }
    }

    /// An early awakening does no harm, so a later deadline moves nothing.
    private func rearm() {
        guard !isStopped, let next = engine.nextDeadline else { return }
        if let sleepsUntil, sleepsUntil <= next { return }
        sleeper?.cancel()
        sleepsUntil = next
        let wait = next.milliseconds(since: clock.now)
        sleeper = Task {
            if wait > 0 { try? await Task.sleep(for: .milliseconds(wait)) }
            guard !Task.isCancelled else { return }
            sleepsUntil = nil
            submit(.deadlineReached)
        }
    }

    private func ask(_ event: (SocialTicket) -> SocialEngine.Event) async -> SocialEngine.Answer {
        guard !isStopped else { return .refused(.notStored) }
        ticketCount += 1
        let ticket = SocialTicket(ticketCount)
        return await withCheckedContinuation { continuation in
            asking[ticket] = continuation
            submit(event(ticket))
        }
    }
}

// What procedures ask and tell.
extension SocialRuntime {
    /// Returns what the actor is told, once it is on disk.
    /// - Throws: ``FriendshipRefusal``: nothing changed.
    public func act(
        _ action: FriendshipAction, by actor: SocialAddress, towards other: SocialAddress
    ) async throws(FriendshipRefusal) -> FriendshipNews {
        switch await ask({ .actionAsked($0, action, by: actor, towards: other) }) {
        case .acted(let news): return news
        case .refused(let refusal): throw refusal
        case .done: preconditionFailure("an action without news: \(action)")
        }
    }

    /// Returns once it is on disk.
    /// - Throws: ``FriendshipRefusal/notStored`` or ``FriendshipRefusal/tooOften``: nothing changed.
    public func setPrivacy(of user: SocialAddress, to privacy: SocialPrivacy) async throws(FriendshipRefusal) {
        if case .refused(let refusal) = await ask({ .privacyAsked($0, user, privacy) }) { throw refusal }
    }

    /// Sorted.
    public func friends(of user: SocialAddress) -> [SocialAddress] { engine.friends(of: user) }

    /// Sorted; nobody, if either blocks the other.
    public func mutualFriends(of user: SocialAddress, and other: SocialAddress) -> [SocialAddress] {
        engine.mutualFriends(of: user, and: other)
    }

    /// Sorted; those whom `user` may see online or away.
    public func onlineFriends(of user: SocialAddress) -> [SocialAddress] { engine.onlineFriends(of: user) }

    /// In the order in which they were made.
    public func requests(of user: SocialAddress) -> (outgoing: [FriendRequest], incoming: [FriendRequest]) {
        engine.requests(of: user)
    }

    /// Sorted.
    public func blocked(by user: SocialAddress) -> [SocialAddress] { engine.blocked(by: user) }

    /// What the user chose; full, if nothing.
    public func privacy(of user: SocialAddress) -> SocialPrivacy { engine.settings(of: user).privacy }

    /// The user is there, by this session. - Parameter whereabouts: `nil`: those of before.
    public func heartbeat(of user: SocialAddress, on session: SocialSessionID, whereabouts: Whereabouts?) {
        submit(.heartbeatReceived(user, session, isAway: false, whereabouts))
    }

    /// As a heartbeat of somebody who is there, but not at the keyboard.
    public func heartbeatAway(of user: SocialAddress, on session: SocialSessionID, whereabouts: Whereabouts?) {
        submit(.heartbeatReceived(user, session, isAway: true, whereabouts))
    }

    /// The user is not there any more, by this session; others may hold them.
    public func leave(of user: SocialAddress, on session: SocialSessionID) { submit(.sessionLeft(user, session)) }

    /// The user chose elsewhere to be seen by nobody, or not any more. Holds at once, and is written behind.
    public func setConcealment(of user: SocialAddress, to isConcealed: Bool) {
        submit(.concealmentChanged(user, isConcealed: isConcealed))
    }

    /// Its users stay for the grace, its subscriptions end.
    public func sessionEnded(_ session: SocialSessionID) { submit(.sessionEnded(session)) }

    /// Answers ``SocialOutside/roomWanted(for:)``.
    public func roomMade(for pair: SocialPair, _ room: RoomID) { submit(.roomMade(pair, room)) }

    /// Answers ``SocialOutside/roomWanted(for:)``: asked again later.
    public func roomFailed(for pair: SocialPair) { submit(.roomFailed(pair)) }

    /// Looks at the engine at one instant.
    public func read<Value: Sendable>(_ look: @Sendable (SocialEngine, Instant) -> Value) -> Value {
        look(engine, clock.now)
    }
}

// Subscriptions.
extension SocialRuntime {
    /// First a snapshot, then changes, from now on. At most one task iterates it; it ends with the session, with the
    /// population, or when nobody holds it.
    public func presenceUpdates(
        for user: SocialAddress, on session: SocialSessionID
    ) -> any AsyncSequence<PresenceBatch, Never> & Sendable {
        let id = nextSubscription()
        if !isStopped { submit(.presenceSubscribed(id, by: user, session)) }
        return SocialSubscription<PresenceBatch>(lease: SubscriptionLease(id, of: self)) { [unowned self] id in
            await take(id) { .presence($0) }
        }
    }

    /// What happens from now on. At most one task iterates it; it ends with the session, with the population, when
    /// nobody holds it, or when too much was not taken.
    public func friendshipUpdates(
        for user: SocialAddress, on session: SocialSessionID
    ) -> any AsyncSequence<[FriendshipNews], Never> & Sendable {
        let id = nextSubscription()
        if !isStopped { submit(.friendshipsSubscribed(id, by: user, session)) }
        return SocialSubscription<[FriendshipNews]>(lease: SubscriptionLease(id, of: self)) { [unowned self] id in
            await take(id) { .news($0) }
        }
    }

    /// All that is between the user and others, and what happens from that instant on: nothing is missing between the
    /// two, and nothing in both. Otherwise as ``friendshipUpdates(for:on:)``.
    public func followFriendships(
        of user: SocialAddress, on session: SocialSessionID
    ) -> (standing: StandingFriendships, news: any AsyncSequence<[FriendshipNews], Never> & Sendable) {
        let news = friendshipUpdates(for: user, on: session)
        let requests = engine.requests(of: user)
        let standing = StandingFriendships(
            friends: engine.friends(of: user), outgoing: requests.outgoing, incoming: requests.incoming,
            blocked: engine.blocked(by: user))
        return (standing, news)
    }

    private func nextSubscription() -> SocialSubscriptionID {
        subscriptionCount += 1
        let id = SocialSubscriptionID(subscriptionCount)
        if !isStopped { open.insert(id) }
        return id
    }

    /// The next element, when there is one; `nil` when the subscription ended, or whoever asks is cancelled.
    private func take<Element: Sendable>(
        _ id: SocialSubscriptionID, _ taker: (CheckedContinuation<Element?, Never>) -> Taker
    ) async -> Element? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard open.contains(id), takers[id] == nil, !Task.isCancelled else {
                    return continuation.resume(returning: nil)
                }
                takers[id] = taker(continuation)
                submit(.subscriberReady(id))
            }
        } onCancel: {
            Task { await close(id) }
        }
    }

    func close(_ id: SocialSubscriptionID) {
        guard open.remove(id) != nil else { return }
        submit(.subscriptionClosed(id))
        takers.removeValue(forKey: id)?.end()
    }
}
