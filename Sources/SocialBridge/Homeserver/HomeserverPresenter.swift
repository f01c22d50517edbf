import BridgeEngine
import HomeserverLink
import PresenceModel
import PresenceRuntime

/// Puts states at a homeserver in the name of users, and asks for those that it did not tell.
///
/// Of each user one thing is under way at a time, and the latest wins. A state that is put without a client syncing is taken
/// for gone after a minute (measured: 67 s), so it is put again while it is to stand. Facts: Synapse, how states come about.
actor HomeserverPresenter {
    private let users: ApplicationServiceUsers
    private let clock: any PresenceClock
    private let configuration: HomeserverSide.Configuration
    private var figures: [UserID: HomeserverFigure] = [:]
    /// Who is waiting for their turn.
    private var waiting: [UserID] = []
    private var begin = 0
    private var isQueued: Set<UserID> = []
    /// Who is to be put again, in the order of when.
    private var standing: [(user: UserID, at: Instant)] = []
    private var standingBegin = 0
    /// Who waits for a time of their own.
    private var resting: [(user: UserID, until: Instant)] = []
    private var inFlight = 0
    private var pausedUntil: Instant?
    private var troubles = 0
    private var nextReview = Instant.epoch
    /// Users who chose in presenced to be hidden.
    private var hidden: Set<UserID> = []
    /// Since then the homeserver answers nothing; `nil`: it does.
    private var silentSince: Instant?
    /// Everybody was told unknown in this silence.
    private var isUnknownTold = false
    private(set) var tally = HomeserverSide.Tally()

    private let wakes: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation

    init(users: ApplicationServiceUsers, clock: any PresenceClock, configuration: HomeserverSide.Configuration) {
        self.users = users
        self.clock = clock
        self.configuration = configuration
        (wakes, wakeUp) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    // MARK: What is wanted

    /// The user is to be shown so.
    func present(_ user: UserID, _ showing: Showing, isGhost: Bool) {
        change(user) { figure in
            figure.wanted = showing
            figure.isGhost = isGhost
            figure.needsPut = true
            figure.isAgain = false
        }
    }

    /// How the user is is asked for.
    func look(at user: UserID) {
        change(user) { figure in
            figure.needsLook = true
            figure.isWatched = true
            figure.looks = 0
            figure.tellsAgain = true
        }
    }

    /// The user is none any more.
    func forget(_ user: UserID) {
        figures[user] = nil
        hidden.remove(user)
    }

    /// The user is hidden, or not, whatever the homeserver says.
    /// - Returns: what the bridge is to hear, if it is news.
    func hide(_ user: UserID, _ isHidden: Bool) -> MatrixView? {
        guard isHidden ? hidden.insert(user).inserted : hidden.remove(user) != nil else { return nil }
        return isHidden ? .hidden : figures[user]?.view
    }

    private func change(_ user: UserID, _ change: (inout HomeserverFigure) -> Void) {
        change(&figures[user, default: HomeserverFigure()])
        enqueue(user)
    }

    /// The homeserver told of a user.
    /// - Returns: what the bridge is to hear, if it is news.
    /// - Parameter tellsAgain: also if it is as before.
    func take(_ presence: Presence, of user: UserID, tellsAgain: Bool = false) -> MatrixView? {
        var figure = figures[user] ?? HomeserverFigure()
        let isNews = figure.take(presence, isFirst: figure.puts.isEmpty)
        let view = (isNews || tellsAgain) && !hidden.contains(user) ? figure.view : nil
        figure.hearings += 1
        keep(figure, of: user)
        return view
    }

    private func keep(_ figure: HomeserverFigure, of user: UserID) { figures[user] = figure.isIdle ? nil : figure }

    // MARK: Turns

    /// Works until it is cancelled.
    func run(telling ears: any BridgeEars) async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.keepTime(telling: ears) }
            for await _ in wakes {
                while let user = next() {
                    group.addTask { await self.serve(user, telling: ears) }
                }
            }
            group.cancelAll()
        }
    }

    private func keepTime(telling ears: any BridgeEars) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: configuration.tick)
            let now = clock.now
            while standingBegin < standing.count, standing[standingBegin].at <= now {
                let (user, at) = standing[standingBegin]
                standingBegin += 1
                guard let figure = figures[user], figure.standsUntil == at else { continue }
                if !figure.needsPut { figures[user]?.isAgain = true }
                figures[user]?.needsPut = true
                enqueue(user)
            }
            if standingBegin > 4096 {
                standing.removeFirst(standingBegin)
                standingBegin = 0
            }
            let rested = resting.filter { $0.until <= now }
            resting.removeAll { $0.until <= now }
            for (user, _) in rested { enqueue(user) }
            if now >= nextReview {
                nextReview = now + configuration.reviewEvery
                lookAgain(at: now)
            }
            await reviewSilence(at: now, telling: ears)
            wakeUp.yield()
        }
    }

    /// Of whom nothing was heard for long nothing is known: they are not to be held online by what they were.
    private func reviewSilence(at now: Instant, telling ears: any BridgeEars) async {
        guard let since = silentSince, since + configuration.unknownAfter <= now, !isUnknownTold else { return }
        isUnknownTold = true
        for user in figures.filter({ $0.value.isWatched }).keys.sorted() where !hidden.contains(user) {
            figures[user]?.looks = 0
            figures[user]?.needsLook = true
            figures[user]?.tellsAgain = true
            enqueue(user)
            await ears.hear(.matrixReported(user, .unknown))
        }
    }

    /// Asks for those whose turn it is.
    private func lookAgain(at now: Instant) {
        let due = figures.filter { _, figure in
            figure.isWatched && !figure.needsLook && figure.nextLook.map { $0 <= now } ?? false
        }
        for user in due.keys.sorted() {
            figures[user]?.needsLook = true
            enqueue(user)
        }
    }

    private func enqueue(_ user: UserID) {
        guard isQueued.insert(user).inserted else { return }
        waiting.append(user)
        wakeUp.yield()
    }

    private func next() -> UserID? {
        let now = clock.now
        if let pausedUntil, pausedUntil > now { return nil }
        guard inFlight < configuration.inFlight else { return nil }
        while begin < waiting.count {
            let user = waiting[begin]
            begin += 1
            if begin > 4096 {
                waiting.removeFirst(begin)
                begin = 0
            }
            isQueued.remove(user)
            guard var figure = figures[user], !figure.isUnderway, figure.needsLook || figure.needsPut else { continue }
            if let notBefore = figure.notBefore, notBefore > now { continue }
            figure.isUnderway = true
            figures[user] = figure
            inFlight += 1
            return user
        }
        return nil
    }

    // MARK: One user's turn

    private func serve(_ user: UserID, telling ears: any BridgeEars) async {
        do throws(HomeserverTrouble) {
            try await lookIfNeeded(user, telling: ears)
            try await putIfNeeded(user)
            troubles = 0
            (silentSince, isUnknownTold) = (nil, false)
            figures[user]?.failures = 0
        } catch {
            await suffer(error, about: user, telling: ears)
        }
        inFlight -= 1
        figures[user]?.isUnderway = false
        if let figure = figures[user] {
            if figure.needsLook || figure.needsPut, figure.notBefore.map({ $0 <= clock.now }) ?? true { enqueue(user) }
            keep(figure, of: user)
        }
        wakeUp.yield()
    }

    private func lookIfNeeded(_ user: UserID, telling ears: any BridgeEars) async throws(HomeserverTrouble) {
        guard figures[user]?.needsLook ?? false else { return }
        let hearings = figures[user]?.hearings
        let presence = try await users.presence(of: user)
        figures[user]?.needsLook = false
        figures[user]?.notBefore = nil
        let times = configuration.looksAfter
        let place = min(figures[user]?.looks ?? 0, times.count - 1)
        figures[user]?.looks += 1
        figures[user]?.nextLook = clock.now + times[place]
        // What was told meanwhile may be later than the answer.
        guard figures[user]?.hearings == hearings else { return }
        let tellsAgain = figures[user]?.tellsAgain ?? false
        figures[user]?.tellsAgain = false
        if let view = take(presence, of: user, tellsAgain: tellsAgain) { await ears.hear(.matrixReported(user, view)) }
    }

    private func putIfNeeded(_ user: UserID) async throws(HomeserverTrouble) {
        guard let figure = figures[user], figure.needsPut, let put = figure.put, let showing = figure.wanted else {
            return
        }
        figures[user]?.needsPut = false
        // Before it leaves: the homeserver may tell of it before it answers.
        figures[user]?.notePut(put, showing)
        do throws(HomeserverTrouble) {
            try await users.put(put.state, text: put.text, of: user)
        } catch {
            figures[user]?.needsPut = true
            throw error
        }
        tally.puts += 1
        figures[user]?.notBefore = nil
        guard put.state != .offline else {
            figures[user]?.standsUntil = nil
            return
        }
        let at = clock.now + configuration.standsFor
        figures[user]?.standsUntil = at
        standing.append((user, at))
    }

    /// Who is told to come later does, without a word, and so does what only is to be put again; anything else the bridge
    /// hears, and orders again what is due then.
    private func suffer(_ trouble: HomeserverTrouble, about user: UserID, telling ears: any BridgeEars) async {
        tally.failures += 1
        let now = clock.now
        if trouble.code == .unreachable { silentSince = silentSince ?? now }
        if trouble.code == .unreachable, let wait = trouble.retryAfterMilliseconds {
            let until = now.advanced(byMilliseconds: min(max(wait, 1), configuration.pauseLimit.inMilliseconds))
            rest(user, until: until)
            return
        }
        if trouble.code == .unreachable {
            let until = pause(at: now)
            if figures[user]?.mayStillStand(at: now, for: configuration.standsGrace) ?? false {
                return rest(user, until: until)
            }
        }
        if figures[user]?.needsPut ?? false {
            figures[user]?.needsPut = false
            figures[user]?.standsUntil = nil
            await ears.hear(.presentFailed(user))
        }
        guard figures[user]?.needsLook ?? false else { return }
        // Whoever may not be asked for is not there: until the homeserver tells of them.
        guard trouble.code == .unreachable else {
            figures[user]?.needsLook = false
            return
        }
        // No later than what stands is to be put again.
        rest(user, until: min(now + configuration.lookAgain, figures[user]?.standsUntil ?? .distantFuture))
    }

    /// What was under way when the homeserver failed fails with it: one pause for all of that.
    /// - Returns: its end.
    private func pause(at now: Instant) -> Instant {
        if let pausedUntil, pausedUntil > now { return pausedUntil }
        let wait = min(
            configuration.pauseFirst.inMilliseconds << Int64(min(troubles, 20)), configuration.pauseLimit.inMilliseconds
        )
        troubles += 1
        let until = now.advanced(byMilliseconds: wait)
        pausedUntil = until
        return until
    }

    private func rest(_ user: UserID, until: Instant) {
        figures[user]?.notBefore = until
        resting.append((user, until))
    }
}
