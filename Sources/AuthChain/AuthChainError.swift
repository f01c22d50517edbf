/// Why a chain does not say who somebody is. Callers branch on the case; ``message`` is for people.
public enum AuthChainError: Error, Hashable, Sendable {
    /// Longer than ``AuthChain/textLimitBytes``.
    case tooLong
    /// No JSON array of objects with the strings `type`, `payload`, `signature`.
    case malformed
    /// No link, or more than ``AuthChain/linksLimit``.
    case linkCount
    /// The first link is no `SIGNER` with an address and without a signature; or another link is one.
    case signer
    /// A kind of a contract wallet (EIP-1654): only a node of the chain could check it.
    case contractWallet(String)
    /// A kind that is not known, at this place from 0.
    case unknownKind(place: Int)
    /// The payload that hands on to an ephemeral key is not as it should be.
    case ephemeralPayload(place: Int)
    /// The ephemeral key had its time.
    case expired(place: Int)
    /// The signature at this place is no signature.
    case signatureForm(place: Int)
    /// The signature at this place is of another key, or of another text.
    case signature(place: Int)
    /// The last link does not sign what was to be signed, or there is a link behind one that does.
    case otherText
    /// The chain is somebody else's.
    case otherAddress
    /// No number of milliseconds.
    case timestamp
    /// No identity: no JSON object with a chain and the private key that it leads to.
    case identity
    /// The private key of an identity is none.
    case key
    /// The private key of an identity is another than the one that the chain leads to.
    case otherKey
    /// Signed too long ago, or in the future; see ``AuthChain/window``.
    case stale

    /// What is wrong, and where it helps what would mend it. Holds nothing of the chain but kinds and places.
    public var message: String {
        switch self {
        case .tooLong: "the auth chain is longer than \(AuthChain.textLimitBytes) bytes"
        case .malformed: "the auth chain is no JSON array of links"
        case .linkCount: "an auth chain has 2 to \(AuthChain.linksLimit) links"
        case .signer: "an auth chain begins with one SIGNER link: an address, without a signature"
        case .contractWallet(let kind):
            "links of kind \(kind) are not accepted: contract wallets (EIP-1654) cannot be verified here"
        case .unknownKind(let place): "link \(place) is of an unknown kind"
        case .ephemeralPayload(let place): "the payload of link \(place) names no ephemeral address and expiration"
        case .expired(let place): "the ephemeral key of link \(place) has expired"
        case .signatureForm(let place): "the signature of link \(place) is not 65 bytes in hexadecimal"
        case .signature(let place): "the signature of link \(place) does not fit"
        case .otherText: "the last link does not sign what it should"
        case .otherAddress: "the auth chain is of another address"
        case .timestamp: "the timestamp is no number of milliseconds"
        case .identity: "an identity is a JSON object with auth_chain and ephemeral_private_key"
        case .key: "the private key is not 32 bytes in hexadecimal, or no key of the curve"
        case .otherKey: "the private key is not the one that the auth chain hands on to"
        case .stale: "the timestamp is more than 5 minutes away from the server's clock"
        }
    }
}
