/// A Matrix server name: a DNS name, an IPv4 address or a bracketed IPv6 address, optionally with `:port`.
///
/// At most 230 bytes, all of them ASCII; equality is byte for byte (peers sign and compare names that way).
/// Spec: appendices, server name.
public struct ServerName: Hashable, Comparable, Sendable {
    /// The longest name, port included, in bytes.
    public static let limitBytes = 230

    /// The name as it was parsed, port included, letter case kept.
    public let text: String

    /// - Throws: ``IdentifierError``, naming the first rule broken.
    public init(parsing text: some StringProtocol) throws(IdentifierError) {
        var copy = String(text)
        let flaw = copy.withUTF8 { ServerName.flaw(in: $0[...]) }
        if let flaw { throw flaw }
        self.text = copy
    }

    /// For text cut out of an identifier that was checked already.
    init(checked text: String) { self.text = text }

    /// Host without port; an IPv6 address keeps its brackets.
    public var host: String { parts.host }

    /// The port, if the name carries one.
    public var port: Int? { parts.port }

    /// True for `1.2.3.4` and `[::1]`: no name to look up, and the certificate is for the address.
    public var isAddressLiteral: Bool {
        let host = parts.host
        if host.hasPrefix("[") { return true }
        let labels = host.split(separator: ".", omittingEmptySubsequences: false)
        return labels.count == 4
            && labels.allSatisfy { label in
                (1...3).contains(label.utf8.count) && label.utf8.allSatisfy(\.isDigit) && (Int(label) ?? 256) < 256
            }
    }

    /// Equality of the bytes: letter case and an explicit port count.
    public static func == (left: ServerName, right: ServerName) -> Bool { left.text == right.text }

    /// Hashes the text.
    public func hash(into hasher: inout Hasher) { hasher.combine(text) }

    /// The order of the texts.
    public static func < (left: ServerName, right: ServerName) -> Bool { left.text < right.text }

    private var parts: (host: String, port: Int?) {
        var copy = text
        return copy.withUTF8 { bytes in
            guard let (end, port) = ServerName.split(bytes[...]) else { return (text, nil) }
            return (String(decoding: bytes[..<end], as: UTF8.self), port)
        }
    }

    /// The first rule that the bytes break.
    static func flaw(in bytes: Slice<UnsafeBufferPointer<UInt8>>) -> IdentifierError? {
        guard !bytes.isEmpty else { return .empty }
        guard bytes.count <= limitBytes else { return .tooLong(limitBytes: limitBytes) }
        return split(bytes) == nil ? .malformedServerName : nil
    }

    /// Where the host ends, and the port behind it.
    private static func split(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> (hostEnd: Int, port: Int?)? {
        var end = bytes.startIndex
        if bytes.first == UInt8(ascii: "[") {
            guard let close = bytes.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            let inside = bytes[bytes.index(after: bytes.startIndex)..<close]
            guard (2...45).contains(inside.count), inside.contains(UInt8(ascii: ":")) else { return nil }
            guard inside.allSatisfy({ $0.isHexDigit || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") }) else {
                return nil
            }
            end = close + 1
        } else {
            while end < bytes.endIndex, bytes[end].isHostCharacter { end += 1 }
            guard end > bytes.startIndex else { return nil }
        }
        guard end < bytes.endIndex else { return (end, nil) }
        guard bytes[end] == UInt8(ascii: ":"), (2...6).contains(bytes.endIndex - end) else { return nil }
        var port = 0
        for byte in bytes[(end + 1)...] {
            guard byte.isDigit else { return nil }
            port = port * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return (1...65535).contains(port) ? (end, port) : nil
    }
}

extension ServerName: CustomStringConvertible {
    /// The name itself.
    public var description: String { text }
}

extension UInt8 {
    var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    var isLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) }

    var isHexDigit: Bool { isDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(self | 0x20) }

    var isHostCharacter: Bool { isDigit || isLetter || self == UInt8(ascii: "-") || self == UInt8(ascii: ".") }
}
