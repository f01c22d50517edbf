/// A Matrix server name: a DNS name, an IPv4 address or a bracketed IPv6 address, optionally with `:port`.
///
/// At most 230 UTF-8 bytes; equality is byte for byte (peers sign and compare names that way).
/// Spec: appendices, server name.
public struct ServerName: Hashable, Comparable, Sendable {
    public static let limitBytes = 230

    public let text: String

    /// - Throws: ``IdentifierError``, naming the first rule broken.
    public init(parsing text: some StringProtocol) throws(IdentifierError) {
        let bytes = text.utf8
        guard !bytes.isEmpty else { throw .empty }
        guard bytes.count <= ServerName.limitBytes else { throw .tooLong(limitBytes: ServerName.limitBytes) }
        guard ServerName.split(Array(bytes)) != nil else { throw .malformedServerName }
        self.text = String(text)
    }

    /// For text cut out of an identifier that was checked already.
    init(checked text: String) { self.text = text }

    /// Host without port; an IPv6 address keeps its brackets.
    public var host: String {
        guard let parts = ServerName.split(Array(text.utf8)) else { return text }
        return String(decoding: parts.host, as: UTF8.self)
    }

    /// The port, if the name carries one.
    public var port: Int? { ServerName.split(Array(text.utf8))?.port }

    /// True for `1.2.3.4` and `[::1]`: no name to look up, and the certificate is for the address.
    public var isAddressLiteral: Bool {
        guard let host = ServerName.split(Array(text.utf8))?.host else { return false }
        if host.first == UInt8(ascii: "[") { return true }
        let labels = host.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return labels.count == 4
            && labels.allSatisfy { label in
                !label.isEmpty && label.count <= 3 && label.allSatisfy(\.isDigit)
                    && (Int(String(decoding: label, as: UTF8.self)) ?? 256) < 256
            }
    }

    public static func < (left: ServerName, right: ServerName) -> Bool { left.text < right.text }

    private static func split(_ bytes: [UInt8]) -> (host: ArraySlice<UInt8>, port: Int?)? {
        let hostEnd: Int
        if bytes.first == UInt8(ascii: "[") {
            guard let close = bytes.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            let inside = bytes[1..<close]
            guard (2...45).contains(inside.count), inside.contains(UInt8(ascii: ":")) else { return nil }
            guard inside.allSatisfy({ $0.isHexDigit || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") }) else {
                return nil
            }
            hostEnd = close + 1
        } else {
            hostEnd = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.endIndex
            guard hostEnd > 0, bytes[..<hostEnd].allSatisfy(\.isHostCharacter) else { return nil }
        }
        let rest = bytes[hostEnd...]
        guard !rest.isEmpty else { return (bytes[..<hostEnd], nil) }
        let digits = rest.dropFirst()
        guard rest.first == UInt8(ascii: ":"), (1...5).contains(digits.count), digits.allSatisfy(\.isDigit),
            let port = Int(String(decoding: digits, as: UTF8.self)), (1...65535).contains(port)
        else { return nil }
        return (bytes[..<hostEnd], port)
    }
}

extension ServerName: CustomStringConvertible {
    public var description: String { text }
}

extension UInt8 {
    var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    var isLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) }

    var isHexDigit: Bool { isDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(self | 0x20) }

    var isHostCharacter: Bool { isDigit || isLetter || self == UInt8(ascii: "-") || self == UInt8(ascii: ".") }
}
