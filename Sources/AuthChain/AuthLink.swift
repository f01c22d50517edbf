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

    /// Whose chain it is.
    public static let signer = "SIGNER"
    /// Hands on to a key that lives for a while.
    public static let ephemeral = "ECDSA_EPHEMERAL"
    /// Signs what the chain is for.
    public static let signedEntity = "ECDSA_SIGNED_ENTITY"
    /// As the two above, signed by a contract.
    static let contractKinds = ["ECDSA_EIP_1654_EPHEMERAL", "ECDSA_EIP_1654_SIGNED_ENTITY"]
}
