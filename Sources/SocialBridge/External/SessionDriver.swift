import BridgeEngine
import PresenceModel
import SocialEngine

/// One linked user's sessions, life after life, and what is said and done in the user's name.
///
/// Heartbeats are never queued: while one is under way the latest of those that came waits, and a word that the user
/// left takes its place. Acts are done one after the other. Acts and readings take turns: an act that is done while a
/// reading is made could be told before the reading that does not know of it yet, which would look as if somebody had
/// taken it back.
actor SessionDriver {
    /// What is said about the user being there.
    private enum Word {
        case heartbeat(Whereabouts?, FriendState)
        case leave
    }

    private struct Act {
        var action: FriendshipAction
        var other: SocialAddress
    }

    /// Acts that wait for the one under way; past it they fail.
    static let actsLimit = 256

    let address: SocialAddress
    let user: UserID
    private let shared: Shared

    /// What all drivers of one side share.
    struct Shared: Sendable {
        let service: any BridgedService
        let credentials: any SessionCredentials
        let pauses: SessionPauses
        let tally: SessionTally
        let seats: SessionSeats
        let ears: any BridgeEars
    }

    /// Kept over lives, and with it the place on a connection.
    private var held: (session: any BridgedSession, credential: SessionCredential?, wakes: Int)?
    /// The life that goes on, once the service took the credential.
    private var open: (any BridgedSession)?
    private var life: Task<any Error, Never>?
    private var main: Task<Void, Never>?
    /// Lives that are over: answers may come later than the life in which was asked.
    private var livesOver = 0
    /// Why the life is over, known from elsewhere than its own streams.
    private var lifeEnd: BridgedSessionError?
    private var isClosing = false

    private var word: Word?
    private var saying: Task<Void, Never>?
    private var acts: [Act] = []
    private var acting: Task<Void, Never>?
    private var readingNeeded = false
    private var isReading = false
    /// Whom the act under way is about, and whether news of that user's doing came meanwhile.
    private var actingTowards: (other: SocialAddress, isCrossed: Bool)?

    /// Counts reasons to try again at once.
    private var wakes = 0
    private var sleeper: Task<Void, Never>?

    init(_ address: SocialAddress, of user: UserID, _ shared: Shared) {
        self.address = address
        self.user = user
        self.shared = shared
    }

    // MARK: Orders

    /// Starts, when `previous` of the same address is over.
    func start(after previous: SessionDriver?) {
        main = Task {
            await previous?.finished()
            await run()
        }
    }

    /// Nothing is told any more; a word that is under way or due is still said.
    func close() {
        guard !isClosing else { return }
        isClosing = true
        main = Task { [main, saying] in
            await saying?.value
            main?.cancel()
            await main?.value
        }
    }

    /// Returns when nothing of it goes on.
    func finished() async { await main?.value }

    func heartbeat(_ whereabouts: Whereabouts?, _ state: FriendState) {
        guard open != nil, !isClosing else { return }
        word = .heartbeat(whereabouts, state)
        say()
    }

    func leave() {
        guard open != nil, !isClosing else { return }
        word = .leave
        say()
    }

    func act(_ action: FriendshipAction, towards other: SocialAddress) async {
        guard open != nil, !isClosing else { return }
        guard acts.count < SessionDriver.actsLimit else {
            return await tell(.actFailed(address, action, towards: other))
        }
        acts.append(Act(action: action, other: other))
        actOrRead()
    }

    func readFriendships() {
        guard open != nil, !isClosing else { return }
        readingNeeded = true
        actOrRead()
    }

    /// There may be a credential now.
    func wake() {
        wakes += 1
        sleeper?.cancel()
    }

    // MARK: Lives

    private func run() async {
        shared.tally.noteTried(1)
        var failures = 0
        while !Task.isCancelled {
            let wakesBefore = wakes
            let began = ContinuousClock.now
            let failure = await live()
            guard !Task.isCancelled else { break }
            shared.tally.note(failure, of: address)
            if ContinuousClock.now - began > shared.pauses.settledAfter { failures = 0 }
            // Whoever makes the connection has pauses that grow: two of them would add up.
            if failure.kind.isOfConnection, await held?.session.waitsForConnection ?? false { failures = 0 }
            failures += 1
            if wakes == wakesBefore || !failure.kind.isOfCredentials {
                let pause = shared.pauses.duration(after: failure.kind, failures: failures)
                await sleep(failure.kind == .noCredential ? nil : pause)
            }
            if wakes != wakesBefore, failure.kind.isOfCredentials { failures = 0 }
        }
        await letGo()
        acting?.cancel()
        await acting?.value
        await saying?.value
        shared.tally.noteTried(-1)
    }

    /// - Parameter duration: `nil`: until somebody wakes it.
    private func sleep(_ duration: Duration?) async {
        let sleeping = Task<Void, Never> { try? await Task.sleep(for: duration ?? .hours(24)) }
        sleeper = sleeping
        await withTaskCancellationHandler {
            await sleeping.value
        } onCancel: {
            sleeping.cancel()
        }
        sleeper = nil
    }

    /// One life, from the credential to the end. - Returns: why it ended.
    private func live() async -> BridgedSessionError {
        let failure: BridgedSessionError
        do throws(BridgedSessionError) {
            failure = await live(with: try await session())
        } catch {
            return error
        }
        guard failure.kind == .unauthorized, let credential = held?.credential else { return failure }
        await letGo()
        await shared.credentials.refused(credential, of: user)
        return failure
    }

    /// The session that lived before, unless there may be another credential now.
    private func session() async throws(BridgedSessionError) -> any BridgedSession {
        if let held, held.wakes == wakes { return held.session }
        await letGo()
        let wakesBefore = wakes
        var credential: SessionCredential?
        if shared.service.takesCredentials {
            do throws(CredentialTrouble) {
                credential = try await shared.credentials.credential(of: user, at: address)
            } catch {
                throw BridgedSessionError(error)
            }
        }
        if await !shared.seats.takeAtOnce() {
            shared.tally.note(
                BridgedSessionError(.connectionsFull, "it waits for a connection of its own"), of: address)
            guard await shared.seats.take() else { throw BridgedSessionError(.lost, "cancelled") }
        }
        do throws(BridgedSessionError) {
            let session = try await shared.service.session(of: user, at: address, with: credential)
            held = (session, credential, wakesBefore)
            return session
        } catch {
            await shared.seats.giveBack()
            if error.kind == .unauthorized, let credential { await shared.credentials.refused(credential, of: user) }
            throw error
        }
    }

    private func letGo() async {
        guard let session = held?.session else { return }
        held = nil
        await session.close()
        await shared.seats.giveBack()
    }

    private func live(with session: any BridgedSession) async -> BridgedSessionError {
        isReading = true
        let life = Task { () -> any Error in
            do {
                try await session.follow { word in await self.hear(word, from: session) }
                return BridgedSessionError(.lost, "the session ended")
            } catch {
                return error
            }
        }
        self.life = life
        var ending = await withTaskCancellationHandler {
            await life.value
        } onCancel: {
            life.cancel()
        }
        if let refused = lifeEnd { ending = refused }
        (self.life, lifeEnd) = (nil, nil)
        livesOver += 1
        await end()
        return ending as? BridgedSessionError ?? BridgedSessionError(.lost, "\(ending)")
    }

    private func end() async {
        let wasOpen = open != nil
        open = nil
        word = nil
        (isReading, readingNeeded) = (false, false)
        let left = acts
        acts = []
        if wasOpen { shared.tally.noteOpen(-1) }
        for act in left { await tell(.actFailed(address, act.action, towards: act.other)) }
        if wasOpen { await tell(.sessionLost(address)) }
    }

    private func tell(_ event: BridgeEngine.Event) async {
        guard !isClosing else { return }
        await shared.ears.hear(event)
    }

    private func hear(_ word: BridgedWord, from session: any BridgedSession) async {
        switch word {
        case .opened:
            guard open == nil else { return }
            open = session
            shared.tally.noteOpen(1)
            await tell(.sessionOpened(address))
        case .snapshot(let sightings): await tell(.snapshotReported(sightings, seenBy: address))
        case .changed(let sightings): await tell(.socialReported(sightings, seenBy: address))
        case .read(let reading):
            await tell(.friendshipsRead(reading, seenBy: address))
            isReading = false
            actOrRead()
        case .happened(let news):
            for item in news {
                if let towards = actingTowards, towards.other == item.other, !item.isOwn {
                    actingTowards?.isCrossed = true
                }
                await tell(.friendshipReported(item, seenBy: address))
            }
        }
    }

    // MARK: What is said and done

    private func say() {
        guard saying == nil, let session = open, let due = word else { return }
        word = nil
        saying = Task { [asked = livesOver] in
            do {
                switch due {
                case .heartbeat(let whereabouts, let state):
                    if try await session.heartbeat(whereabouts, state) { shared.tally.noteHeartbeat() }
                case .leave: try await session.leave()
                }
            } catch {
                note(error, asked: asked)
            }
            saying = nil
            say()
            // Whoever waits for the last word waits for the one after it too.
            await saying?.value
        }
    }

    /// A reading goes before acts that wait: what they are based on may be wrong.
    private func actOrRead() {
        guard acting == nil, !isReading, let session = open else { return }
        if readingNeeded {
            readingNeeded = false
            isReading = true
            return session.reread()
        }
        guard !acts.isEmpty else { return }
        let act = acts.removeFirst()
        actingTowards = (act.other, false)
        acting = Task {
            await carryOut(act, session)
            // What the other did meanwhile may have been told before the answer, and yet have come after the act.
            if actingTowards?.isCrossed == true { readingNeeded = true }
            actingTowards = nil
            acting = nil
            actOrRead()
        }
    }

    private func carryOut(_ act: Act, _ session: any BridgedSession) async {
        let asked = livesOver
        do {
            try await session.act(act.action, towards: act.other)
            await tell(.actAnswered(address, act.action, towards: act.other))
        } catch let error as BridgedSessionError {
            if let refusal = error.refusal {
                await tell(.actRefused(address, act.action, towards: act.other, refusal))
            } else {
                note(error, asked: asked)
                await tell(.actFailed(address, act.action, towards: act.other))
            }
        } catch {
            await tell(.actFailed(address, act.action, towards: act.other))
        }
    }

    /// Who is not let in any more has no life to go on with. What a life hears that is over says nothing of the next
    /// one's credential.
    /// - Parameter asked: ``livesOver`` when it was asked.
    private func note(_ error: any Error, asked: Int) {
        guard let error = error as? BridgedSessionError else { return }
        guard error.kind == .unauthorized, asked == livesOver else { return shared.tally.note(error) }
        lifeEnd = error
        life?.cancel()
    }
}

extension BridgedSessionError.Kind {
    /// Another credential may end it.
    fileprivate var isOfCredentials: Bool {
        switch self {
        case .unauthorized, .noCredential, .credentialsUnavailable: true
        default: false
        }
    }

    /// It ends with the connection.
    fileprivate var isOfConnection: Bool { self == .lost || self == .unreachable || self == .timedOut }
}

extension BridgedSessionError {
    init(_ trouble: CredentialTrouble) {
        switch trouble {
        case .none: self.init(.noCredential, "there is no credential")
        case .expired: self.init(.noCredential, "the credential is over, or was refused")
        case .refused(let reason): self.init(.unauthorized, reason)
        case .unavailable(let reason): self.init(.credentialsUnavailable, reason)
        }
    }
}
