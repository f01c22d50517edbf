import Crypto
import Foundation
import MatrixWire
import PresenceModel

/// How an application service introduces itself to its homeserver: what both sides read from one file.
///
/// Rooms and users are wide and not exclusive. Rooms: every event of every room is told, encrypted ones too. Users: a
/// request may be made in the name of any local user, which asking who is in a room and leaving an invitation need.
/// Exclusive, every user would count as one of the service's: no push rules, no log-in by password.
/// Spec: application service API, registration.
public struct Registration: Hashable, Sendable {
    /// Unique among the homeserver's application services.
    public var id: String
    /// Where the homeserver reaches presenced; `nil`: it does not, and events are not sent.
    public var url: String?
    /// What presenced shows to the homeserver.
    public var ownToken: String
    /// What the homeserver shows to presenced.
    public var homeserverToken: ApplicationToken
    /// The part before the colon of the user that the service itself is.
    public var senderLocalpart: String
    /// Patterns of users in whose name it may ask.
    public var userPatterns: [String]

    /// The service's own user.
    /// - Throws: ``IdentifierError`` for a sender that no server could have.
    public func sender(at server: ServerName) throws(IdentifierError) -> UserID {
        try UserID(parsing: "@\(senderLocalpart):\(server)")
    }
}

/// A token that is compared in constant time; only its SHA-256 is held.
public struct ApplicationToken: Hashable, Sendable, CustomStringConvertible {
    /// A shorter one is refused: it could be guessed.
    static let lengthLeastBytes = 16
    /// A longer text is no token.
    static let limitBytes = 1024

    private let digest: SHA256Digest

    /// - Parameter text: 16 to 1,024 printable characters without blanks; `nil` for any other.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard (ApplicationToken.lengthLeastBytes...ApplicationToken.limitBytes).contains(bytes.count),
            bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        digest = SHA256.hash(data: bytes)
    }

    /// Takes as long for every text of one length.
    public func matches(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count <= ApplicationToken.limitBytes else { return false }
        // Digests compare in constant time.
        return SHA256.hash(data: bytes) == digest
    }

    /// Without the secret.
    public var description: String { "token of the homeserver" }
}

extension Registration: CustomStringConvertible {
    /// Without the tokens.
    public var description: String { "application service \(id)" }
}

/// Why a registration cannot be used or written; never with a token in it.
public struct RegistrationError: Error, Sendable, CustomStringConvertible {
    /// The file.
    public var path: String
    /// What is wrong, and what would mend it.
    public var message: String

    /// The path, then the message.
    public var description: String { "\(path): \(message)" }
}
