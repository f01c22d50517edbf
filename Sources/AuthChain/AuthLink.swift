/// One link of a chain of signatures. ADR-44; facts: social service, section 6.1.
public struct AuthLink: Hashable, Sendable, Codable {
    /// `SIGNER`, `ECDSA_EPHEMERAL`, `ECDSA_SIGNED_ENTITY`, or a kind of a contract wallet.
    public var type: String
    /// What is signed, or for `SIGNER` the address.
    public var payload: String
    /// 65 bytes in hexadecimal after `0x`; empty for `SIGNER`.
    public var signature: String

    /// A link as given.
    public init(type: String, payload: String, signature: String) {
        self.type = type
        self.payload = payload
        self.signature = signature
    }
}
