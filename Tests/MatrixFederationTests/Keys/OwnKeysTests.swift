import Foundation
import MatrixWire
import Testing

@testable import MatrixFederation

/// Beside a homeserver the key file may be the homeserver's own.
final class `A key file of several lines` {
    private let path = NSTemporaryDirectory() + "presenced-keys-\(UUID().uuidString)"
    private let (theirs, ours) = (SigningKey.generate(), SigningKey.generate())

    init() throws {
        // As Synapse writes it.
        let line = theirs.line.replacing("ed25519 p_", with: "ed25519 a_")
        try "\(line)\(ours.line)".write(toFile: path, atomically: false, encoding: .utf8)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @Test func `signs with the first, and publishes all`() throws {
        let own = try OwnKeys(path: path)
        #expect(own.signingKeyID.version.hasPrefix("a_") && own.signingPublicKey == theirs.publicKey)
        #expect(own.current.signing.map(\.publicKey) == [theirs.publicKey, ours.publicKey])
    }

    @Test func `signs with the one that is named, also after the file changed`() throws {
        let own = try OwnKeys(path: path, signingWith: ours.id)
        #expect(own.signingKeyID == ours.id && own.signingPublicKey == ours.publicKey)
        #expect(own.current.signing.map(\.publicKey) == [ours.publicKey, theirs.publicKey])
        let signature = own.current.signing[0].sign(Array("x".utf8))
        #expect(SigningKey.isValid(signature, of: Array("x".utf8), by: ours.publicKey))

        let fresh = SigningKey.generate()
        try "\(fresh.line)\(theirs.line)\(ours.line)".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(own.refresh() == .taken(ours.id) && own.signingKeyID == ours.id)
        try fresh.line.write(toFile: path, atomically: true, encoding: .utf8)
        guard case .problem(let reason) = own.refresh() else { throw CancellationError() }
        #expect(reason.contains(ours.id.text) && own.signingKeyID == ours.id)
    }

    @Test func `without the one that is named is refused`() throws {
        let absent = try SigningKeyID(parsing: "ed25519:absent")
        let error = #expect(throws: SigningKeyFileError.self) { try OwnKeys(path: path, signingWith: absent) }
        #expect(error?.description.contains("ed25519:absent") == true)
    }
}
