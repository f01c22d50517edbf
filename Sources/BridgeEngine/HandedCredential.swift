import PresenceModel
import SocialEngine

/// What a user handed over so that the bridge can speak in their name.
public struct HandedCredential: Hashable, Sendable {
    /// Of each a user has one at most.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// A Matrix access token.
        case token
        /// A key that the user's wallet signed for.
        case identity
    }

    /// Of this server.
    public var user: UserID
    /// What the secret is.
    public var kind: Kind
    /// The token, or the identity in the form in which it was handed over. Not to be logged.
    public var secret: String
    /// Whom the user was linked to when they handed it over; of an identity, the wallet.
    public var address: SocialAddress
    /// `nil`: nobody said.
    public var expires: Instant?

    /// A credential as given.
    public init(
        user: UserID, kind: Kind, secret: String, address: SocialAddress, expires: Instant? = nil
    ) {
        self.user = user
        self.kind = kind
        self.secret = secret
        self.address = address
        self.expires = expires
    }

    /// A longer secret is none of ours: an identity is a chain of a few signatures.
    public static let secretLimitBytes = 32 << 10
}

extension HandedCredential: CustomStringConvertible, CustomReflectable {
    /// Without the secret.
    public var description: String { "\(kind.rawValue) of \(user)" }
    /// Without the secret.
    public var customMirror: Mirror { Mirror(self, children: ["user": user, "kind": kind]) }
}
