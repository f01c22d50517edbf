import Crypto
import MatrixWire

/// A local user of the server under test with an access token, as `presenced token create` would make it.
struct LabUser: Sendable {
    let id: String
    let token: String

    init(_ localpart: String, at server: String) {
        id = "@\(localpart):\(server)"
        token = "prs_\(Base64.encode(Array("lab:\(localpart)".utf8)))"
    }

    /// The path of this user's status.
    var statusPath: String { "/_matrix/client/v3/presence/\(PercentEncoding.encode(id))/status" }

    /// A token file that holds the tokens' hashes.
    static func tokenFile(for users: [LabUser]) -> String {
        let entries = users.map { user -> JSONValue in
            let digest = SHA256.hash(data: Array(user.token.utf8))
            let hex = digest.map { byte in
                let text = String(byte, radix: 16)
                return text.count < 2 ? "0\(text)" : text
            }
            return [
                "user_id": .string(user.id), "device_id": "LAB", "sha256": .string(hex.joined()),
                "created_ts": 1_700_000_000_000,
            ]
        }
        return String(decoding: CanonicalJSON.encode(["tokens": .array(entries)]), as: UTF8.self) + "\n"
    }
}
