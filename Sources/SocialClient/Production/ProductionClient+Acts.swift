import PresenceModel
import SocialEngine
import SocialWire

// What the user does about others.
extension ProductionClient {
    /// Returns when the service did it.
    /// - Throws: ``FriendshipRefusal`` if nothing changed: `tooOften` past 30 acts in a minute, or 10 about one other;
    ///   ``SocialClientError`` if it is not known whether it was done: the service says that it failed also of what it
    ///   did; `CancellationError`.
    public func act(_ action: FriendshipAction, towards other: SocialAddress) async throws {
        switch action {
        case .block:
            var request = SocialV2BlockUserPayload()
            request.user = SocialV2User(other)
            let answer = try await call("BlockUser", request, SocialV2BlockUserResponse.self)
            switch answer.response {
            case .ok(let ok): _ = ok.profile.noted(in: profiles)
            case .internalServerError(let error): throw SocialClientError(.failed, error.message)
            case .invalidRequest(let error): throw FriendshipRefusal(production: error.message, else: .unknownPair)
            case .profileNotFound: throw FriendshipRefusal.unknownPair
            case nil: throw SocialClientError(.malformed, "the answer does not say what happened")
            }
        case .unblock:
            var request = SocialV2UnblockUserPayload()
            request.user = SocialV2User(other)
            let answer = try await call("UnblockUser", request, SocialV2UnblockUserResponse.self)
            switch answer.response {
            case .ok(let ok): _ = ok.profile.noted(in: profiles)
            case .internalServerError(let error): throw SocialClientError(.failed, error.message)
            case .invalidRequest(let error): throw FriendshipRefusal(production: error.message, else: .unknownPair)
            case .profileNotFound: throw FriendshipRefusal.unknownPair
            case nil: throw SocialClientError(.malformed, "the answer does not say what happened")
            }
        case .request, .accept, .reject, .cancel, .delete:
            guard let request = SocialV2UpsertFriendshipPayload(action, other) else { return }
            let answer = try await call("UpsertFriendship", request, SocialV2UpsertFriendshipResponse.self)
            switch answer.response {
            case .accepted(let accepted): _ = accepted.friend.noted(in: profiles)
            case .invalidFriendshipAction(let error):
                throw FriendshipRefusal(production: error.message, else: .transition)
            case .invalidRequest(let error): throw FriendshipRefusal(production: error.message, else: .unknownPair)
            case .internalServerError(let error): throw SocialClientError(.failed, error.message)
            case nil: throw SocialClientError(.malformed, "the answer does not say what happened")
            }
        }
    }
}

extension FriendshipRefusal {
    /// The service has one arm for refusals of several kinds: its words tell them apart.
    fileprivate init(production words: String, else other: FriendshipRefusal) {
        self =
            if words.contains("blocked") {
                .blocked
            } else if words.contains("to yourself") {
                .toOneself
            } else if words.contains("Too many") {
                .tooOften
            } else {
                other
            }
    }
}
