import Crypto
import Foundation
import MatrixWire
import PresenceModel

/// Public signing keys to check recordings with: those of `keys.json`, and those that recorded key servers published.
///
/// One key id of one server may stand for several keys, because recordings of different days were made with
/// different ones. Which is right, the signature itself decides.
public struct RecordedKeys: Sendable {
    private var keys: [ServerName: [SigningKeyID: [[UInt8]]]] = [:]

    /// None.
    public init() {}

    /// The keys of `keys.json`: `{"verify_keys": {server: {key id: base64}}}`.
    ///
    /// - Throws: if the file cannot be read, or is not of that form.
    public init(contentsOf path: String) throws {
        try self.init(document: [UInt8](try Data(contentsOf: URL(filePath: path))))
    }

    /// - Throws: ``FixtureError``, or a JSON error, if the document is not of that form.
    public init(document: [UInt8]) throws {
        let value = try JSONParser.lenient.parse(document).value
        guard let servers = value["verify_keys"]?.object else {
            throw FixtureError("a file of keys must be {\"verify_keys\": {server: {key id: base64}}}")
        }
        for server in servers.members {
            let name = try ServerName(parsing: server.key)
            for entry in server.value.object?.members ?? [] {
                guard let key = entry.value.string.flatMap({ Base64.decode($0) }), key.count == 32 else {
                    throw FixtureError("the key \(entry.key) of \(name) is not base64 of 32 bytes")
                }
                add(key, id: try SigningKeyID(parsing: entry.key), of: name)
            }
        }
    }

    /// Takes the keys of every recorded key document that is signed by the keys it lists.
    public mutating func takeDocuments(of exchanges: [RecordedExchange]) {
        for exchange in exchanges where exchange.path.hasPrefix("/_matrix/key/v2/server") && exchange.status == 200 {
            guard let answer = exchange.answer, let object = answer.object,
                let document = try? ServerKeys(decoding: answer)
            else { continue }
            let signed = CanonicalJSON.signingBytes(ofObject: object)
            for key in document.verifyKeys {
                let isSigned = document.signatures.contains { signature in
                    signature.server == document.serverName && signature.keyID == key.id
                        && Ed25519.isValid(signature.signature, of: signed, by: key.key)
                }
                if isSigned { add(key.key, id: key.id, of: document.serverName) }
            }
        }
    }

    /// Every key known under that name.
    public func candidates(for id: SigningKeyID, of server: ServerName) -> [[UInt8]] { keys[server]?[id] ?? [] }

    /// A further key under that name.
    public mutating func add(_ key: [UInt8], id: SigningKeyID, of server: ServerName) {
        guard !candidates(for: id, of: server).contains(key) else { return }
        keys[server, default: [:]][id, default: []].append(key)
    }
}

/// Why a file beside the recordings cannot be used.
public struct FixtureError: Error, Sendable, CustomStringConvertible {
    /// What is wrong, and what it should be.
    public var description: String

    /// What is wrong, and what it should be.
    public init(_ description: String) { self.description = description }
}

enum Ed25519 {
    static func isValid(_ signature: [UInt8], of bytes: [UInt8], by publicKey: [UInt8]) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else { return false }
        return key.isValidSignature(signature, for: bytes)
    }
}
