import Crypto
import MatrixWire
import PresenceEngine
import PresenceRuntime

/// Makes texts out of positions of a stream and takes them back, so that their numbers tell nobody anything.
///
/// Versions count what others do too; who could read them would learn that somebody out of sight did something. The key
/// is made at every start: a text of an earlier run means from the beginning. One position is always the same text.
struct StreamPositionSeal: Sendable {
    private static let nonceBytes = 12
    private static let positionBytes = 24
    private static let textLimitBytes = 200

    private let key = SymmetricKey(size: .bits256)
    private let nonceKey = SymmetricKey(size: .bits256)

    /// `p`, and then letters, digits, `-` and `_`.
    func text(of position: PresenceRuntime.StreamPosition) -> String {
        var bytes: [UInt8] = []
        for number in [position.boot, position.reached.version, position.reached.own] {
            withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
        }
        let digest = HMAC<SHA256>.authenticationCode(for: bytes, using: nonceKey)
        guard let nonce = try? ChaChaPoly.Nonce(data: Array(digest.prefix(StreamPositionSeal.nonceBytes))),
            let box = try? ChaChaPoly.seal(bytes, using: key, nonce: nonce)
        else { preconditionFailure("a nonce of 12 bytes was refused") }
        return "p" + Base64.encode(Array(box.combined)).map { StreamPositionSeal.webSafe[$0] ?? String($0) }.joined()
    }

    /// The position; the beginning for a text that another run made, `nil` for one that none did.
    func position(of text: String) -> PresenceRuntime.StreamPosition? {
        guard text.first == "p", text.utf8.count <= StreamPositionSeal.textLimitBytes else { return nil }
        let isOurs = text.utf8.dropFirst().allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
            default: false
            }
        }
        guard isOurs, text.utf8.count > 1 else { return nil }
        let standard = String(text.dropFirst().map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
        guard let combined = Base64.decode(standard), let box = try? ChaChaPoly.SealedBox(combined: combined),
            let opened = try? ChaChaPoly.open(box, using: key), opened.count == StreamPositionSeal.positionBytes
        else { return .beginning }
        let bytes = Array(opened)
        func number(_ place: Int) -> UInt64 { bytes[place * 8..<place * 8 + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        return PresenceRuntime.StreamPosition(
            boot: number(0), reached: PresenceEngine.Position(version: number(1), own: number(2)))
    }

    private static let webSafe: [Character: String] = ["+": "-", "/": "_"]
}
