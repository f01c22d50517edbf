import AuthChain
import PresenceModel
import SocialEngine

/// By what a social service knows a linked user.
public enum SessionCredential: Sendable {
    /// A Matrix access token that the service takes: first generation.
    case token(String)
    /// A key that the user's wallet signed for: second generation, production service.
    case identity(EphemeralIdentity)
}

/// There is nothing to open a session with.
public enum CredentialTrouble: Error, Hashable, Sendable {
    /// The user handed over nothing, and nobody can get anything for them; until that changes.
    case none
    /// What there was is over or was refused; until the user hands over another.
    case expired
    /// Whoever gives them out does not do so for this user: somebody has to mend that. Try again, seldom.
    case refused(String)
    /// Whoever gives them out cannot be asked now; try again.
    case unavailable(String)
}

/// Where sessions get their credentials from.
public protocol SessionCredentials: Sendable {
    /// What is to be tried for the user now.
    func credential(of user: UserID, at address: SocialAddress) async throws(CredentialTrouble) -> SessionCredential
    /// The service did not take it: it is not to be given again.
    func refused(_ credential: SessionCredential, of user: UserID) async
    /// Returns when there may be a credential for somebody who had none; wakes for everybody are one.
    func changes() -> AsyncStream<UserID>
}
