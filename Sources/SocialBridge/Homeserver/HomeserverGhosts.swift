import HomeserverLink
import PresenceModel
import SocialEngine

/// Ghosts as accounts of the homeserver that the application service owns, with the names that people go by.
public struct HomeserverGhosts: GhostMaking {
    private let users: ApplicationServiceUsers
    private let profile: @Sendable (SocialAddress) async -> GhostProfile?

    /// - Parameter profile: what is known of somebody; `nil`: nothing, and their ghost goes by its address.
    public init(
        users: ApplicationServiceUsers, profile: @escaping @Sendable (SocialAddress) async -> GhostProfile?
    ) {
        self.users = users
        self.profile = profile
    }

    /// Asks the homeserver for the account, and gives it its name and picture.
    /// - Throws: `HomeserverTrouble`, with what would mend it.
    public func make(_ user: UserID, for address: SocialAddress) async throws {
        let known = await profile(address)
        try await users.makeAccount(user, name: known?.name, picture: known?.picture)
    }
}
