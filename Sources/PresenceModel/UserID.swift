/// A Matrix user, `@localpart:server`, at most 255 UTF-8 bytes.
///
/// Equality is byte for byte: localparts are case-sensitive. Historical localparts (any printable character but
/// `:`) are taken; control characters and spaces are not. An empty localpart is refused.
/// Spec: appendices, user identifiers.
public struct UserID: Hashable, Comparable, Sendable {
    public static let limitBytes = 255

    public let text: String
    private let colonOffset: UInt8

    /// - Throws: ``IdentifierError``, naming the first rule broken.
    public init(parsing text: some StringProtocol) throws(IdentifierError) {
        let bytes = text.utf8
        guard bytes.first == UInt8(ascii: "@") else { throw .missingSigil }
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else { throw .missingServerName }
        guard bytes.count <= UserID.limitBytes else { throw .tooLong(limitBytes: UserID.limitBytes) }
        let offset = bytes.distance(from: bytes.startIndex, to: colon)
        guard offset > 1 else { throw .empty }
        guard bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { throw .forbiddenCharacter }
        _ = try ServerName(parsing: text[text.index(after: colon)...])
        self.text = String(text)
        self.colonOffset = UInt8(offset)
    }

    /// The server that the user lives on.
    public var server: ServerName {
        ServerName(checked: String(text.utf8.dropFirst(Int(colonOffset) + 1)) ?? "")
    }

    /// The part between `@` and the first `:`.
    public var localpart: Substring { text[text.utf8.index(text.startIndex, offsetBy: 1)..<colonIndex] }

    /// Compares without making a ``ServerName`` of it.
    public func isHosted(by server: ServerName) -> Bool {
        text.utf8.dropFirst(Int(colonOffset) + 1).elementsEqual(server.text.utf8)
    }

    public static func == (left: UserID, right: UserID) -> Bool { left.text == right.text }

    public func hash(into hasher: inout Hasher) { hasher.combine(text) }

    public static func < (left: UserID, right: UserID) -> Bool { left.text < right.text }

    private var colonIndex: String.Index { text.utf8.index(text.startIndex, offsetBy: Int(colonOffset)) }
}

extension UserID: CustomStringConvertible {
    public var description: String { text }
}
