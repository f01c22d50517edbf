/// Where the homeserver listens: `http://host`, `https://host` or either with `:port`, without a path.
public struct HomeserverOrigin: Hashable, Sendable {
    /// As given, without a slash at its end.
    public let text: String

    /// - Throws: ``Malformed`` for anything else, also for one with a user, a path, a query or a fragment.
    public init(parsing text: String) throws(Malformed) {
        let trimmed = text.hasSuffix("/") ? String(text.dropLast()) : text
        guard let scheme = ["http://", "https://"].first(where: { trimmed.hasPrefix($0) }) else { throw Malformed() }
        guard HomeserverOrigin.isAuthority(trimmed.dropFirst(scheme.count)) else { throw Malformed() }
        self.text = trimmed
    }

    /// The text is not the origin of an HTTP server.
    public struct Malformed: Error, Hashable, Sendable {}

    private static func isAuthority(_ text: Substring) -> Bool {
        var host = text
        if let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") {
            guard let port = UInt16(text[text.index(after: colon)...]), port > 0 else { return false }
            host = text[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            let address = host.dropFirst().dropLast()
            return !address.isEmpty && address.allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." }
        }
        return !host.isEmpty && host.utf8.allSatisfy { isHostByte($0) }
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
