import PresenceModel

/// Who somebody is in the social service: usually an Ethereum address `0x…`, at most 255 UTF-8 bytes of visible ASCII.
///
/// Addresses compare without case, so they are kept in lower case. The address of a Matrix user is the localpart.
/// Facts: social service, section 4.2.
public struct SocialAddress: Hashable, Comparable, Sendable {
    /// In lower case.
    public let text: String

    /// Takes an address, or a Matrix user `@LOCAL:SERVER`, of whom the localpart counts.
    /// - Throws: ``IdentifierError`` if it is empty, too long, or has other characters.
    public init(parsing text: some StringProtocol) throws(IdentifierError) {
        var name = Substring(text)
        if name.hasPrefix("@") {
            name = name.dropFirst()
            name = name.firstIndex(of: ":").map { name[..<$0] } ?? name
        }
        guard !name.isEmpty else { throw .empty }
        guard name.utf8.count <= 255 else { throw .tooLong(limitBytes: 255) }
        guard name.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .forbiddenCharacter
        }
        self.text = name.lowercased()
    }

    /// By bytes.
    public static func < (left: SocialAddress, right: SocialAddress) -> Bool { left.text < right.text }
}

extension SocialAddress: CustomStringConvertible {
    /// The address.
    public var description: String { text }
}
