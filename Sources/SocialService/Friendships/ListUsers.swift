import SocialEngine
import SocialTransport
import SocialWire

extension FriendshipsService {
    /// `GetFriends(Payload) → stream UsersResponse`: sorted, in pages.
    var getFriends: RPCProcedure { list("GetFriends") { [population] in await population.friends(of: $0) } }

    /// `GetOnlineFriends(Payload) → stream UsersResponse`: those whom the caller may see online. ADR-246.
    var getOnlineFriends: RPCProcedure {
        list("GetOnlineFriends") { [population] in await population.onlineFriends(of: $0) }
    }

    /// `GetBlockedUsers(Payload) → stream UsersResponse`: whom the caller blocked; presenced's own.
    var getBlockedUsers: RPCProcedure {
        list("GetBlockedUsers") { [population] in await population.blocked(by: $0) }
    }

    /// `GetMutualFriends(MutualFriendsPayload) → stream UsersResponse`: friends of the caller and of another user.
    var getMutualFriends: RPCProcedure {
        stream("GetMutualFriends", refusedAs: FriendshipsUsersResponse.self) {
            (asked: FriendshipsMutualFriendsPayload, call) async throws(SocialRefusal) -> RPCStream in
            let caller = try await caller(call, token: asked.authToken.presented, missing: .authToken)
            let other = try FriendshipsService.other(asked.user, isThere: asked.hasUser)
            return pages(of: await population.mutualFriends(of: caller.address, and: other))
        }
    }

    private func list(
        _ name: String, _ users: @escaping @Sendable (SocialAddress) async -> [SocialAddress]
    ) -> RPCProcedure {
        stream(name, refusedAs: FriendshipsUsersResponse.self) {
            (asked: FriendshipsPayload, call) async throws(SocialRefusal) -> RPCStream in
            let caller = try await caller(call, token: asked.presented, missing: .synapseToken)
            return pages(of: await users(caller.address))
        }
    }
}

extension FriendshipsPayload {
    /// The token, if there is one.
    var presented: String? { hasSynapseToken ? synapseToken : nil }
}
