import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

// What is asked of the homeserver, round by round.
extension RoomCensus {
    /// Works until the task is cancelled: whenever there is something to do, and at every tick.
    public func run() async {
        guard await introduce() else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                while !Task.isCancelled {
                    wake()
                    try? await Task.sleep(for: configuration.tick)
                }
            }
            group.addTask { [self] in
                for await _ in wakes {
                    if Task.isCancelled { break }
                    await round()
                }
            }
            await group.waitForAll()
        }
    }

    /// One round; nothing is asked while the homeserver is let be.
    func round() async {
        guard !isPaused else { return }
        await leaveInvites()
        if configuration.bootstrap == .admin { await listAllRooms() }
        if configuration.bootstrap == .lazy { await askForRooms() }
        await reviewRooms()
        await fetchLists()
        await forgetDeactivated()
    }

    /// Asks whom the homeserver takes us for, until it answers. From then on it knows the registration, and nothing that
    /// happens in a room is kept from us: only now lists may be fetched.
    /// - Returns: false if the task was cancelled.
    private func introduce() async -> Bool {
        while !Task.isCancelled {
            do throws(HomeserverTrouble) {
                let user = try await client.ownUser()
                if !user.isHosted(by: server) {
                    logger.error(
                        "the homeserver is another than server_name says; it is asked nothing further",
                        metadata: ["server_name": "\(server)", "homeserver": "\(user.server)"])
                    return false
                }
                recovered()
                await ping()
                return true
            } catch {
                if error.isRefusal(401, 403) {
                    logger.error(
                        """
                        the homeserver does not know the application service; name the registration in its \
                        configuration (Synapse: app_service_config_files) and restart it
                        """,
                        metadata: ["reason": "\(error.message)"])
                }
                pause(after: error)
                await waitOutPause()
            }
        }
        return false
    }

    /// A few times: our own listener may not be up yet.
    private func ping() async {
        for triesLeft in (0..<4).reversed() {
            do throws(HomeserverTrouble) {
                try await client.ping(transaction: "presenced-\(clock.now.millisecondsSinceEpoch)")
                return
            } catch {
                // Older homeservers have no ping.
                guard !error.isRefusal(404, 405), !Task.isCancelled else { return }
                guard triesLeft == 0 else {
                    try? await Task.sleep(for: configuration.pauseFirst)
                    continue
                }
                logger.warning(
                    "the homeserver could not reach presenced; check url in the registration",
                    metadata: ["reason": "\(error.message)"])
            }
        }
    }

    // MARK: Pauses

    var isPaused: Bool {
        let now = clock.now
        return state.withLock { $0.pausedUntil > now }
    }

    /// The homeserver did not answer, or asked for a wait: everything waits.
    func pause(after trouble: HomeserverTrouble) {
        let now = clock.now
        let isFirst = state.withLock { state in
            let isFirst = state.pause == nil
            let pause = min(state.pause.map { $0 * 2 } ?? configuration.pauseFirst, configuration.pauseLimit)
            state.pause = pause
            let asked = Duration.milliseconds(max(trouble.retryAfterMilliseconds ?? 0, 0))
            state.pausedUntil = now + max(pause, min(asked, configuration.pauseLimit))
            return isFirst
        }
        guard isFirst else { return }
        logger.warning(
            "the homeserver does not answer the application service; it is asked again",
            metadata: ["reason": "\(trouble.message)"])
    }

    func recovered() {
        let wasPaused = state.withLock { state in
            defer { (state.pause, state.pausedUntil) = (nil, .epoch) }
            return state.pause != nil
        }
        if wasPaused { logger.notice("the homeserver answers the application service") }
    }

    private func waitOutPause() async {
        let now = clock.now
        let until = state.withLock { $0.pausedUntil }
        let wait = until.milliseconds(since: now)
        if wait > 0 { try? await Task.sleep(for: .milliseconds(wait)) }
    }

    // MARK: Lists of members

    /// Fetches what is due, a few at a time, until nothing is or the homeserver does not answer.
    func fetchLists() async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<max(configuration.questions, 1) {
                group.addTask { [self] in
                    while !Task.isCancelled, !isPaused, let order = nextOrder() { await fetch(order) }
                }
            }
            await group.waitForAll()
        }
    }

    private func nextOrder() -> MembershipBook.Order? {
        let now = clock.now
        return state.withLock { $0.book.nextOrder(at: now) }
    }

    private func fetch(_ order: MembershipBook.Order) async {
        do throws(HomeserverTrouble) {
            guard let members = try await members(for: order) else {
                await inOneBreath { [self] engine, _ in abandon(order, engine) }
                return
            }
            recovered()
            await adopt(members, by: order)
        } catch {
            let now = clock.now
            // A token that is not good for one room is good for none.
            if error.code == .unreachable || error.isRefusal(401, 403) { pause(after: error) }
            state.withLock { $0.book.failed(order, at: now) }
            logger.debug("the members of a room could not be fetched", metadata: ["reason": "\(error.message)"])
        }
    }

    /// - Returns: `nil` if nobody can look into the room.
    private func members(for order: MembershipBook.Order) async throws(HomeserverTrouble) -> [UserID]? {
        if let token = configuration.adminToken {
            do throws(HomeserverTrouble) {
                return try await client.members(of: order.room, adminToken: token)
            } catch {
                guard error.isRefusal(404) else { throw error }
                return nil
            }
        }
        let known = await runtime.read { engine, _ in Array(engine.localMembers(of: order.room).prefix(5)) }
        var candidates = order.member.map { [$0] } ?? []
        for user in known where !candidates.contains(user) { candidates.append(user) }
        for user in candidates {
            do throws(HomeserverTrouble) {
                return try await client.joinedMembers(of: order.room, as: user)
            } catch {
                guard error.isRefusal(403, 404) else { throw error }
                try await doubt(user, by: order)
            }
        }
        return nil
    }

    /// The homeserver does not let a supposed member look into the room: perhaps they are none.
    private func doubt(_ user: UserID, by order: MembershipBook.Order) async throws(HomeserverTrouble) {
        let rooms: [RoomID]
        do throws(HomeserverTrouble) {
            rooms = try await client.joinedRooms(of: user)
        } catch {
            // A user in whose name we may not ask: nothing is known of them.
            guard error.isRefusal(403, 404) else { throw error }
            return
        }
        guard !rooms.contains(order.room) else { return }
        await inOneBreath { [self] _, _ in
            state.withLock { state in
                state.book.isUntouched(user, by: order) ? [.roomLeft(user, order.room)] : []
            }
        }
    }

    /// In portions: others want to be served meanwhile.
    private func adopt(_ members: [UserID], by order: MembershipBook.Order) async {
        await inOneBreath { [self] engine, now in
            state.withLock { state in
                if !state.book.list(members, of: order, present: engine.members(of: order.room)) {
                    state.book.failed(order, at: now)
                }
                return []
            }
        }
        let wasKnown = isKnown(order.room)
        var changes = 0
        while true {
            let count = await runtime.submit { [self] _, now in
                let next = state.withLock { $0.book.nextChanges(of: order, limit: 1000, at: now) }
                var orders: [PresenceEngine.Event] = []
                for change in next { append(change, to: &orders) }
                return (orders, next.count)
            }
            changes += count
            if count == 0 { break }
        }
        state.withLock { state in
            state.tally.lists += 1
            if wasKnown { state.tally.repairs += UInt64(changes) }
        }
        await inOneBreath { [self] engine, now in
            guard isKnown(order.room) else { return [] }
            // After its members, which the runtime appended before.
            journal.append([.homeserver(.roomListed(order.room, now))])
            return forget([order.room], engine)
        }
    }

    private func abandon(_ order: MembershipBook.Order, _ engine: PresenceEngine) -> [PresenceEngine.Event] {
        state.withLock { $0.book.giveUp(order) }
        journal.append([.homeserver(.roomForgotten(order.room))])
        return engine.hasLocalMembers(order.room) ? [] : [.roomForgotten(order.room)]
    }
}
