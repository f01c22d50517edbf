import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

// Which rooms there are, which are looked at again, and who is no more.
extension RoomCensus {
    /// By the admin API, once: rooms that come later are heard of.
    func listAllRooms() async {
        guard let token = configuration.adminToken, state.withLock({ $0.roomsListed == nil }) else { return }
        if !state.withLock({ $0.hasSeenAllRooms }) {
            guard await walkRooms(adminToken: token) else { return }
            state.withLock { $0.hasSeenAllRooms = true }
        }
        // Rooms that failed are tried again; until then a restart must begin anew.
        guard state.withLock({ !$0.book.hasWishes }) else { return }
        let now = clock.now
        state.withLock { $0.roomsListed = now }
        journal.append([.homeserver(.roomsListed(now))])
        logger.notice("the homeserver's rooms are known", metadata: ["lists": "\(tally.lists)"])
    }

    /// - Returns: whether all of them were seen.
    private func walkRooms(adminToken token: String) async -> Bool {
        var start: Int64? = 0
        do throws(HomeserverTrouble) {
            while let from = start, !Task.isCancelled {
                let page = try await client.rooms(from: from, adminToken: token)
                recovered()
                state.withLock { state in for room in page.rooms { state.book.want(room) } }
                await fetchLists()
                start = page.next
            }
        } catch {
            logger.warning("the homeserver's rooms could not be listed", metadata: ["reason": "\(error.message)"])
            pause(after: error)
            return false
        }
        return start == nil
    }

    /// The rooms of users who came into touch with presenced, once in a run.
    func askForRooms() async {
        let users = await runtime.read { engine, _ in engine.attentiveUsers }
        for user in users where !isPaused && !Task.isCancelled {
            guard state.withLock({ !$0.asked.contains(user) }) else { continue }
            do throws(HomeserverTrouble) {
                let rooms = try await client.joinedRooms(of: user)
                recovered()
                let supposed = await runtime.read { engine, _ in engine.rooms(of: user) }
                state.withLock { state in
                    let joined = Set(rooms)
                    for room in rooms { state.book.want(room, as: user) }
                    // They may have left while nothing was heard: that is looked at, not believed.
                    for room in supposed where !joined.contains(room) { state.book.review(room) }
                    noteAsked(user, in: &state)
                }
            } catch {
                guard error.isRefusal(400, 403, 404) else { return pause(after: error) }
                state.withLock { noteAsked(user, in: &$0) }
            }
        }
    }

    private func noteAsked(_ user: UserID, in state: inout State) {
        if state.asked.count >= 1_000_000 { state.asked = [] }
        state.asked.insert(user)
    }

    /// Looks again at rooms in use, spread over the whole period: so many at each time as it takes.
    func reviewRooms() async {
        guard configuration.bootstrap != .none else { return }
        let now = clock.now
        let period = configuration.reconcileAfter
        // A hundred times in a period.
        let (isDue, share) = state.withLock { state -> (Bool, Double) in
            guard let last = state.reviewedRoomsAt else {
                state.reviewedRoomsAt = now
                return (true, 0.01)
            }
            let passed = Double(now.milliseconds(since: last)) / Double(max(period.inMilliseconds, 1))
            guard passed >= 0.01 else { return (false, 0) }
            state.reviewedRoomsAt = now
            return (true, passed)
        }
        guard isDue else { return }
        let rooms = await runtime.read { engine, _ in engine.roomsInUse }
        // A tenth more than the share, so that what is behind catches up.
        let limit = Int((Double(rooms.count) * share * 1.1).rounded(.up))
        state.withLock { $0.book.review(rooms, knownFor: period, at: now, limit: limit) }
    }

    /// Users whose accounts were closed are offline, in no room, and on nobody's list by their own doing. By the admin
    /// API; without it their tokens and their leaving say the same.
    func forgetDeactivated() async {
        guard let token = configuration.adminToken else { return }
        let now = clock.now
        let isDue = state.withLock { state in
            guard state.reviewedUsersAt.map({ $0 + configuration.reconcileAfter <= now }) ?? true else { return false }
            state.reviewedUsersAt = now
            return true
        }
        guard isDue else { return }
        var start: String? = "0"
        do throws(HomeserverTrouble) {
            while let from = start, !Task.isCancelled {
                let page = try await client.users(from: from, adminToken: token)
                recovered()
                let gone = page.deactivated.filter { $0.isHosted(by: server) }
                await inOneBreath { engine, now in
                    gone.flatMap { RoomCensus.farewell(to: $0, engine, at: now) }
                }
                start = page.next
            }
        } catch {
            logger.warning("the homeserver's users could not be listed", metadata: ["reason": "\(error.message)"])
            pause(after: error)
        }
    }

    /// Everything that makes a user be seen, or see: taken back.
    static func farewell(to user: UserID, _ engine: PresenceEngine, at now: Instant) -> [PresenceEngine.Event] {
        var orders: [PresenceEngine.Event] = []
        for view in engine.devices(of: user, at: now) {
            orders.append(.deviceRevoked(DeviceKey(user: user, device: view.device)))
        }
        if engine.interest(of: user) != nil { orders.append(.interestSet(user, nil, until: now)) }
        for room in engine.rooms(of: user) { orders.append(.roomLeft(user, room)) }
        for entry in engine.list(of: user) { orders.append(.entryRemoved(observer: user, observed: entry.user)) }
        for observer in engine.granted(by: user) + engine.requests(to: user).map(\.user) {
            orders.append(.requestDenied(observed: user, observer: observer))
        }
        // What else is taken back says how they are, and they are none.
        orders.append(.userClosed(user))
        return orders
    }

    // MARK: Invitations

    /// Leaves what is refused. Whoever joined meanwhile is let be.
    func leaveInvites() async {
        for invite in state.withLock({ $0.refusedInvites }) where !Task.isCancelled && !isPaused {
            do throws(HomeserverTrouble) {
                // What happens between this answer and the next question cannot be told apart from what happens before.
                let joined = try await client.joinedRooms(of: invite.user)
                if !joined.contains(invite.room), isRefused(invite) {
                    try await client.leave(invite.room, as: invite.user)
                    state.withLock { $0.tally.invitesLeft += 1 }
                }
                recovered()
                settle(invite)
            } catch {
                let isOver = clock.now.milliseconds(since: invite.since) > configuration.refusalEndsAfter.inMilliseconds
                if error.code != .unreachable || isOver { settle(invite) }
                if error.code == .unreachable { return pause(after: error) }
            }
        }
    }

    private func isRefused(_ invite: RefusedInvite) -> Bool { state.withLock { $0.refusedInvites.contains(invite) } }

    private func settle(_ invite: RefusedInvite) {
        state.withLock { state in
            // A later invitation to the same room is another.
            guard state.refusedInvites.contains(invite) else { return }
            settleInvite(of: invite.user, to: invite.room, in: &state)
        }
    }
}
