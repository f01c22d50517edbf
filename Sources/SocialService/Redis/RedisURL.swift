/// Where a Redis is: `redis://[user:password@]host[:port][/database]`. No TLS. Its description leaves the password out.
public struct RedisURL: Hashable, Sendable {
    /// A name or an address; an IPv6 address without its brackets.
    public var host: String
    /// Default: 6379.
    public var port: Int
    /// Only with a password.
    public var user: String?
    /// Never logged.
    public var password: String?
    /// Default: 0.
    public var database: Int

    /// What is wrong with a text that is none.
    public enum Flaw: Error, Hashable, Sendable {
        /// It does not begin with `redis://`.
        case scheme
        /// There is none.
        case host
        /// Not a number between 1 and 65,535.
        case port
        /// Not a number from 0 on.
        case database
        /// User and password are percent-encoded UTF-8.
        case credentials
    }

    /// - Throws: ``Flaw``, the first that is found.
    public init(parsing text: String) throws(Flaw) {
        guard text.hasPrefix("redis://") else { throw .scheme }
        var rest = text.dropFirst("redis://".count)
        (user, password) = (nil, nil)
        if let at = rest.lastIndex(of: "@") {
            let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let name = RedisURL.decoded(parts[0]), let secret = RedisURL.decoded(parts[1])
            else { throw .credentials }
            (user, password) = (name.isEmpty ? nil : name, secret)
            rest = rest[rest.index(after: at)...]
        }
        database = 0
        if let slash = rest.firstIndex(of: "/") {
            let number = rest[rest.index(after: slash)...]
            if !number.isEmpty {
                guard number.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int(number) else {
                    throw .database
                }
                database = value
            }
            rest = rest[..<slash]
        }
        var name = rest
        port = 6379
        let isBracketed = rest.hasPrefix("[")
        if let colon = rest.lastIndex(of: ":"), !isBracketed || rest[..<colon].hasSuffix("]") {
            guard let value = Int(rest[rest.index(after: colon)...]), (1...65_535).contains(value) else { throw .port }
            port = value
            name = rest[..<colon]
        }
        if isBracketed {
            guard name.hasSuffix("]") else { throw .host }
            name = name.dropFirst().dropLast()
        }
        guard !name.isEmpty, !name.contains(where: { $0.isWhitespace || $0 == "?" || $0 == "#" }) else { throw .host }
        host = String(name)
    }

    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(rest.prefix(2)) ?? "", radix: 16) else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension RedisURL: CustomStringConvertible {
    /// Host, port and database.
    public var description: String { "redis://\(host):\(port)/\(database)" }
}
