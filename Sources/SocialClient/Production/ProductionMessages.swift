import PresenceModel
import SocialEngine
import SocialWire

// From the production service's messages to what they mean. What does not parse is left out.

extension SocialV2User {
    var parsed: SocialAddress? { try? SocialAddress(parsing: address) }

    init(_ address: SocialAddress) {
        self.init()
        self.address = address.text
    }
}

extension SocialV2FriendProfile {
    /// Whose it is; what it says of them is kept.
    func noted(in profiles: SocialProfiles) -> SocialAddress? {
        guard let address = try? SocialAddress(parsing: address) else { return nil }
        profiles.note(name: name, of: address)
        return address
    }
}

extension SocialV2BlockedUserProfile {
    /// Whose it is; what it says of them is kept.
    func noted(in profiles: SocialProfiles) -> SocialAddress? {
        guard let address = try? SocialAddress(parsing: address) else { return nil }
        profiles.note(name: name, of: address)
        return address
    }
}

extension SocialV2ConnectivityStatus {
    /// Online is what an empty status is, and what one is taken for that is not known.
    var state: FriendState {
        switch self {
        case .online, .UNRECOGNIZED: .online
        case .away: .away
        case .offline: .offline
        }
    }
}

extension Instant {
    /// Milliseconds on the wire, of whatever size.
    init(production milliseconds: Int64) {
        self.init(
            millisecondsSinceEpoch: min(max(milliseconds, 0), Instant.distantFuture.millisecondsSinceEpoch))
    }
}

extension SocialV2FriendshipRequestResponse {
    func request(noting profiles: SocialProfiles) -> FriendRequest? {
        guard let other = friend.noted(in: profiles) else { return nil }
        return FriendRequest(
            other: other, createdAt: Instant(production: createdAt), message: hasMessage ? message : nil)
    }
}

extension SocialV2FriendshipUpdate {
    /// - Parameter now: when it came; only requests say when they happened.
    func news(at now: Instant, noting profiles: SocialProfiles) -> FriendshipNews? {
        func news(_ other: SocialAddress?, _ action: FriendshipAction, at instant: Instant) -> FriendshipNews? {
            other.map { FriendshipNews(other: $0, isOwn: false, body: .acted(action, at: instant)) }
        }
        switch update {
        case .request(let request):
            let message = request.hasMessage ? request.message : nil
            return news(
                request.friend.noted(in: profiles), .request(message: message),
                at: Instant(production: request.createdAt))
        case .accept(let update): return news(update.user.parsed, .accept, at: now)
        case .reject(let update): return news(update.user.parsed, .reject, at: now)
        case .delete(let update): return news(update.user.parsed, .delete, at: now)
        case .cancel(let update): return news(update.user.parsed, .cancel, at: now)
        case .block(let update): return news(update.user.parsed, .block, at: now)
        case nil: return nil
        }
    }
}

extension SocialV2UpsertFriendshipPayload {
    /// `nil` for blocks, which have procedures of their own.
    init?(_ action: FriendshipAction, _ other: SocialAddress) {
        self.init()
        let user = SocialV2User(other)
        switch action {
        case .request(let message):
            request.user = user
            if let message { request.message = message }
        case .accept: accept.user = user
        case .reject: reject.user = user
        case .cancel: cancel.user = user
        case .delete: delete.user = user
        case .block, .unblock: return nil
        }
    }
}

extension SocialV2SubscriptionStreamClosed {
    /// It is the last word of its subscription.
    var error: SocialClientError {
        SocialClientError(
            .refused,
            reason == .streamClosedDuplicateSubscription
                ? "the service takes it for a second subscription of this connection"
                : "the service ended a subscription")
    }
}
