import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

// What a transaction says, as events of the engine. Runs in one breath with what the engine makes of it.
extension RoomCensus {
    func decide(on transaction: ApplicationTransaction, _ engine: PresenceEngine, at now: Instant)
        -> [PresenceEngine.Event]
    {
        state.withLock { state in
            var orders: [PresenceEngine.Event] = []
            var active: [UserID] = []
            for event in transaction.events {
                if case .member(let user, let membership, let isDirect) = event.kind {
                    let change = MemberChange(user: user, room: event.room, isIn: membership == .join)
                    guard state.book.heard(change, event: event.id, replacing: event.replaces) else {
                        state.tally.repeated += 1
                        continue
                    }
                    append(change, to: &orders)
                    settleInvite(event, to: user, membership, isDirect: isDirect, engine, in: &state, at: now)
                }
                wantRoom(of: event, engine, in: &state)
                if isActivity(event, at: now), !active.contains(event.sender) { active.append(event.sender) }
            }
            for sign in transaction.signs where isActivity(sign, at: now) && !active.contains(sign.user) {
                active.append(sign.user)
            }
            for user in active {
                if let key = deviceInUse(of: user, engine, at: now) { orders.append(.deviceActed(key)) }
            }
            return orders
        }
    }

    func append(_ change: MemberChange, to orders: inout [PresenceEngine.Event]) {
        guard change.isIn else { return orders.append(.roomLeft(change.user, change.room)) }
        if change.user.isHosted(by: server) { orders.append(.userKnown(change.user)) }
        orders.append(.roomJoined(change.user, change.room))
    }

    /// A room of which something is heard and whose members are not known.
    private func wantRoom(of event: ApplicationEvent, _ engine: PresenceEngine, in state: inout State) {
        guard configuration.bootstrap != .none, !state.book.isKnown(event.room) else { return }
        let member = memberNamed(by: event)
        // Without a member nobody could be asked; and it is no room that anybody here sees.
        guard member != nil || engine.hasLocalMembers(event.room) else { return }
        state.book.want(event.room, as: member)
    }

    /// A local user who is in the room by this event: who came, or sent something without going by it.
    private func memberNamed(by event: ApplicationEvent) -> UserID? {
        if case .member(let user, let membership, _) = event.kind {
            if membership == .join, user.isHosted(by: server) { return user }
            if membership != .join, user == event.sender { return nil }
        }
        return event.sender.isHosted(by: server) ? event.sender : nil
    }

    // MARK: Activity

    private func isActivity(_ event: ApplicationEvent, at now: Instant) -> Bool {
        guard configuration.countsActivity, event.kind == .message(isAutomatic: false),
            event.sender.isHosted(by: server)
        else { return false }
        if let age = event.ageMilliseconds { return isFresh(age) }
        return event.sentMilliseconds.map { isFresh(now.millisecondsSinceEpoch &- $0) } ?? false
    }

    private func isActivity(_ sign: ActivitySign, at now: Instant) -> Bool {
        guard configuration.countsActivity, sign.user.isHosted(by: server) else { return false }
        return sign.atMilliseconds.map { isFresh(now.millisecondsSinceEpoch &- $0) } ?? true
    }

    /// After a pause of ours the homeserver sends what is long over.
    private func isFresh(_ age: Int64) -> Bool {
        let limit = configuration.activityFreshFor.inMilliseconds
        return (-limit...limit).contains(age)
    }

    /// An event names no device. Whoever acts is at the device that was used last; nobody comes online by it. In the world
    /// nobody writes here: a device that stands for it says by itself when it is used.
    private func deviceInUse(of user: UserID, _ engine: PresenceEngine, at now: Instant) -> DeviceKey? {
        let connected = engine.devices(of: user, at: now).filter { $0.isConnected && $0.type?.isWorld != true }
        let latest = connected.max { ($0.lastActive ?? .epoch) < ($1.lastActive ?? .epoch) }
        return latest.map { DeviceKey(user: user, device: $0.device) }
    }

    // MARK: Invitations

    /// Whoever may not open a chat with a user, and the user wants that enforced: the invitation is left. Whatever comes
    /// after the invitation settles it.
    private func settleInvite(
        _ event: ApplicationEvent, to user: UserID, _ membership: ApplicationEvent.Membership, isDirect: Bool,
        _ engine: PresenceEngine, in state: inout State, at now: Instant
    ) {
        guard user.isHosted(by: server) else { return }
        settleInvite(of: user, to: event.room, in: &state)
        guard membership == .invite, isDirect, engine.contactPolicy(of: user).refusesInvites,
            engine.mayContact(from: event.sender, to: user) == false
        else { return }
        if state.refusedInvites.count >= configuration.refusedInvitesLimit, let oldest = state.refusedInvites.first {
            settleInvite(of: oldest.user, to: oldest.room, in: &state)
        }
        state.refusedInvites.append(RefusedInvite(user: user, room: event.room, since: now))
        journal.append([.homeserver(.inviteRefused(user, event.room, now))])
    }

    func settleInvite(of user: UserID, to room: RoomID, in state: inout State) {
        guard let place = state.refusedInvites.firstIndex(where: { $0.user == user && $0.room == room }) else { return }
        state.refusedInvites.remove(at: place)
        journal.append([.homeserver(.inviteSettled(user, room))])
    }
}
