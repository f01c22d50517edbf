/// A Matrix room, `!opaque:server` or (from room version 12 on) `!hash`, at most 255 UTF-8 bytes.
///
/// Equality is byte for byte. Control characters and spaces are refused. Spec: appendices, room identifiers.
public struct RoomID: Hashable, Comparable, Sendable {
    /// The longest room id, `!` included, in UTF-8 bytes.
    public static let limitBytes = 255

    /// The whole id, from the `!` on, as it was parsed.
    public let text: String

    /// - Throws: ``IdentifierError``, naming the first rule broken.
    public init(parsing text: some StringProtocol) throws(IdentifierError) {
        guard text.utf8.first == UInt8(ascii: "!") else { throw .missingSigil }
        guard text.utf8.count <= RoomID.limitBytes else { throw .tooLong(limitBytes: RoomID.limitBytes) }
        guard text.utf8.count > 1 else { throw .empty }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { throw .forbiddenCharacter }
        self.text = String(text)
    }

    /// Equality of the bytes, also where Swift takes two texts for equal.
    public static func == (left: RoomID, right: RoomID) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    /// The order of the UTF-8 bytes.
    public static func < (left: RoomID, right: RoomID) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}

extension RoomID: CustomStringConvertible {
    /// The id itself.
    public var description: String { text }
}
