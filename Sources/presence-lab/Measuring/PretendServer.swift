import Crypto
import MatrixWire
import NIOCore
import PresenceModel

/// Another server that does not exist: it has users and a key, and its transactions are signed before the clock runs.
struct PretendServer: Sendable {
    static let statesPerTransaction = 50

    let name: ServerName
    let users: [UserID]
    let keyID: SigningKeyID
    private let key: Curve25519.Signing.PrivateKey

    init(number: Int) throws {
        let name = try ServerName(parsing: "peer\(number).localhost")
        self.name = name
        keyID = try SigningKeyID(parsing: "ed25519:lab")
        key = Curve25519.Signing.PrivateKey()
        users = try (0..<PretendServer.statesPerTransaction).map { try UserID(parsing: "@user\($0):\(name)") }
    }

    var publicKey: [UInt8] { Array(key.publicKey.rawRepresentation) }

    /// Transactions with the states of all users, other ones each time.
    func transactions(_ count: Int, to destination: ServerName, sent: Instant) throws -> [PreparedRequest] {
        let bodies = [PublishedState.online, .unavailable].map { state in
            let pushes = users.map { PresencePush(user: $0, state: state, lastActiveAgoMilliseconds: 1000) }
            return Transaction.encode([PresenceEDU(push: pushes)], origin: name, sent: sent)
        }
        let buffers = bodies.map { ByteBuffer(bytes: $0) }
        return try (0..<count).map { number in
            let target = "/_matrix/federation/v1/send/lab\(number)"
            let signed = SignedRequest.signingBytes(
                method: "PUT", uri: target, origin: name, destination: destination, content: bodies[number % 2])
            let header = XMatrixHeader(
                origin: name, destination: destination, keyID: keyID,
                signature: Array(try key.signature(for: signed)))
            return PreparedRequest(
                "PUT", target, headers: [("Authorization", header.text)], body: buffers[number % 2])
        }
    }

    /// The file for `federation.pinned_keys`.
    static func pinnedKeys(of servers: [PretendServer]) -> String {
        var keys = JSONObject()
        for server in servers {
            var entry = JSONObject()
            entry[server.keyID.text] = .string(Base64.encode(server.publicKey))
            keys[server.name.text] = .object(entry)
        }
        return String(decoding: CanonicalJSON.encode(["verify_keys": .object(keys)]), as: UTF8.self) + "\n"
    }
}
