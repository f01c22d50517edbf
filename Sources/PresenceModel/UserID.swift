/// A Matrix user, `@localpart:server`, at most 255 UTF-8 bytes.
///
/// Equality is byte for byte: localparts are case-sensitive. Historical localparts (any printable character but
/// `:`) are taken; control characters and spaces are not. An empty localpart is refused.
/// Spec: appendices, user identifiers.
public struct UserID: Hashable, Comparable, Sendable {
    /// The longest user id, `@` and server name included, in UTF-8 bytes.
    public static let limitBytes = 255

    /// The whole id, from the `@` on, as it was parsed.
    public let text: String
    private let colonOffset: UInt8
    /// Swift takes differently composed characters for equal; identifiers that hold any are compared by bytes.
    private let isASCII: Bool

    /// - Throws: ``IdentifierError``, naming the first rule broken.
    public init(parsing text: some StringProtocol) throws(IdentifierError) {
        var copy = String(text)
        var offset = 0
        var isASCII = true
        let flaw = copy.withUTF8 { UserID.flaw(in: $0, colon: &offset, isASCII: &isASCII) }
        if let flaw { throw flaw }
        self.text = copy
        self.colonOffset = UInt8(offset)
        self.isASCII = isASCII
    }

    /// The server that the user lives on.
    public var server: ServerName {
        ServerName(checked: String(text.utf8.dropFirst(Int(colonOffset) + 1)) ?? "")
    }

    /// The part between `@` and the first `:`.
    public var localpart: Substring { text[text.utf8.index(text.startIndex, offsetBy: 1)..<colonIndex] }

    /// Compares without making a ``ServerName`` of it.
    public func isHosted(by server: ServerName) -> Bool {
        let (mine, theirs) = (text.utf8, server.text.utf8)
        let offset = Int(colonOffset) + 1
        guard mine.count - offset == theirs.count else { return false }
        let isEqual = mine.withContiguousStorageIfAvailable { mine in
            theirs.withContiguousStorageIfAvailable { $0.elementsEqual(mine[offset...]) }
        }
        return (isEqual ?? nil) ?? mine.dropFirst(offset).elementsEqual(theirs)
    }

    /// Equality of the bytes, also where Swift takes two texts for equal.
    public static func == (left: UserID, right: UserID) -> Bool {
        left.text == right.text && (left.isASCII || left.text.utf8.elementsEqual(right.text.utf8))
    }

    /// Hashes the text: equal ids hash alike.
    public func hash(into hasher: inout Hasher) { hasher.combine(text) }

    /// The order of the UTF-8 bytes.
    public static func < (left: UserID, right: UserID) -> Bool {
        guard left.isASCII, right.isASCII else { return left.text.utf8.lexicographicallyPrecedes(right.text.utf8) }
        return left.text < right.text
    }

    /// The first rule that the bytes break; where the colon is, and whether all of them are ASCII.
    private static func flaw(
        in bytes: UnsafeBufferPointer<UInt8>, colon: inout Int, isASCII: inout Bool
    ) -> IdentifierError? {
        guard bytes.first == UInt8(ascii: "@") else { return .missingSigil }
        var hasForbidden = false
        for (index, byte) in bytes.enumerated() {
            if byte == UInt8(ascii: ":"), colon == 0 { colon = index }
            if byte <= 0x20 || byte == 0x7F { hasForbidden = true }
            if byte >= 0x80 { isASCII = false }
        }
        guard colon > 0 else { return .missingServerName }
        guard bytes.count <= limitBytes else { return .tooLong(limitBytes: limitBytes) }
        guard colon > 1 else { return .empty }
        guard !hasForbidden else { return .forbiddenCharacter }
        return ServerName.flaw(in: bytes[(colon + 1)...])
    }

    private var colonIndex: String.Index { text.utf8.index(text.startIndex, offsetBy: Int(colonOffset)) }
}

extension UserID: CustomStringConvertible {
    /// The id itself.
    public var description: String { text }
}
