import PresenceModel

/// Which device each access token belongs to: a snapshot of a ``TokenFile`` that never changes.
///
/// A presented token is hashed before anything is compared, and the table is searched by the hash. How long the
/// search takes can therefore tell only about the hashes of tokens; whoever guesses cannot steer the hash of a guess
/// towards a stored one without inverting SHA-256, and even a whole hash is not a token. So no comparison needs to
/// run in constant time.
public struct TokenTable: Sendable {
    /// A longer text is no token, and is not hashed.
    public static let tokenLimitBytes = 1024

    private let devices: [TokenDigest: DeviceKey]
    /// Everyone who has a token.
    public let users: Set<UserID>

    /// No token at all.
    public static let empty = TokenTable([])

    /// Of entries with the same digest the last one holds; ``TokenFile`` refuses such a file.
    public init(_ entries: some Sequence<TokenEntry>) {
        devices = Dictionary(entries.map { ($0.digest, $0.key) }) { _, last in last }
        users = Set(devices.values.map(\.user))
    }

    /// The number of tokens.
    public var count: Int { devices.count }

    /// The device that `token` belongs to.
    public func device(presenting token: String) -> DeviceKey? {
        guard token.utf8.count <= TokenTable.tokenLimitBytes else { return nil }
        return device(for: TokenDigest(of: token))
    }

    /// The device whose token has this digest.
    public func device(for digest: TokenDigest) -> DeviceKey? { devices[digest] }

    /// The devices of every token that is in this table and not in `newer`, sorted; also of a token that was replaced.
    public func devices(vanishedIn newer: TokenTable) -> [DeviceKey] {
        let vanished = devices.filter { newer.devices[$0.key] != $0.value }
        return Set(vanished.values).sorted { ($0.user, $0.device) < ($1.user, $1.device) }
    }
}

/// One line of the token file: whose token it is, its hash, and when it was made.
public struct TokenEntry: Hashable, Sendable {
    /// Whose token it is.
    public var key: DeviceKey
    /// The SHA-256 of the token.
    public var digest: TokenDigest
    /// When the token was made.
    public var created: Instant

    /// An entry as it stands in the file.
    public init(key: DeviceKey, digest: TokenDigest, created: Instant) {
        self.key = key
        self.digest = digest
        self.created = created
    }
}

/// A token just made: the only moment at which the secret is known.
public struct IssuedToken: Hashable, Sendable {
    /// Whose token it is.
    public var key: DeviceKey
    /// To be shown once.
    public var token: AccessToken
}
