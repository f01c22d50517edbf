import PresenceModel

// For the operator: why a server was told of a user or was not, and what is known of a user of its. Asking changes
// nothing, and tells no texts.
extension FederationEngine {
    /// Why the latest of a local user is, or is not, on its way to a server: of the reasons that apply, the first.
    public enum Delivery: Hashable, Sendable {
        /// Nobody there may see the user.
        case noAudience
        /// In the transaction that is out, which left then.
        case underway(since: Instant)
        /// In a transaction that failed, and is tried again then.
        case tryingAgain(at: Instant)
        /// It waits: the server wants nothing about presence, and is not asked before then.
        case optedOut(until: Instant)
        /// It waits: the server does not answer since then.
        case silent(since: Instant)
        /// It waits for the transaction that is out, or is to be tried again.
        case behind(since: Instant)
        /// It waits: the server failed, and is left alone until then.
        case backingOff(until: Instant)
        /// It waits for others in a batch.
        case gathering(opened: Instant, closes: Instant)
        /// It leaves at once.
        case leaving
        /// What was told then still holds, and nothing changed since.
        case told(at: Instant)
        /// What was told then holds again: the user changed and changed back.
        case cancelledOut(toldAt: Instant)
        /// The server takes part in subscribe and push, and nobody there wants to know.
        case notWanted
        /// The server cannot subscribe, and sees the user only in large rooms.
        case largeRooms
        /// Nothing was told since this server started, and nothing changed since.
        case unchanged
    }

    /// What a server is told of a local user.
    public struct Telling: Hashable, Sendable {
        /// Why the latest is or is not on its way.
        public var delivery: Delivery
        /// By what the server sees the user; `nil`: nobody there may.
        public var reach: Reach?
        /// Until when this server's word holds that it will push changes; `nil`: not given, or over.
        public var promisedUntil: Instant?
        /// What the server was told last; `nil`: nothing since the start, or since it let the user go.
        public var told: PublishedState?
        /// When that was handed out.
        public var toldAt: Instant?
        /// The server itself; `nil`: nothing is known of it.
        public var peer: PeerView?
    }

    /// What a server was asked about a user of its.
    public struct Asking: Hashable, Sendable {
        /// Whether the server is asked: of what applies, the first.
        public enum State: String, Hashable, Sendable, CaseIterable {
            /// Nobody here cares.
            case notAsked = "not_asked"
            /// Nobody here cares any more; the server is told after the grace.
            case fading
            /// It does not understand polls, and pushes by itself.
            case legacy
            /// It does not answer.
            case silent
            /// The poll waits to leave.
            case waiting
            /// The poll is on its way, or is tried again.
            case underway
            /// It was asked, and its word holds.
            case promised
            /// It was asked, and has given no word that holds.
            case unanswered
        }

        /// See there.
        public var state: State
        /// The server's word that it will push changes, while it holds.
        public var promisedUntil: Instant?
        /// What it said last is held, and counts in reminders.
        public var isHeld: Bool
        /// The server itself; `nil`: nothing is known of it.
        public var peer: PeerView?
    }

    /// Why `server` was or was not told the latest of a local user.
    public func explain(_ user: UserID, to server: ServerName, at now: Instant) -> Telling {
        let local = locals[user]
        let isAudience = local?.audience.contains(server) ?? false
        var telling = Telling(delivery: .noAudience, peer: peer(server, at: now))
        if isAudience { telling.reach = local?.seenWidely.contains(server) ?? false ? .wide : .near }
        guard let number = peerNumbers[server] else { return telling }
        let peer = peers[number]
        telling.promisedUntil = peer.given[user].map(\.until).flatMap { now < $0 ? $0 : nil }
        telling.told = peer.said[user]?.state
        telling.toldAt = peer.said[user]?.at
        if isAudience, let local { telling.delivery = delivery(of: user, local, number, at: now) }
        return telling
    }

    private func delivery(of user: UserID, _ local: LocalUser, _ number: Int, at now: Instant) -> Delivery {
        let peer = peers[number]
        let waits = peer.dirty.contains(user) || peer.owed.contains(user)
        if !waits, let inFlight = peer.inFlight, inFlight.messages.contains(where: { $0.holds(user) }) {
            return peer.isUnderway ? .underway(since: inFlight.composed) : .tryingAgain(at: peer.retryAt ?? now)
        }
        if waits { return wait(of: peer, at: now) }
        if let said = peer.said[user], said.isTheSame(as: local.presence) {
            return local.changed > said.at ? .cancelledOut(toldAt: said.at) : .told(at: said.at)
        }
        if hasPromise(of: user, number, at: now) || isToldUnasked(user, number) { return .unchanged }
        return peer.dialect == .capable ? .notWanted : .largeRooms
    }

    private func wait(of peer: Peer, at now: Instant) -> Delivery {
        if let until = peer.optedOutUntil, now < until { return .optedOut(until: until) }
        if let since = peer.silentSince { return .silent(since: since) }
        if let inFlight = peer.inFlight { return .behind(since: inFlight.composed) }
        if let until = peer.retryAt, now < until { return .backingOff(until: until) }
        guard !peer.isUrgent, let window = peer.window, now < window.closes else { return .leaving }
        return .gathering(opened: window.opened, closes: window.closes)
    }

    /// What the server of a user of another server was asked about the user.
    public func explainAsking(of user: UserID, at now: Instant) -> Asking {
        var asking = Asking(state: .notAsked, isHeld: false, peer: peer(user.server, at: now))
        guard let place = interestNumbers[user] else { return asking }
        let interest = interests[place]
        let peer = peers[interest.peer]
        asking.promisedUntil = interest.until.flatMap { now < $0 ? $0 : nil }
        asking.isHeld = interest.held != nil
        if interest.stage == .fading {
            asking.state = .fading
        } else if peer.dialect == .legacy {
            asking.state = .legacy
        } else if peer.isSilent {
            asking.state = .silent
        } else if peer.toPoll.contains(user) {
            asking.state = .waiting
        } else if peer.inFlight?.messages.contains(where: { $0.poll.contains(user) }) ?? false {
            asking.state = .underway
        } else {
            asking.state = asking.promisedUntil == nil ? .unanswered : .promised
        }
        return asking
    }
}

extension PresenceMessage {
    fileprivate func holds(_ user: UserID) -> Bool { push.contains { $0.user == user } }
}
