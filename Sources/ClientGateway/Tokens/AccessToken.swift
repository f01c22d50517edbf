import Crypto

/// A secret that names one device of one user: `prs_` and 43 characters of base64url, 256 random bits.
///
/// It is shown once, when it is made, and never stored or logged: ``description`` leaves the secret out.
public struct AccessToken: Hashable, Sendable {
    /// Tells our tokens from others, for people and for scanners that look for leaked secrets.
    public static let prefix = "prs_"

    /// The secret itself, for the `Authorization` header.
    public let text: String

    /// - Parameter generator: Where the secret comes from; anything but `SystemRandomNumberGenerator` is for tests.
    public init(from generator: inout some RandomNumberGenerator) {
        let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        text = AccessToken.prefix + AccessToken.base64URL(bytes)
    }

    /// What is stored in place of the token.
    public var digest: TokenDigest { TokenDigest(of: text) }

    /// Unpadded, RFC 4648 section 5.
    private static func base64URL(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        var text = ""
        var pending: UInt32 = 0
        var pendingBits = 0
        for byte in bytes {
            pending = pending << 8 | UInt32(byte)
            pendingBits += 8
            while pendingBits >= 6 {
                pendingBits -= 6
                text.append(alphabet[Int(pending >> pendingBits & 63)])
            }
        }
        if pendingBits > 0 { text.append(alphabet[Int(pending << (6 - pendingBits) & 63)]) }
        return text
    }
}

extension AccessToken: CustomStringConvertible, CustomDebugStringConvertible {
    /// Without the secret.
    public var description: String { AccessToken.prefix + "…" }

    /// Without the secret.
    public var debugDescription: String { description }
}

/// The SHA-256 of an access token, 32 bytes.
public struct TokenDigest: Hashable, Sendable {
    /// The bytes in order, eight at a time, the first in the highest place.
    private let words: SIMD4<UInt64>

    /// - Parameter token: The whole text, prefix included.
    public init(of token: String) {
        var token = token
        var hash = SHA256()
        token.withUTF8 { hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }
        words = TokenDigest.words(of: hash.finalize())
    }

    /// - Parameter hex: 64 hexadecimal digits, of either case; `nil` for anything else.
    public init?(hex: some StringProtocol) {
        let digits = hex.utf8.compactMap { character -> UInt8? in
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
            default: nil
            }
        }
        guard digits.count == 64, hex.utf8.count == 64 else { return nil }
        words = TokenDigest.words(of: stride(from: 0, to: 64, by: 2).map { digits[$0] << 4 | digits[$0 + 1] })
    }

    /// 64 lower-case hexadecimal digits.
    public var hex: String {
        let digits = Array("0123456789abcdef")
        var text = ""
        for index in 0..<4 {
            for shift in stride(from: 60, through: 0, by: -4) {
                text.append(digits[Int(words[index] >> UInt64(shift) & 15)])
            }
        }
        return text
    }

    private static func words(of bytes: some Sequence<UInt8>) -> SIMD4<UInt64> {
        var words = SIMD4<UInt64>()
        for (offset, byte) in bytes.enumerated() {
            words[offset / 8] = words[offset / 8] << 8 | UInt64(byte)
        }
        return words
    }
}
