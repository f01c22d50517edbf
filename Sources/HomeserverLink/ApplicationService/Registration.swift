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
    /// Patterns of users that nobody but the service may make.
    public var reservedUserPatterns: [String] = []

    /// A registration as given, nothing checked.
    public init(
        id: String, url: String?, ownToken: String, homeserverToken: ApplicationToken, senderLocalpart: String,
        userPatterns: [String], reservedUserPatterns: [String] = []
    ) {
        self.id = id
        self.url = url
        self.ownToken = ownToken
        self.homeserverToken = homeserverToken
        self.senderLocalpart = senderLocalpart
        self.userPatterns = userPatterns
        self.reservedUserPatterns = reservedUserPatterns
    }

    /// The service's own user.
    /// - Throws: ``IdentifierError`` for a sender that no server could have.
    public func sender(at server: ServerName) throws(IdentifierError) -> UserID {
        try UserID(parsing: "@\(senderLocalpart):\(server)")
    }
}

extension Registration {
    /// Whether the service may ask in that user's name, as homeservers match patterns: from the beginning.
    public func covers(_ user: UserID) -> Bool {
        Registration.match(user, userPatterns + reservedUserPatterns)
    }

    /// What is wrong for a service that makes users whose localparts begin with `prefix`, and what would mend it; `nil`
    /// if nothing is.
    public func problem(ofUsersWith prefix: String, at server: ServerName) -> String? {
        guard let user = try? UserID(parsing: "@\(prefix)0:\(server)") else {
            return "'\(prefix)' cannot begin the name of a user"
        }
        if Registration.match(user, reservedUserPatterns) { return nil }
        let what =
            "make it anew with generate-registration (and move the old file away first), and restart the homeserver"
        guard covers(user) else {
            return "the registration has no users that begin with @\(prefix) in namespaces.users; \(what)"
        }
        return
            "the registration does not reserve users that begin with @\(prefix): anybody may take such a name and be "
            + "taken for a friend in the social service; \(what)"
    }

    private static func match(_ user: UserID, _ patterns: [String]) -> Bool {
        patterns.contains { pattern in
            guard let expression = try? NSRegularExpression(pattern: pattern) else { return false }
            let whole = NSRange(user.text.startIndex..., in: user.text)
            return expression.firstMatch(in: user.text, options: .anchored, range: whole) != nil
        }
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
