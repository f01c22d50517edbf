import FixtureReplay
import Foundation
import MatrixWire

/// The recordings of the repository.
enum Recordings {
    /// `Fixtures/Matrix`.
    static let folder = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/Matrix").path

    /// Every file of JSON lines there is, sorted.
    static let files = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
        .filter { $0.hasSuffix(".jsonl") }.sorted()

    static func read(_ file: String) throws -> Recording { try Recording(contentsOf: "\(folder)/\(file)") }

    /// A check with the keys of `keys.json` and of every recorded key server.
    static func signatureCheck() throws -> SignatureCheck {
        var keys = try RecordedKeys(contentsOf: "\(folder)/keys.json")
        for file in files { keys.takeDocuments(of: try read(file).exchanges) }
        return SignatureCheck(keys: keys)
    }

    /// One record, written by hand.
    static func record(_ json: String) throws -> RecordedExchange {
        let recording = Recording(lines: Array(json.utf8), file: "hand.jsonl")
        guard let exchange = recording.exchanges.first, recording.flaws.isEmpty else {
            throw FixtureError("no record: \(recording.flaws)")
        }
        return exchange
    }
}

func json(_ text: String) throws -> JSONValue { try JSONParser.lenient.parse(Array(text.utf8)).value }
