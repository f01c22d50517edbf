import PresenceModel
import SocialEngine

/// How ghosts are called: a prefix, and the address, in which whatever a localpart may not hold is written `=hh`.
///
/// Lower-case letters, digits, `.`, `_`, `-`, `/` and `+` stay. Spec: appendices, user identifiers, mapping from other
/// character sets.
public struct GhostRule: Hashable, Sendable {
    /// Of this server.
    public let server: ServerName
    /// Of each localpart.
    public let prefix: String

    /// A rule as given.
    public init(server: ServerName, prefix: String) {
        self.server = server
        self.prefix = prefix
    }

    /// The ghost of an address; `nil` if its name would be too long.
    public func user(for address: SocialAddress) -> UserID? {
        var localpart = prefix
        for byte in address.text.utf8 {
            if GhostRule.stays(byte) {
                localpart.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16)
                localpart += digits.utf8.count == 1 ? "=0\(digits)" : "=\(digits)"
            }
        }
        return try? UserID(parsing: "@\(localpart):\(server)")
    }

    /// Whose ghost that is; `nil` for everybody else.
    public func address(of user: UserID) -> SocialAddress? {
        guard user.isHosted(by: server), user.localpart.hasPrefix(prefix) else { return nil }
        var bytes: [UInt8] = []
        var rest = user.localpart.dropFirst(prefix.count).utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "=") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(Substring(rest.prefix(2)), radix: 16) else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard let address = try? SocialAddress(parsing: String(decoding: bytes, as: UTF8.self)) else { return nil }
        return self.user(for: address) == user ? address : nil
    }

    private static func stays(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: "+"): true
        default: false
        }
    }
}
