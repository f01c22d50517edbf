import PresenceModel
import SocialEngine

/// Makes users of Matrix for people of a social service who have none.
public protocol GhostMaking: Sendable {
    /// Returns when there is such a user, who is the bridge's own. Done twice, it is done once.
    /// - Throws: there is none, or not for certain; it is tried again later.
    func make(_ user: UserID, for address: SocialAddress) async throws
}

/// For a server of its own: whoever is spoken of is there, and nobody has a token for them.
public struct GhostsWithoutAccounts: GhostMaking {
    /// Nothing is needed.
    public init() {}

    /// Done at once.
    public func make(_ user: UserID, for address: SocialAddress) async throws {}
}

/// What is known of somebody of a social service, for their ghost.
public struct GhostProfile: Hashable, Sendable {
    /// As others call them.
    public var name: String?
    /// Taken if it is `mxc:`.
    public var picture: String?

    /// A profile as given.
    public init(name: String?, picture: String?) {
        self.name = name
        self.picture = picture
    }
}
