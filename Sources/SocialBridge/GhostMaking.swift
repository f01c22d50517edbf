import PresenceModel
import SocialEngine

/// Makes users of Matrix for people of a social service who have none.
public protocol GhostMaking: Sendable {
    /// Returns when there is such a user, who is the bridge's own. Done twice, it is done once.
    /// - Throws: there is none, or not for certain; it is tried again later.
    func make(_ user: UserID, for address: SocialAddress) async throws
    /// Keeps those that were made as they should be, until it is cancelled; once.
    func keepUp() async
}

extension GhostMaking {
    /// Nothing is to be kept up.
    public func keepUp() async {}
}

/// For a server of its own: whoever is spoken of is there, and nobody has a token for them.
public struct GhostsWithoutAccounts: GhostMaking {
    /// Nothing is needed.
    public init() {}

    /// Done at once.
    public func make(_ user: UserID, for address: SocialAddress) async throws {}
}
