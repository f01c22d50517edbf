import MatrixWire
import PresenceModel

/// A key of a short life that may sign in a wallet's name: what a user hands over so that somebody else can speak for
/// them. ADR-44; facts: social service, section 6.1.
///
/// Its descriptions show whose it is and until when, nothing else.
public struct EphemeralIdentity: Sendable {
    /// The wallet's.
    public let address: EthereumAddress
    /// From the wallet to the ephemeral key: `SIGNER`, then one or more `ECDSA_EPHEMERAL`.
    public let links: [AuthLink]
    /// Signs.
    public let key: EthereumKey
    /// The chain holds until then: the first of its keys expires.
    public let expiration: Instant

    /// The longest JSON text that is read.
    public static let textLimitBytes = AuthChain.textLimitBytes + 1024

    /// Takes a chain that leads to `key`, and verifies it: each signature, each expiry, and that the key is its last.
    /// - Throws: ``AuthChainError``.
    public init(links: [AuthLink], key: EthereumKey, at now: Instant) throws(AuthChainError) {
        // One more signs.
        guard links.count < AuthChain.linksLimit else { throw .linkCount }
        let trail = try AuthChain(links: links).followed(at: now)
        guard trail.handedOn == links.count, let expiration = trail.expiration else { throw .otherText }
        guard trail.authority == key.address else { throw .otherKey }
        self.address = trail.owner
        self.links = links
        self.key = key
        self.expiration = expiration
    }

    /// Reads `{"auth_chain":[{type,payload,signature}…],"ephemeral_private_key":"0x…"}`, or the same as the explorer's
    /// web client keeps it: `{"authChain":[…],"ephemeralIdentity":{"privateKey":"0x…"}}`. Other members are skipped:
    /// when it expires is told by what the wallet signed. Verified as ``init(links:key:at:)`` does.
    /// - Throws: ``AuthChainError``.
    public init(parsing text: String, at now: Instant) throws(AuthChainError) {
        guard text.utf8.count <= EphemeralIdentity.textLimitBytes else { throw .tooLong }
        let parser = JSONParser(duplicateKeys: .refused, numbers: .any, maxDepth: 5)
        guard let value = (try? parser.parse(Array(text.utf8)))?.value else { throw .identity }
        try self.init(value, at: now)
    }

    /// As ``init(parsing:at:)``, of JSON that was parsed already.
    /// - Throws: ``AuthChainError``.
    public init(_ value: JSONValue, at now: Instant) throws(AuthChainError) {
        guard let chain = value["auth_chain"] ?? value["authChain"],
            let secret = (value["ephemeral_private_key"] ?? value["ephemeralIdentity"]?["privateKey"])?.string
        else { throw .identity }
        guard let key = EthereumKey(secret) else { throw .key }
        try self.init(links: AuthChain(chain).links, key: key, at: now)
    }

    /// Whether it is of the same wallet, over the same links to the same key.
    public func isSame(as other: EphemeralIdentity) -> Bool { links == other.links && key.address == other.key.address }

    /// As ``init(parsing:at:)`` reads it, with what it takes and nothing else. A secret.
    public var text: String {
        let value: JSONValue = ["auth_chain": AuthChain(links: links).json, "ephemeral_private_key": .string(key.text)]
        return String(decoding: CanonicalJSON.encode(value), as: UTF8.self)
    }

    /// A chain from the wallet to `text`.
    public func signing(_ text: String) -> AuthChain {
        let last = AuthLink(type: AuthLink.signedEntity, payload: text, signature: key.sign(text).text)
        return AuthChain(links: links + [last])
    }
}

extension EphemeralIdentity: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Without the secret, and without the chain.
    public var description: String { "identity of \(address) until \(expiration)" }
    /// As ``description``.
    public var debugDescription: String { description }
    /// As ``description``.
    public var customMirror: Mirror { Mirror(self, children: ["address": address.text]) }
}
