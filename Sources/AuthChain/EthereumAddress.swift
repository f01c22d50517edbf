/// An account of Ethereum: 20 bytes, the end of the Keccak-256 of a public key.
public struct EthereumAddress: Hashable, Sendable {
    /// 20 bytes.
    public let bytes: [UInt8]

    /// Takes `0x` and 40 hexadecimal digits, in whatever case: a checksum by case (EIP-55) is not checked, as clients
    /// write addresses in both ways. `nil` for anything else.
    public init?(_ text: String) {
        guard let bytes = Hexadecimal.decode(text, count: 20) else { return nil }
        self.bytes = bytes
    }

    /// - Parameter publicKey: 64 bytes, x and y.
    init(publicKey: [UInt8]) {
        precondition(publicKey.count == 64, "a public key of \(publicKey.count) bytes")
        bytes = Array(Keccak256.hash(publicKey).suffix(20))
    }

    /// In lower case.
    public var text: String { Hexadecimal.encode(bytes) }

    /// With the checksum in the case of its letters. EIP-55.
    public var checksummed: String {
        let lower = text.dropFirst(2)
        let hash = Keccak256.hash(lower.utf8)
        return "0x"
            + lower.enumerated().map { place, digit in
                let nibble = place % 2 == 0 ? hash[place / 2] >> 4 : hash[place / 2] & 15
                return nibble >= 8 ? digit.uppercased() : String(digit)
            }.joined()
    }
}

extension EthereumAddress: CustomStringConvertible {
    /// As ``text``.
    public var description: String { text }
}
