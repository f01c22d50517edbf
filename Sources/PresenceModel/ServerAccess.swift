/// A pattern for server names: `*` stands for any run of characters, also none, and `?` for any one.
///
/// Letter case does not count. A server matches by its whole name or by its name without the port, so `example.org`
/// is also `example.org:8448`, and `example.org:8448` is that one alone. Everything else stands for itself.
/// Spec: client-server API, `m.room.server_acl`.
public struct ServerGlob: Hashable, Sendable {
    /// The longest pattern, in bytes: that of a server name.
    public static let limitBytes = ServerName.limitBytes

    /// As it was written.
    public let text: String
    /// In lower case.
    private let pattern: [UInt8]

    /// - Throws: ``IdentifierError``; also for a pattern without wildcards that is no server name.
    public init(parsing text: some StringProtocol) throws(IdentifierError) {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty else { throw .empty }
        guard bytes.count <= ServerGlob.limitBytes else { throw .tooLong(limitBytes: ServerGlob.limitBytes) }
        guard bytes.allSatisfy(\.mayStandInGlob) else { throw .forbiddenCharacter }
        if !bytes.contains(where: \.isWildcard) { _ = try ServerName(parsing: text) }
        self.text = String(text)
        pattern = bytes.map(\.lowercasedLetter)
    }

    /// Whether the pattern stands for `server`.
    public func matches(_ server: ServerName) -> Bool {
        matches(Array(server.text.utf8)) || (server.port != nil && matches(Array(server.host.utf8)))
    }

    /// Goes back to the latest star alone: the cost is at most the product of both lengths.
    fileprivate func matches(_ name: [UInt8]) -> Bool {
        var (place, at) = (0, 0)
        var star: (place: Int, at: Int)?
        while at < name.count {
            if place < pattern.count, pattern[place] == UInt8(ascii: "*") {
                star = (place, at)
                place += 1
            } else if place < pattern.count,
                pattern[place] == UInt8(ascii: "?") || pattern[place] == name[at].lowercasedLetter
            {
                place += 1
                at += 1
            } else if let latest = star {
                star = (latest.place, latest.at + 1)
                place = latest.place + 1
                at = latest.at + 1
            } else {
                return false
            }
        }
        return pattern[place...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}

/// Which other servers this one talks to at all, in both directions.
public struct ServerAccess: Hashable, Sendable {
    /// Only these; if there is no pattern, every server.
    public var allow: [ServerGlob]
    /// Never these, whatever ``allow`` says.
    public var deny: [ServerGlob]

    /// Every server.
    public static let everyone = ServerAccess()

    /// Both lists; the order within them does not matter.
    public init(allow: [ServerGlob] = [], deny: [ServerGlob] = []) {
        self.allow = allow
        self.deny = deny
    }

    /// Whether `server` is talked to.
    public func admits(_ server: ServerName) -> Bool {
        guard !allow.isEmpty || !deny.isEmpty else { return true }
        let names = [Array(server.text.utf8)] + (server.port == nil ? [] : [Array(server.host.utf8)])
        func isAmong(_ globs: [ServerGlob]) -> Bool { globs.contains { glob in names.contains(where: glob.matches) } }
        return !isAmong(deny) && (allow.isEmpty || isAmong(allow))
    }
}

extension UInt8 {
    fileprivate var isWildcard: Bool { self == UInt8(ascii: "*") || self == UInt8(ascii: "?") }

    fileprivate var mayStandInGlob: Bool {
        isHostCharacter || isWildcard || [UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: ":")].contains(self)
    }

    fileprivate var lowercasedLetter: UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self
    }
}
