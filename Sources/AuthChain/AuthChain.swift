import MatrixWire
import PresenceModel

/// Signatures that lead from an Ethereum wallet, over keys that it handed on to, to a text that was signed.
///
/// `[{type, payload, signature}…]`: first `SIGNER` with the wallet's address, then any number of `ECDSA_EPHEMERAL`, last
/// `ECDSA_SIGNED_ENTITY`. Wallets that are contracts (EIP-1654) are refused: who signs for them only a node of the
/// chain could tell. ADR-44; facts: social service, sections 4.1 and 6.1.
public struct AuthChain: Hashable, Sendable {
    /// The longest JSON text that is read.
    public static let textLimitBytes = 16 << 10
    /// The most links.
    public static let linksLimit = 8
    /// How far the signed time may be from the clock, before and after.
    public static let window: Duration = .minutes(5)

    /// In the order of the chain.
    public var links: [AuthLink]

    /// A chain as given, not verified.
    public init(links: [AuthLink]) { self.links = links }

    /// Reads a JSON array of links; nothing is verified. Other members of a link are skipped.
    /// - Throws: ``AuthChainError``: too long, malformed, or too many links.
    public init(parsing text: String) throws(AuthChainError) {
        guard text.utf8.count <= AuthChain.textLimitBytes else { throw .tooLong }
        let parser = JSONParser(duplicateKeys: .refused, numbers: .any, maxDepth: 4)
        guard let value = (try? parser.parse(Array(text.utf8)))?.value else { throw .malformed }
        try self.init(value)
    }

    /// As ``init(parsing:)``, of JSON that was parsed already.
    /// - Throws: ``AuthChainError``: malformed, or too many links.
    public init(_ value: JSONValue) throws(AuthChainError) {
        guard let elements = value.array else { throw .malformed }
        guard elements.count <= AuthChain.linksLimit else { throw .linkCount }
        var links: [AuthLink] = []
        for element in elements {
            guard let type = element["type"]?.string, let payload = element["payload"]?.string,
                let signature = element["signature"]?.string
            else { throw .malformed }
            links.append(AuthLink(type: type, payload: payload, signature: signature))
        }
        self.links = links
    }

    /// As JSON, as clients send it.
    public var text: String { String(decoding: CanonicalJSON.encode(json), as: UTF8.self) }

    var json: JSONValue {
        .array(
            links.map { link in
                [
                    "type": .string(link.type), "payload": .string(link.payload), "signature": .string(link.signature),
                ]
            })
    }

    /// Whose the chain is, if it signs `text` and no key on its way has expired.
    /// - Throws: ``AuthChainError``, the first flaw from the beginning.
    public func signer(of text: String, at now: Instant) throws(AuthChainError) -> EthereumAddress {
        let trail = try followed(at: now)
        let last = links.count - 1
        // By bytes: strings are equal to what merely looks the same.
        guard trail.handedOn == last, links[last].payload.utf8.elementsEqual(text.utf8) else { throw .otherText }
        try links[last].verify(by: trail.authority, at: last)
        return trail.owner
    }

    /// Where a chain leads, from its wallet on.
    struct Trail {
        /// Whose the chain is.
        var owner: EthereumAddress
        /// Who may sign at its end.
        var authority: EthereumAddress
        /// When the first key on the way expires; `nil` if there is none.
        var expiration: Instant?
        /// The place of the link behind those that hand on: one that signs something, or the end.
        var handedOn: Int
    }

    /// Verifies the links that hand on.
    /// - Throws: the first flaw from the beginning; a link that signs something ends the way, and is not looked at.
    func followed(at now: Instant) throws(AuthChainError) -> Trail {
        guard (2...AuthChain.linksLimit).contains(links.count) else { throw .linkCount }
        guard links[0].type == AuthLink.signer, links[0].signature.isEmpty,
            let owner = EthereumAddress(links[0].payload)
        else { throw .signer }
        var trail = Trail(owner: owner, authority: owner, expiration: nil, handedOn: links.count)
        for (place, link) in links.enumerated().dropFirst() {
            switch link.type {
            case AuthLink.ephemeral:
                guard let payload = EphemeralPayload(link.payload) else { throw .ephemeralPayload(place: place) }
                try link.verify(by: trail.authority, at: place)
                guard payload.expiration > now else { throw .expired(place: place) }
                trail.authority = payload.address
                trail.expiration = min(trail.expiration ?? payload.expiration, payload.expiration)
            case AuthLink.signedEntity:
                trail.handedOn = place
                return trail
            case AuthLink.signer: throw .signer
            case let kind where AuthLink.contractKinds.contains(kind): throw .contractWallet(kind)
            default: throw .unknownKind(place: place)
            }
        }
        return trail
    }

    /// Whose the chain is, if it signs `timestamp` and that is the time now, give or take ``window``.
    /// - Parameter timestamp: milliseconds since the epoch, in decimal.
    /// - Throws: ``AuthChainError``, as ``signer(of:at:)``, and for the time.
    public func signer(
        ofTimestamp timestamp: String, at now: Instant
    ) throws(AuthChainError) -> EthereumAddress {
        guard (1...16).contains(timestamp.utf8.count),
            timestamp.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let milliseconds = Int64(timestamp)
        else { throw .timestamp }
        let apart = now.milliseconds(since: Instant(millisecondsSinceEpoch: milliseconds))
        guard abs(apart) <= AuthChain.window.inMilliseconds else { throw .stale }
        return try signer(of: timestamp, at: now)
    }

    /// A chain from `wallet` over `ephemeral` to `text`, as clients make it. For clients and tests.
    /// - Parameter expiration: the ephemeral key's.
    public static func signing(
        _ text: String, wallet: EthereumKey, ephemeral: EthereumKey, expiration: Instant
    ) -> AuthChain {
        let handedOn = EphemeralPayload(address: ephemeral.address, expiration: expiration).text
        return AuthChain(links: [
            AuthLink(type: AuthLink.signer, payload: wallet.address.checksummed, signature: ""),
            AuthLink(type: AuthLink.ephemeral, payload: handedOn, signature: wallet.sign(handedOn).text),
            AuthLink(type: AuthLink.signedEntity, payload: text, signature: ephemeral.sign(text).text),
        ])
    }
}

extension AuthLink {
    fileprivate func verify(by authority: EthereumAddress, at place: Int) throws(AuthChainError) {
        guard let parsed = PersonalSignature(signature) else { throw .signatureForm(place: place) }
        guard parsed.signer(of: payload) == authority else { throw .signature(place: place) }
    }
}
