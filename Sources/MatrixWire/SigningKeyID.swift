import PresenceModel

/// The name of a signing key within one server, `algorithm:version`, such as `ed25519:a_b1`.
///
/// At most 255 bytes of printable ASCII without blanks, quotes, backslashes and commas, so that it needs no escaping
/// anywhere; something on both sides of the first `:`. Spec: appendices, signing keys.
public struct SigningKeyID: Hashable, Comparable, Sendable {
    /// In bytes.
    public static let limitBytes = 255

    /// Algorithm, colon and version.
    public let text: String

    /// - Throws: ``PresenceModel/IdentifierError``: ``PresenceModel/IdentifierError/empty`` also for a missing part.
    public init(parsing text: some StringProtocol) throws(IdentifierError) {
        let bytes = text.utf8
        guard bytes.count <= SigningKeyID.limitBytes else { throw .tooLong(limitBytes: SigningKeyID.limitBytes) }
        guard bytes.allSatisfy(SigningKeyID.isLegal) else { throw .forbiddenCharacter }
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon != bytes.startIndex,
            bytes.index(after: colon) != bytes.endIndex
        else { throw .empty }
        self.text = String(text)
    }

    /// `ed25519` is the only algorithm that Matrix uses.
    public var algorithm: Substring { text.prefix { $0 != ":" } }

    /// What follows the first `:`.
    public var version: Substring { text[text.utf8.index(after: algorithm.endIndex)...] }

    /// True if the key can verify a Matrix signature.
    public var isEd25519: Bool { algorithm == "ed25519" }

    /// By bytes.
    public static func < (left: SigningKeyID, right: SigningKeyID) -> Bool { left.text < right.text }

    private static func isLegal(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
            && byte != UInt8(ascii: ",")
    }
}

extension SigningKeyID: CustomStringConvertible {
    /// The text itself.
    public var description: String { text }
}
