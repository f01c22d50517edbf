import Foundation
import SocialWire
import Testing

/// One recorded session.
struct Recording: Sendable, CustomTestStringConvertible {
    struct Line: Sendable {
        var isFromClient: Bool
        var bytes: [UInt8]
        /// A text frame.
        var text: String?

        var message: RPCMessage? { text == nil ? try? RPCMessage(decoding: bytes) : nil }
    }

    var name: String
    var lines: [Line]

    var testDescription: String { name }

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures/DclRpc")

    /// Those of a folder, sorted.
    static func all(in name: String) throws -> [Recording] {
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.appendingPathComponent(name).path)
        return try files.sorted().filter { $0.hasSuffix(".jsonl") }.map { try read("\(name)/\($0)") }
    }

    static func read(_ name: String) throws -> Recording {
        let text = try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
        let lines = try text.split(separator: "\n").compactMap { line -> Line? in
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            guard let direction = object["dir"] as? String else { return nil }
            if let text = object["text"] as? String {
                return Line(isFromClient: direction == "c2s", bytes: Array(text.utf8), text: text)
            }
            let hex = try #require(object["hex"] as? String)
            let bytes = stride(from: 0, to: hex.count, by: 2).map { place -> UInt8 in
                let start = hex.index(hex.startIndex, offsetBy: place)
                return UInt8(hex[start...].prefix(2), radix: 16) ?? 0
            }
            return Line(isFromClient: direction == "c2s", bytes: bytes)
        }
        return Recording(name: name, lines: lines)
    }

    /// Without a first frame that is no dcl-rpc: the credential of one deployment.
    var withoutCredential: Recording {
        guard name == "ts-ts/social_prod.jsonl" else { return self }
        return Recording(name: name, lines: Array(lines.dropFirst()))
    }

    /// Of the client's own streams.
    var argumentNumbers: Set<MessageNumber> {
        Set(
            lines.compactMap { line in
                guard case .request(_, _, let stream, _)? = line.message?.body, stream > 0 else { return nil }
                return MessageNumber(stream)
            })
    }

    /// What the server said under a number, or the client.
    func bodies(_ number: MessageNumber, isFromClient: Bool = false) -> [RPCMessage.Body] {
        lines.compactMap { $0.isFromClient == isFromClient && $0.message?.number == number ? $0.message?.body : nil }
    }
}
