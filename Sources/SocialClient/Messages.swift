import PresenceModel
import SocialEngine
import SocialWire

// From messages to what they mean. What does not parse is left out: one bad element must not sink its list.

extension FriendshipsUsers {
    var addresses: [SocialAddress] { users.compactMap(\.parsed) }
}

extension FriendshipsUser {
    var parsed: SocialAddress? { try? SocialAddress(parsing: address) }

    init(_ address: SocialAddress) {
        self.init()
        self.address = address.text
    }
}

extension FriendshipsPosition {
    init(_ whereabouts: Whereabouts) {
        self.init()
        if let realm = whereabouts.realm { self.realm = realm }
        if let parcel = whereabouts.parcel {
            x = String(parcel.x)
            y = String(parcel.y)
        }
    }

    /// `nil` if nothing in it is known.
    var whereabouts: Whereabouts? {
        var parcel: Whereabouts.Parcel?
        if let x = Int32(x), let y = Int32(y) { parcel = Whereabouts.Parcel(x: x, y: y) }
        guard hasRealm || parcel != nil else { return nil }
        return Whereabouts(realm: hasRealm ? realm : nil, parcel: parcel)
    }

    /// `nil` if it does not say whose it is: an older service tells where somebody is, and not who.
    var sighting: FriendSighting? {
        guard let friend = try? SocialAddress(parsing: address) else { return nil }
        let state: FriendState =
            switch self.state {
            case .away: .away
            case .offline: .offline
            case .unspecified, .online, .UNRECOGNIZED: .online
            }
        return FriendSighting(friend: friend, state: state, whereabouts: state == .offline ? nil : whereabouts)
    }
}

extension FriendshipsRequests {
    var requests: [FriendRequest] { items.compactMap(\.request) }
}

extension FriendshipsRequestResponse {
    var request: FriendRequest? {
        guard let other = user.parsed else { return nil }
        return FriendRequest(other: other, createdAt: instant, message: hasMessage ? message : nil)
    }

    /// Seconds on the wire; a service of the production kind would say milliseconds.
    var instant: Instant {
        let lastSecond = Instant.distantFuture.millisecondsSinceEpoch / 1000
        return Instant.epoch.advanced(byMilliseconds: min(max(createdAt, 0), lastSecond) * 1000)
    }
}

extension FriendshipsFriendshipEventResponse {
    /// - Parameter now: when it came; most events do not say when they happened.
    func news(at now: Instant) -> FriendshipNews? {
        guard let body else { return nil }
        func news(_ user: FriendshipsUser, _ action: FriendshipAction, at instant: Instant? = nil) -> FriendshipNews? {
            user.parsed.map { FriendshipNews(other: $0, isOwn: byMe, body: .acted(action, at: instant ?? now)) }
        }
        switch body {
        case .request(let event):
            return news(event.user, .request(message: event.hasMessage ? event.message : nil), at: event.instant)
        case .accept(let event): return news(event.user, .accept)
        case .reject(let event): return news(event.user, .reject)
        case .delete(let event): return news(event.user, .delete)
        case .cancel(let event): return news(event.user, .cancel)
        case .block(let event): return news(event.user, .block)
        case .unblock(let event): return news(event.user, .unblock)
        case .room(let event):
            guard let other = event.user.parsed, let room = try? RoomID(parsing: event.roomID) else { return nil }
            return FriendshipNews(other: other, isOwn: byMe, body: .room(room))
        }
    }
}

extension FriendshipsFriendshipEventPayload {
    init(_ action: FriendshipAction, _ other: SocialAddress) {
        self.init()
        let user = FriendshipsUser(other)
        switch action {
        case .request(let message):
            var payload = FriendshipsRequestPayload()
            payload.user = user
            if let message { payload.message = message }
            request = payload
        case .accept: accept.user = user
        case .reject: reject.user = user
        case .cancel: cancel.user = user
        case .delete: delete.user = user
        case .block: block.user = user
        case .unblock: unblock.user = user
        }
    }
}

extension SocialPrivacy {
    init?(_ privacy: FriendshipsPrivacy) {
        switch privacy {
        case .full: self = .full
        case .stateOnly: self = .stateOnly
        case .hidden: self = .hidden
        case .unspecified, .UNRECOGNIZED: return nil
        }
    }

    var message: FriendshipsPrivacy {
        switch self {
        case .full: .full
        case .stateOnly: .stateOnly
        case .hidden: .hidden
        }
    }
}
