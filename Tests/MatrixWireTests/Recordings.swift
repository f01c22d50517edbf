import Foundation
import MatrixWire
import Testing

/// One recorded exchange: a line of a file in `Fixtures/Matrix`.
struct Exchange: CustomTestStringConvertible {
    var method: String
    var path: String
    var authorization: String?
    /// The body as it was sent; `nil` if there was none, or it was too long to keep, or not text.
    var body: [UInt8]?
    var status: Int
    var answer: JSONValue
    var note: String

    var testDescription: String { "\(method) \(path.suffix(40)): \(note)" }
}

enum Recordings {
    /// `Fixtures/Matrix` of the repository.
    static let folder = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/Matrix")

    static func bytes(of file: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: folder.appending(path: file)))
    }

    /// All exchanges of a file, remarks left out, and the one whose `request_body` is a bare NaN.
    static func exchanges(in file: String) throws -> [Exchange] {
        try bytes(of: file).split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard !text(Array(line)).contains(#""request_body": {"presence": NaN}"#) else { return nil }
            let record = try JSONParser.lenient.parse(Array(line)).value
            guard let method = record["method"]?.string, let path = record["path"]?.string else { return nil }
            let headers = (record["request_headers"]?.array ?? []).compactMap(\.array)
            let authorization = headers.first { $0.first?.string?.lowercased() == "authorization" }
            return Exchange(
                method: method, path: path, authorization: authorization?.last?.string,
                body: record["request_body_raw"]?.string.map { Array($0.utf8) },
                status: Int(record["status"]?.integer ?? 0), answer: record["response_body"] ?? .null,
                note: record["note"]?.string ?? "")
        }
    }

    /// Recorded requests that match.
    static func exchanges(
        in file: String, where isWanted: (Exchange) -> Bool
    ) throws -> [Exchange] {
        let found = try exchanges(in: file).filter(isWanted)
        try #require(!found.isEmpty, "nothing of the kind in \(file)")
        return found
    }
}

/// The text of bytes that are UTF-8.
func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

func parse(_ json: String, _ parser: JSONParser = .strict) throws -> JSONValue {
    try parser.parse(Array(json.utf8)).value
}
