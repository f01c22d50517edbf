import PresenceModel

@testable import SocialEngine

/// What the social service should be, written down without care for speed: names, sets, and everything looked at anew.
struct NaiveSociety {
    struct Between {
        var asker: String?
        var areFriends = false
        var everMet = false
        var blockers: Set<String> = []
    }

    struct Session {
        var heard: Instant
        var isAway: Bool
        var ended: Instant?

        func holds(at now: Instant) -> Bool {
            guard now < heard.advanced(by: .minutes(2)) else { return false }
            return ended.map { now < $0.advanced(by: .seconds(10)) } ?? true
        }
    }

    var between: [Set<String>: Between] = [:]
    var sessions: [String: [UInt64: Session]] = [:]
    var places: [String: Whereabouts] = [:]
    var privacies: [String: SocialPrivacy] = [:]
    var concealed: Set<String> = []

    // MARK: Friendships

    func mayHappen(_ action: FriendshipAction, by actor: String, towards other: String) -> Bool {
        let now = between[[actor, other]] ?? Between()
        switch action {
        case .request: return now.blockers.isEmpty && !now.areFriends && now.asker != actor
        case .accept, .reject: return now.asker == other
        case .cancel: return now.asker == actor
        case .delete: return now.areFriends
        case .block: return !now.blockers.contains(actor)
        case .unblock: return now.blockers.contains(actor)
        }
    }

    /// - Returns: what the two are told: who of them, and the word for it.
    mutating func happened(
        _ action: FriendshipAction, by actor: String, towards other: String
    ) -> [(reader: String, word: String)] {
        var now = between[[actor, other]] ?? Between()
        defer { between[[actor, other]] = now }
        func both(_ verb: String) -> [(reader: String, word: String)] {
            [(actor, ">\(verb) \(other)"), (other, "<\(verb) \(actor)")]
        }
        switch action {
        case .request(let message):
            now.everMet = true
            if now.asker == other {
                (now.asker, now.areFriends) = (nil, true)
                return both("accept")
            }
            now.asker = actor
            let said = message.map { " '\($0)'" } ?? ""
            return [(actor, ">request \(other)\(said)"), (other, "<request \(actor)\(said)")]
        case .accept:
            (now.asker, now.areFriends) = (nil, true)
            return both("accept")
        case .reject, .cancel:
            now.asker = nil
            return both("\(action)")
        case .delete:
            now.areFriends = false
            return both("delete")
        case .block:
            now.blockers.insert(actor)
            let ended = now.areFriends ? "delete" : now.asker == actor ? "cancel" : now.asker == nil ? nil : "reject"
            (now.asker, now.areFriends) = (nil, false)
            return [(actor, ">block \(other)")] + (ended.map { [(other, "<\($0) \(actor)")] } ?? [])
        case .unblock:
            now.blockers.remove(actor)
            return [(actor, ">unblock \(other)")]
        }
    }

    func areFriends(_ one: String, _ other: String) -> Bool { between[[one, other]]?.areFriends ?? false }

    func friendCount(_ user: String) -> Int { between.count { $0.key.contains(user) && $0.value.areFriends } }

    func requestCount(from user: String) -> Int { between.count { $0.key.contains(user) && $0.value.asker == user } }

    func requestCount(to user: String) -> Int {
        between.count { $0.key.contains(user) && $0.value.asker != nil && $0.value.asker != user }
    }

    // MARK: Presence

    func isThere(_ user: String, at now: Instant) -> Bool {
        (sessions[user] ?? [:]).values.contains { $0.holds(at: now) }
    }

    mutating func heard(_ user: String, on session: UInt64, isAway: Bool, _ place: Whereabouts?, at now: Instant) {
        if !isThere(user, at: now) { places[user] = nil }
        sessions[user, default: [:]][session] = Session(heard: now, isAway: isAway)
        if let place { places[user] = place }
    }

    mutating func left(_ user: String, _ session: UInt64) { sessions[user]?[session] = nil }

    /// There by another session than the bridge's.
    func isInWorld(_ user: String, at now: Instant) -> Bool {
        (sessions[user] ?? [:]).contains { $0.key != SocialSessionID.bridge.number && $0.value.holds(at: now) }
    }

    mutating func ended(_ session: UInt64, at now: Instant) {
        for user in sessions.keys {
            guard let before = sessions[user]?[session], before.ended == nil else { continue }
            sessions[user]?[session]?.ended = now
        }
    }

    /// What `viewer` sees of `friend`; `nil`: offline.
    func sight(of friend: String, by viewer: String, at now: Instant) -> FriendSighting? {
        let privacy = privacies[friend] ?? .full
        guard areFriends(viewer, friend), isThere(friend, at: now), privacy != .hidden, !concealed.contains(friend)
        else {
            return nil
        }
        let isOnline = (sessions[friend] ?? [:]).values.contains { $0.holds(at: now) && !$0.isAway }
        return FriendSighting(
            friend: address(friend), state: isOnline ? .online : .away,
            whereabouts: privacy == .full ? places[friend] : nil)
    }
}
