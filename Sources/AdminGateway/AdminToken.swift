import Crypto

/// What the operator's tools show to be let in: only its SHA-256 is held.
public struct AdminToken: Sendable {
    /// A shorter one is refused: it could be guessed.
    public static let lengthLeastBytes = 16
    /// A longer text is no token, and is not hashed.
    public static let limitBytes = 1024

    private let digest: SHA256Digest

    /// - Parameter text: the token, 16 to 1,024 bytes without blanks; `nil` for any other.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        let isToken = bytes.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        guard (AdminToken.lengthLeastBytes...AdminToken.limitBytes).contains(bytes.count), isToken else { return nil }
        digest = SHA256.hash(data: bytes)
    }

    /// Takes as long for every text of one length.
    public func matches(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count <= AdminToken.limitBytes else { return false }
        // Digests compare in constant time.
        return SHA256.hash(data: bytes) == digest
    }
}

extension AdminToken: CustomStringConvertible {
    /// Without the secret.
    public var description: String { "admin token" }
}
