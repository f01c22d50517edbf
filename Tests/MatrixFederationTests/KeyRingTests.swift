import Foundation
import MatrixWire
import PresenceModel
import Testing

@testable import MatrixFederation

struct `Key documents` {
    let server: ServerName
    let key = SigningKey.generate()

    init() throws { server = try ServerName(parsing: "example.org") }

    /// A document that lists `keys` and is signed by `signers`.
    private func document(
        _ keys: [SigningKey], signedBy signers: [SigningKey], for name: ServerName? = nil
    ) throws -> [UInt8] {
        var document = ServerKeys(
            serverName: name ?? server, verifyKeys: keys.map { .init(id: $0.id, key: $0.publicKey) },
            validUntil: Instant(millisecondsSinceEpoch: 1_800_000_000_000))
        let object = try #require(document.encode().object)
        let signed = CanonicalJSON.signingBytes(ofObject: object)
        document.signatures = signers.map {
            .init(server: name ?? server, keyID: $0.id, signature: $0.sign(signed))
        }
        return CanonicalJSON.encode(document.encode())
    }

    @Test func `signed by every key they list are taken`() throws {
        let second = SigningKey.generate()
        let body = try document([key, second], signedBy: [key, second])
        #expect(try KeyRing.check(body, of: server).verifyKeys.count == 2)
    }

    @Test func `that one listed key did not sign are refused`() throws {
        let body = try document([key, SigningKey.generate()], signedBy: [key])
        #expect(throws: FederationError.self) { try KeyRing.check(body, of: server) }
        #expect(throws: FederationError.self) { try KeyRing.check(try document([key], signedBy: []), of: server) }
        #expect(throws: FederationError.self) { try KeyRing.check(try document([], signedBy: []), of: server) }
    }

    @Test func `of another server, changed, or no documents are refused`() throws {
        let other = try ServerName(parsing: "other.org")
        let good = try document([key], signedBy: [key])
        #expect(throws: FederationError.self) { try KeyRing.check(good, of: other) }
        let text = String(decoding: good, as: UTF8.self)
            .replacingOccurrences(of: "1800000000000", with: "1900000000000")
        #expect(throws: FederationError.self) { try KeyRing.check(Array(text.utf8), of: server) }
        for bad in ["", "{}", "[]", "null", "{\"server_name\":7}"] {
            #expect(throws: FederationError.self) { try KeyRing.check(Array(bad.utf8), of: server) }
        }
    }

    @Test func `recorded from a real Synapse are taken`() throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fixtures/Matrix/federation_keys.jsonl").path
        var count = 0
        for line in try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n") {
            let record = try JSONParser.lenient.parse(Array(line.utf8)).value
            guard record["path"]?.string == "/_matrix/key/v2/server", let body = record["response_body"] else {
                continue
            }
            let name = try ServerName(parsing: try #require(body["server_name"]?.string))
            #expect(try KeyRing.check(CanonicalJSON.encode(body), of: name).serverName == name)
            count += 1
        }
        #expect(count >= 2)
    }
}

struct `Signing key files` {
    @Test func `are Synapse's, hold several keys, and the first one signs`() throws {
        let path = NSTemporaryDirectory() + "presenced-key-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let made = try SigningKey.create(path: path)
        let second = SigningKey.generate()
        let contents = try String(contentsOfFile: path, encoding: .utf8)
        try "# ours\n\(contents)\n\(second.line)".write(toFile: path, atomically: true, encoding: .utf8)
        let keys = try SigningKey.load(path: path)
        #expect(keys.map(\.id) == [made.id, second.id])
        let signature = keys[0].sign([1, 2, 3])
        #expect(SigningKey.isValid(signature, of: [1, 2, 3], by: made.publicKey))
        #expect(!SigningKey.isValid(signature, of: [1, 2, 4], by: made.publicKey))
        #expect(!SigningKey.isValid(signature, of: [1, 2, 3], by: second.publicKey))
    }

    @Test(arguments: ["", "rsa a AAAA", "ed25519 a", "ed25519 a AAAA", "ed25519 a b c"])
    func `that hold no key are refused by line`(contents: String) throws {
        let path = NSTemporaryDirectory() + "presenced-key-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try contents.write(toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: SigningKeyFileError.self) { try SigningKey.load(path: path) }
    }
}
