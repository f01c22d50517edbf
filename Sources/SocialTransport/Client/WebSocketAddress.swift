/// Where a WebSocket is found: `ws://host[:port]/path` or `wss://…`. RFC 6455, section 3.
public struct WebSocketAddress: Hashable, Sendable {
    /// TLS.
    public var isSecure: Bool
    /// A name or an address, without brackets.
    public var host: String
    /// 80 or 443 if none is named.
    public var port: Int
    /// What is asked for: path and query.
    public var target: String

    /// - Throws: ``RPCClientError`` with `badAddress` for anything else, user names and fragments too.
    public init(parsing text: String) throws(RPCClientError) {
        func bad() -> RPCClientError { RPCClientError(.badAddress, "not ws://host[:port]/path or wss://…") }
        let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, ["ws", "wss"].contains(parts[0].lowercased()) else { throw bad() }
        isSecure = parts[0].lowercased() == "wss"
        guard !text.contains("#"), !text.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F }) else { throw bad() }
        let authority = parts[1].prefix { $0 != "/" && $0 != "?" }
        let rest = parts[1].dropFirst(authority.count)
        target = rest.hasPrefix("/") ? String(rest) : "/" + rest
        var name = authority
        port = isSecure ? 443 : 80
        if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") {
            guard let number = UInt16(authority[authority.index(after: colon)...]), number > 0 else { throw bad() }
            port = Int(number)
            name = authority[..<colon]
        }
        if name.hasPrefix("["), name.hasSuffix("]") { name = name.dropFirst().dropLast() }
        guard !name.isEmpty, !name.contains("@"), !name.contains("["), !name.contains("]") else { throw bad() }
        host = String(name)
    }

    /// As it is written.
    public var text: String { "\(isSecure ? "wss" : "ws")://\(hostField)\(target)" }

    /// An address, which TLS cannot ask for by name.
    var isNumeric: Bool { host.contains(":") || host.allSatisfy { $0 == "." || $0.isNumber } }

    /// As the field `Host` has it.
    var hostField: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }
}
