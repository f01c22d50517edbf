import SocialEngine
import SocialTransport
import SocialWire

extension FriendshipsService {
    /// `UpdateFriendshipEvent(UpdateFriendshipPayload) → UpdateFriendshipResponse`: what the caller does about another
    /// user. It is on disk when the answer comes, which says what was done, with the other user as the caller spelled
    /// them. Facts: sections 4.3 and 4.4.
    var updateFriendshipEvent: RPCProcedure {
        unary("UpdateFriendshipEvent") {
            (asked: FriendshipsUpdateFriendshipPayload, call) async throws(SocialRefusal)
                -> FriendshipsUpdateFriendshipResponse in
            let caller = try await caller(call, token: asked.authToken.presented, missing: .authToken)
            guard asked.hasEvent else { throw .badRequest("`event` is missing") }
            guard let body = asked.event.body else {
                throw .badRequest("`friendship_event_payload::body` is missing")
            }
            let step = FriendshipStep(body)
            let other = try FriendshipsService.other(step.user, isThere: step.hasUser)
            let news: FriendshipNews
            do throws(FriendshipRefusal) {
                news = try await population.act(step.action, by: caller.address, towards: other)
            } catch {
                throw SocialRefusal(error)
            }
            return .with { $0.event = FriendshipsFriendshipEventResponse(news, spelled: step.user.address) }
        }
    }
}

/// One of the arms of a payload.
private struct FriendshipStep {
    var action: FriendshipAction
    var user: FriendshipsUser
    var hasUser: Bool

    init(_ body: FriendshipsFriendshipEventPayload.OneOf_Body) {
        switch body {
        case .request(let request):
            (action, user, hasUser) = (
                .request(message: request.hasMessage ? request.message : nil), request.user, request.hasUser
            )
        case .accept(let accept): (action, user, hasUser) = (.accept, accept.user, accept.hasUser)
        case .reject(let reject): (action, user, hasUser) = (.reject, reject.user, reject.hasUser)
        case .delete(let delete): (action, user, hasUser) = (.delete, delete.user, delete.hasUser)
        case .cancel(let cancel): (action, user, hasUser) = (.cancel, cancel.user, cancel.hasUser)
        case .block(let block): (action, user, hasUser) = (.block, block.user, block.hasUser)
        case .unblock(let unblock): (action, user, hasUser) = (.unblock, unblock.user, unblock.hasUser)
        }
    }
}

extension FriendshipsFriendshipEventResponse {
    /// - Parameter spelling: of the other user's address; `nil`: ours.
    init(_ news: FriendshipNews, spelled spelling: String? = nil) {
        self.init()
        byMe = news.isOwn
        let user = FriendshipsUser.with { $0.address = spelling ?? news.other.text }
        switch news.body {
        case .room(let room):
            self.room = .with {
                $0.user = user
                $0.roomID = room.text
            }
        case .acted(.request(let message), let at):
            request = .with {
                $0.user = user
                $0.createdAt = at.secondsSinceEpoch
                if let message { $0.message = message }
            }
        case .acted(.accept, _): accept = .with { $0.user = user }
        case .acted(.reject, _): reject = .with { $0.user = user }
        case .acted(.cancel, _): cancel = .with { $0.user = user }
        case .acted(.delete, _): delete = .with { $0.user = user }
        case .acted(.block, _): block = .with { $0.user = user }
        case .acted(.unblock, _): unblock = .with { $0.user = user }
        }
    }
}
