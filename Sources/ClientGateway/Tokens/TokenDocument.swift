import Foundation
import PresenceModel

/// The JSON of a token file: `{"tokens":[{"user_id","device_id","sha256","created_ts"}]}`.
///
/// `sha256` is 64 hexadecimal digits, `created_ts` milliseconds since the epoch. Other keys are ignored, and gone
/// after the next change. Unlike a list from the network it is taken whole or not at all: writing back only its good
/// entries would lose the others for ever.
struct TokenDocument: Codable {
    struct Entry: Codable {
        var user: String
        var device: String
        var sha256: String
        var createdMilliseconds: Int64

        enum CodingKeys: String, CodingKey {
            case user = "user_id"
            case device = "device_id"
            case sha256
            case createdMilliseconds = "created_ts"
        }
    }

    var tokens: [Entry]

    init(_ entries: [TokenEntry]) {
        tokens = entries.map { entry in
            Entry(
                user: entry.key.user.text, device: entry.key.device.text, sha256: entry.digest.hex,
                createdMilliseconds: entry.created.millisecondsSinceEpoch)
        }
    }

    /// The entries of the document `bytes`.
    /// - Throws: ``Malformed``, naming the first thing that is wrong.
    static func entries(from bytes: Data) throws(Malformed) -> [TokenEntry] {
        let document: TokenDocument
        do {
            document = try JSONDecoder().decode(TokenDocument.self, from: bytes)
        } catch {
            throw Malformed(message: describe(error))
        }
        var seen: [TokenDigest: Int] = [:]
        var entries: [TokenEntry] = []
        for (index, raw) in document.tokens.enumerated() {
            let entry = try check(raw, at: index)
            if let earlier = seen.updateValue(index, forKey: entry.digest) {
                throw Malformed(message: "tokens[\(index)].sha256: is that of tokens[\(earlier)] too")
            }
            entries.append(entry)
        }
        return entries
    }

    /// The document as it is written: one key per line, keys in order.
    func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self) + Data("\n".utf8)
    }

    struct Malformed: Error {
        var message: String
    }

    private static func check(_ raw: Entry, at index: Int) throws(Malformed) -> TokenEntry {
        guard let user = try? UserID(parsing: raw.user) else {
            throw Malformed(message: "tokens[\(index)].user_id: '\(raw.user)' is not a Matrix user identifier")
        }
        guard let device = try? DeviceID(parsing: raw.device) else {
            throw Malformed(message: "tokens[\(index)].device_id: '\(raw.device)' is not a device identifier")
        }
        guard let digest = TokenDigest(hex: raw.sha256) else {
            throw Malformed(message: "tokens[\(index)].sha256: is not 64 hexadecimal digits")
        }
        return TokenEntry(
            key: DeviceKey(user: user, device: device), digest: digest,
            created: Instant(millisecondsSinceEpoch: raw.createdMilliseconds))
    }

    private static func describe(_ error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, let context):
            "\(path(context.codingPath + [key])): is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            "\(path(context.codingPath)): has the wrong type: \(context.debugDescription)"
        case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
            "\(path(context.codingPath)): \(context.debugDescription)"
        case DecodingError.dataCorrupted(let context):
            "is not JSON: " + (context.underlyingError.map { "\($0)" } ?? context.debugDescription)
        default:
            "is not JSON: \(error)"
        }
    }

    /// `tokens[3].user_id`.
    private static func path(_ keys: [any CodingKey]) -> String {
        let text = keys.reduce("") { path, key in
            if let index = key.intValue { return path + "[\(index)]" }
            return path.isEmpty ? key.stringValue : path + "." + key.stringValue
        }
        return text.isEmpty ? "the document" : text
    }
}
