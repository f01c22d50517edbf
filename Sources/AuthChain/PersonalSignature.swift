import CSecp256k1

/// A signature of a text by an Ethereum key, as wallets make it for `personal_sign`: r, s and v, 65 bytes.
///
/// Where s lies does not matter: recovery takes both halves of the curve's order, as Ethereum's libraries do for
/// messages. v is 0 or 1, or 27 or 28. EIP-191, version 0x45.
public struct PersonalSignature: Hashable, Sendable {
    /// r and s, 64 bytes.
    let compact: [UInt8]
    /// 0 or 1.
    let recovery: Int32

    /// Takes `0x` and 130 hexadecimal digits; `nil` for anything else, or another v.
    public init?(_ text: String) {
        guard let bytes = Hexadecimal.decode(text, count: 65) else { return nil }
        switch bytes[64] {
        case 0, 1: recovery = Int32(bytes[64])
        case 27, 28: recovery = Int32(bytes[64]) - 27
        default: return nil
        }
        compact = Array(bytes.prefix(64))
    }

    init(compact: [UInt8], recovery: Int32) {
        self.compact = compact
        self.recovery = recovery
    }

    /// With v as wallets write it, 27 or 28.
    public var text: String { Hexadecimal.encode(compact + [UInt8(truncatingIfNeeded: recovery + 27)]) }

    /// Who signed `message`; `nil` if no key could have.
    public func signer(of message: String) -> EthereumAddress? {
        var signature = secp256k1_ecdsa_recoverable_signature()
        var key = secp256k1_pubkey()
        let hash = PersonalSignature.hash(of: message)
        guard
            secp256k1_ecdsa_recoverable_signature_parse_compact(Curve.context, &signature, compact, recovery) == 1,
            secp256k1_ecdsa_recover(Curve.context, &key, &signature, hash) == 1
        else { return nil }
        return EthereumAddress(publicKey: Curve.bytes(of: key))
    }

    /// What is signed in place of `message`.
    static func hash(of message: String) -> [UInt8] {
        let bytes = Array(message.utf8)
        return Keccak256.hash(Array("\u{19}Ethereum Signed Message:\n\(bytes.count)".utf8) + bytes)
    }
}

/// A private key of Ethereum, for clients and tests. Its description does not show it.
public struct EthereumKey: Sendable {
    /// The account that the key stands for.
    public let address: EthereumAddress
    private let secret: [UInt8]

    /// Takes `0x` and 64 hexadecimal digits; `nil` for anything else, or what is no key.
    public init?(_ text: String) {
        guard let bytes = Hexadecimal.decode(text, count: 32) else { return nil }
        self.init(secret: bytes)
    }

    /// A new key. - Parameter generator: anything but `SystemRandomNumberGenerator` is for tests.
    public init(from generator: inout some RandomNumberGenerator) {
        while true {
            let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            if let key = EthereumKey(secret: bytes) {
                self = key
                return
            }
        }
    }

    private init?(secret: [UInt8]) {
        var key = secp256k1_pubkey()
        guard secp256k1_ec_pubkey_create(Curve.context, &key, secret) == 1 else { return nil }
        self.secret = secret
        address = EthereumAddress(publicKey: Curve.bytes(of: key))
    }

    /// As ``init(_:)`` takes it: the secret itself, for who keeps it.
    var text: String { Hexadecimal.encode(secret) }

    /// Signs as wallets do for `personal_sign`; the same text always gets the same signature (RFC 6979).
    public func sign(_ message: String) -> PersonalSignature {
        var signature = secp256k1_ecdsa_recoverable_signature()
        var compact = [UInt8](repeating: 0, count: 64)
        var recovery: Int32 = 0
        let hash = PersonalSignature.hash(of: message)
        let isSigned = secp256k1_ecdsa_sign_recoverable(Curve.context, &signature, hash, secret, nil, nil)
        precondition(isSigned == 1, "a checked key cannot sign")
        secp256k1_ecdsa_recoverable_signature_serialize_compact(Curve.context, &compact, &recovery, &signature)
        return PersonalSignature(compact: compact, recovery: recovery)
    }
}

extension EthereumKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Without the secret.
    public var description: String { "key of \(address)" }
    /// Without the secret.
    public var debugDescription: String { description }
    /// Without the secret.
    public var customMirror: Mirror { Mirror(self, children: ["address": address.text]) }
}

/// The curve secp256k1.
private enum Curve {
    /// Never changed after it is made, so that it serves every thread. Blinded, for signing.
    nonisolated(unsafe) static let context: OpaquePointer = {
        let flags = UInt32(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY)
        guard let context = secp256k1_context_create(flags) else { fatalError("no memory for the curve's tables") }
        var generator = SystemRandomNumberGenerator()
        let seed = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        // It fails only where the library itself is broken.
        precondition(secp256k1_context_randomize(context, seed) == 1, "the curve cannot be blinded")
        return context
    }()

    /// x and y, 64 bytes.
    static func bytes(of key: secp256k1_pubkey) -> [UInt8] {
        var key = key
        var bytes = [UInt8](repeating: 0, count: 65)
        var count = 65
        secp256k1_ec_pubkey_serialize(context, &bytes, &count, &key, UInt32(SECP256K1_EC_UNCOMPRESSED))
        return Array(bytes.dropFirst())
    }
}
