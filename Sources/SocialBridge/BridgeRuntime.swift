import BridgeEngine
import PresenceModel
import PresenceRuntime

/// The actor around ``BridgeEngine``: it gives it the time, keeps one sleeper for its next deadline, and hands what it
/// orders to the two sides, rows first.
///
/// What a step orders leaves when the rows of that step, and of all steps before it, are on disk: so the bridge knows
/// its own words again after a fall. Steps that come while rows are being written share the next transaction. A disk
/// that fails is no reason to say nothing: orders leave, and the rows are written with the next ones.
public actor BridgeRuntime: BridgeEars {
    private var engine: BridgeEngine
    private let clock: any PresenceClock
    private let journal: any BridgeJournal
    private let social: any SocialSide
    private let matrix: any MatrixSide
    private let note: @Sendable (Word) -> Void

    private var outbox = Outbox()
    private var sleeper: Task<Void, Never>?
    private var sleepsUntil: Instant?
    private var isStopped = false
    private var stopping: [CheckedContinuation<Void, Never>] = []

    /// What is worth a line in the log.
    public enum Word: Sendable {
        case engine(BridgeEngine.Note)
        /// Rows could not be written; they are kept and tried with the next ones.
        case unwritten(rows: Int, reason: String)
    }

    /// - Parameter note: returns at once.
    public init(
        engine: BridgeEngine, clock: any PresenceClock, journal: any BridgeJournal, social: any SocialSide,
        matrix: any MatrixSide, note: @escaping @Sendable (Word) -> Void = { _ in }
    ) {
        self.engine = engine
        self.clock = clock
        self.journal = journal
        self.social = social
        self.matrix = matrix
        self.note = note
    }

    /// Takes in what was saved, once and first.
    public func start(from records: [BridgeEngine.Record]) { submit(.restored(records)) }

    /// Both sides at work, until it is cancelled.
    public func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.social.run(telling: self) }
            group.addTask { await self.matrix.run(telling: self) }
        }
    }

    /// No deadline has an effect any more; returns when nothing is being written.
    public func stop() async {
        isStopped = true
        sleeper?.cancel()
        guard outbox.isWriting else { return }
        await withCheckedContinuation { stopping.append($0) }
    }

    /// Decides in one breath: no `await` in between.
    public func submit(_ event: BridgeEngine.Event) {
        guard !isStopped else { return }
        var effects: [BridgeEngine.Effect] = []
        engine.handle(event, at: clock.now, into: &effects)
        outbox.add(effects)
        advance()
        rearm()
    }

    /// As ``submit(_:)``.
    public func hear(_ event: BridgeEngine.Event) { submit(event) }

    /// As ``submit(_:)``; returns when what it changed is on disk.
    /// - Throws: when it could not be written; it holds until the next restart then, and is tried again.
    public func perform(_ event: BridgeEngine.Event) async throws {
        submit(event)
        try await settle()
    }

    /// Looks at the engine at one instant.
    public func read<Value: Sendable>(_ look: @Sendable (BridgeEngine, Instant) -> Value) -> Value {
        look(engine, clock.now)
    }

    /// Returns when everything so far is on disk.
    private func settle() async throws {
        guard outbox.isWriting || outbox.hasRows else { return }
        let failure = await withCheckedContinuation { waiter in
            outbox.await(waiter)
            // Rows that the disk refused before wait for a reason to be tried again, and this is one.
            advance()
        }
        if let failure { throw failure }
    }

    // MARK: Orders

    private func advance() {
        for effect in outbox.takeReady() { carryOut(effect) }
        guard let rows = outbox.beginWriting() else { return }
        Task {
            var failure: (any Error)?
            do {
                try await journal.write(rows)
            } catch {
                failure = error
                note(.unwritten(rows: rows.count, reason: "\(error)"))
            }
            for waiter in outbox.endWriting(rows, failure) { waiter.resume(returning: failure) }
            advance()
            guard !outbox.isWriting else { return }
            for waiter in stopping { waiter.resume() }
            stopping = []
        }
    }

    private func carryOut(_ effect: BridgeEngine.Effect) {
        switch effect {
        case .openSession(let address, let user): social.carryOut(.openSession(address, for: user))
        case .closeSession(let address): social.carryOut(.closeSession(address))
        case .heartbeat(let address, let whereabouts, let state):
            social.carryOut(.heartbeat(address, whereabouts, state))
        case .stop(let address): social.carryOut(.stop(address))
        case .actSocially(let actor, let action, let other):
            social.carryOut(.act(actor, action, towards: other))
        case .readFriendships(let address): social.carryOut(.readFriendships(address))
        case .present(let user, let showing, let guise): matrix.carryOut(.present(user, showing, as: guise))
        case .makeGhost(let user, let address): matrix.carryOut(.makeGhost(user, for: address))
        case .editList(let user, let action, let other): matrix.carryOut(.editList(user, action, towards: other))
        case .readList(let user): matrix.carryOut(.readList(user))
        case .note(let words): note(.engine(words))
        case .save: break
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
}
