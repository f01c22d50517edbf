import FederationEngine
import PresenceEngine
import PresenceModel

/// The one actor: it owns the engines, gives them the time, keeps one sleeper for their next deadline, and hands
/// what they order to the shells.
public actor PresenceRuntime {
    private var instance: PresenceInstance
    private let clock: any PresenceClock
    private let journal: any Journal
    private let delivery: any TransactionDelivery
    private let boot: UInt64
    private let listener: (any LocalUserListening)?

    private var wakes: [StreamID: AsyncStream<Void>.Continuation] = [:]
    private var streamCount: UInt64 = 0
    private var sleeper: Task<Void, Never>?
    private var sleepsUntil: Instant?
    private var isClosing = false
    private var isStopped = false

    /// - Parameters:
    ///   - boot: higher at every start; makes stream positions of an earlier run recognizable.
    ///   - listener: hears of local users; how they are only if the engine tells so.
    public init(
        instance: PresenceInstance, clock: any PresenceClock, journal: any Journal,
        delivery: any TransactionDelivery, boot: UInt64, listener: (any LocalUserListening)? = nil
    ) {
        self.instance = instance
        self.clock = clock
        self.journal = journal
        self.delivery = delivery
        self.boot = boot
        self.listener = listener
    }

    /// Takes in what was saved, and starts.
    public func start(from snapshot: PresenceInstance.Snapshot) {
        carryOut(instance.start(from: snapshot, at: clock.now))
    }

    /// Ends all streams, and those to come at once: their clients resume elsewhere or later.
    public func endStreams() {
        isClosing = true
        for stream in wakes.keys.sorted() { wakes[stream]?.finish() }
        wakes.removeAll()
    }

    /// Ends the streams and the sleeper, and writes what is left. Transactions under way are not waited for: what
    /// they said is said again after the next start.
    public func stop() async throws {
        isStopped = true
        endStreams()
        sleeper?.cancel()
        try await journal.settle()
    }

    /// Decides and records in one breath: no `await` in between.
    public func submit(_ event: PresenceInstance.Event) {
        carryOut(instance.handle(event, at: clock.now))
    }

    /// Looks and acts in one breath: what `decide` orders happens before anything else does.
    /// - Returns: what `decide` returns besides.
    public func submit<Outcome: Sendable>(
        deciding decide: @Sendable (PresenceEngine, Instant) -> (orders: [PresenceEngine.Event], outcome: Outcome)
    ) -> Outcome {
        let (orders, outcome) = decide(instance.presence, clock.now)
        for event in orders { submit(.presence(event)) }
        return outcome
    }

    private func carryOut(_ effects: [PresenceInstance.Effect]) {
        var records: [PresenceInstance.Record] = []
        for effect in effects {
            switch effect {
            case .wake(let stream): wakes[stream]?.yield()
            case .save(let record): records.append(record)
            case .localViewed(let user, let view): listener?.userViewed(user, as: view)
            case .send(let transaction): dispatch(transaction)
            case .standingChanged(let server, let standing):
                delivery.standingChanged(of: server, to: standing)
            }
        }
        if !records.isEmpty { journal.append(records) }
        if let listener { tell(listener, of: records) }
        rearm()
    }

    private func tell(_ listener: any LocalUserListening, of records: [PresenceInstance.Record]) {
        for case .presence(let record) in records {
            switch record {
            case .entry(let observer, let observed, _), .entryRemoved(let observer, let observed):
                listener.tieChanged(of: observer, with: observed)
            case .consent(let observed, let observer, _), .consentRemoved(let observed, let observer):
                listener.tieChanged(of: observed, with: observer)
            case .listSettings(let user, _): listener.groupsChanged(of: user)
            case .status, .deviceType, .deviceTypeRemoved, .member, .memberRemoved, .remote, .remoteRemoved: break
            }
        }
    }

    private func dispatch(_ transaction: OutgoingTransaction) {
        guard !isStopped else { return }
        Task {
            // What a transaction promises is on disk before it leaves; a disk that fails is no reason to say nothing.
            try? await journal.settle()
            let outcome = await delivery.deliver(transaction)
            switch outcome {
            case .delivered:
                submit(.federation(.delivered(to: transaction.destination, transaction: transaction.id)))
            case .failed(let failure):
                submit(
                    .federation(.deliveryFailed(to: transaction.destination, transaction: transaction.id, failure)))
            }
        }
    }

    /// Sleeps until the engines' next deadline. An early awakening does no harm, so a later deadline moves nothing.
    private func rearm() {
        guard !isStopped, let next = instance.nextDeadline else { return }
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
}

// What clients ask and do.
extension PresenceRuntime {
    /// Sets a local user's state and text; returns when the choice is on disk.
    /// - Throws: what the journal throws; the choice holds until the next restart then.
    public nonisolated func choose(_ state: ChosenState, text: String?, on key: DeviceKey) async throws {
        await submit(.presence(.statusChosen(key, state, text: text)))
        try await journal.settle()
    }

    /// Does what a local user asks for; returns when it is on disk.
    /// - Throws: ``PresenceEngine/Refusal`` if it cannot be done, and nothing changed then; or what the journal throws,
    ///   and it holds until the next restart then.
    public nonisolated func perform(_ event: PresenceEngine.Event) async throws {
        if let refusal = await submitUnlessRefused(event) { throw refusal }
        try await journal.settle()
    }

    private func submitUnlessRefused(_ event: PresenceEngine.Event) -> PresenceEngine.Refusal? {
        if let refusal = instance.presence.refusal(of: event) { return refusal }
        submit(.presence(event))
        return nil
    }

    /// Takes in what another server sent; returns when what it asked for is on disk. What it merely reported is
    /// written behind.
    /// - Throws: what the journal throws; the other server sends the transaction again then.
    public nonisolated func take(
        _ messages: [PresenceMessage], permissions: [PermissionMessage] = [], transaction: String,
        from origin: ServerName
    ) async throws {
        await submit(
            .federation(.received(from: origin, transaction: transaction, messages, permissions: permissions)))
        let asks = messages.contains { !$0.poll.isEmpty || !$0.watch.isEmpty || !$0.unpoll.isEmpty }
        if asks || !permissions.isEmpty { try await journal.settle() }
    }

    /// Looks at the users of this server at one instant, which ages are counted to.
    public func read<Value: Sendable>(_ look: @Sendable (PresenceEngine, Instant) -> Value) -> Value {
        look(instance.presence, clock.now)
    }

    /// Looks at both engines at one instant: for the operator's questions.
    public func inspect<Value: Sendable>(_ look: @Sendable (PresenceInstance, Instant) -> Value) -> Value {
        look(instance, clock.now)
    }

    /// Whether anything is exchanged with a server, or was lately.
    public func isPeer(_ server: ServerName) -> Bool { instance.federation.isPeer(server) }

    /// The federation engine's counts since the start.
    public var tally: FederationEngine.Tally { instance.federation.tally }
}

// Streams.
extension PresenceRuntime {
    /// Where a stream stands: a run of this server, and a version in it.
    public struct StreamPosition: Hashable, Sendable {
        /// The run that the version is of; a position of another run means from the start.
        public var boot: UInt64
        /// Up to where in it the stream was told.
        public var reached: PresenceEngine.Position

        /// Of no run: whoever reads on from here gets everyone.
        public static let beginning = StreamPosition(boot: 0, reached: PresenceEngine.Position(version: 0, own: 0))

        /// A position in the run `boot`.
        public init(boot: UInt64, reached: PresenceEngine.Position) {
            self.boot = boot
            self.reached = reached
        }
    }

    /// A stream that is open: its number, and a wake for every time that there is something new. Several wakes that
    /// are not listened to are one.
    public struct OpenStream: Sendable {
        /// Unique within a run of this server.
        public let id: StreamID
        /// Ends when the stream is closed or the server stops.
        public let wakes: AsyncStream<Void>
        fileprivate let continuation: AsyncStream<Void>.Continuation

        /// Wakes the listener without cause.
        public func wake() { continuation.yield() }

        /// No more wakes.
        public func end() { continuation.finish() }
    }

    /// What a stream shows next.
    public struct Batch: Sendable {
        /// In the order of the changes; empty if the stream is over.
        public var sightings: [PresenceEngine.Sighting]
        /// The observer themself, if there is something new.
        public var own: PresenceEngine.OwnState?
        /// To be given as `since` the next time; of a stream that is over, where it stood before.
        public var position: StreamPosition
        /// These are all whom the observer sees: who is not among them is not seen any more.
        public var isSnapshot: Bool
        /// The instant that ages are counted to.
        public var now: Instant
        /// The device lost its token, or the server stops: nothing more comes.
        public var isOver: Bool

        /// Nothing to show.
        public var isEmpty: Bool { sightings.isEmpty && own == nil }
    }

    /// Opens a stream; unless it is not to touch presence, its device is connected until ``closeStream(_:)``. While the
    /// server stops, `wakes` ends at once.
    public func openStream(on key: DeviceKey, _ presence: SetPresence = .online) -> OpenStream {
        streamCount += 1
        let id = StreamID(streamCount)
        let (wakeStream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        if isClosing {
            continuation.finish()
        } else {
            wakes[id] = continuation
        }
        submit(.presence(.streamOpened(id, key, presence)))
        return OpenStream(id: id, wakes: wakeStream, continuation: continuation)
    }

    /// Ends the stream's wakes, and its hold on the device.
    public func closeStream(_ id: StreamID) {
        wakes.removeValue(forKey: id)?.finish()
        submit(.presence(.streamClosed(id)))
    }

    /// As ``openStream(on:_:)`` for somebody whom nobody needs to wake, because they wait for something else: a sync.
    public func openSync(on key: DeviceKey, _ presence: SetPresence) -> StreamID {
        streamCount += 1
        let id = StreamID(streamCount)
        submit(.presence(.streamOpened(id, key, presence)))
        return id
    }

    /// What is new for `observer` since `position`; with `nil` or a position of an earlier run, everyone visible.
    public func changes(for observer: UserID, on stream: StreamID, since position: StreamPosition?) -> Batch {
        let after = position.flatMap { position -> PresenceEngine.Position? in
            guard position.boot == boot, position.reached.version <= instance.presence.version else { return nil }
            return position.reached
        }
        let changes = instance.presence.changes(for: observer, after: after)
        let isOver = isClosing || !instance.presence.isOpen(stream)
        return Batch(
            sightings: isOver ? [] : changes.sightings, own: isOver ? nil : changes.own,
            position: isOver ? position ?? .beginning : StreamPosition(boot: boot, reached: changes.position),
            isSnapshot: changes.isSnapshot && !isOver, now: clock.now, isOver: isOver)
    }

    /// As ``changes(for:on:since:)``, together with those whom the homeserver shows the observer coming into rooms:
    /// `newcomers`, and everyone in `rooms`, which the observer came into. They are there whether they changed or not;
    /// nobody is there twice.
    public func changes(
        for observer: UserID, on stream: StreamID, since position: StreamPosition?,
        besides newcomers: [PresenceEngine.Newcomer], membersOf rooms: [RoomID]
    ) -> Batch {
        var batch = changes(for: observer, on: stream, since: position)
        guard !batch.isOver, !newcomers.isEmpty || !rooms.isEmpty else { return batch }
        batch.sightings += instance.presence.sightings(
            of: newcomers, membersOf: rooms, by: observer, besides: Set(batch.sightings.map(\.user)))
        return batch
    }
}
