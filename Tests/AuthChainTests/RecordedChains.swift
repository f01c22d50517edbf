import AuthChain
import Foundation
import MatrixWire
import PresenceModel
import Testing

/// The chains in `Fixtures/AuthChains`, and the keys that signed them.
enum RecordedChains {
    static let address = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"
    static let signedAt = Instant(millisecondsSinceEpoch: 1_790_000_000_000)
    static let wallet = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
    static let ephemeral = "0x" + String(repeating: "11", count: 32)

    static func login() throws -> String { try chain("login") }

    static func signedFetch() throws -> String { try chain("signed_fetch") }

    private static func chain(_ name: String) throws -> String {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fixtures/AuthChains/\(name).json")
        let document = try JSONParser.strict.parse(Array(Data(contentsOf: file))).value
        return try #require(document["auth_chain"]?.string)
    }
}
