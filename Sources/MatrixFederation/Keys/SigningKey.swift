import Crypto
import Foundation
import MatrixWire
import PresenceModel

/// The key that this server signs with, and the others that it publishes.
///
/// The file is Synapse's: a line `ed25519 <version> <seed>` for each key, the seed 32 bytes in unpadded base64. All
/// are published; the first one signs.
public struct SigningKey: Sendable {
    /// `ed25519:<version>`, as signatures and the key document name the key.
    public let id: SigningKeyID
    private let key: Curve25519.Signing.PrivateKey

    /// - Parameter seed: 32 bytes.
    init(id: SigningKeyID, seed: [UInt8]) throws {
        self.id = id
        key = try Curve25519.Signing.PrivateKey(rawRepresentation: seed)
    }

    /// 32 bytes.
    public var publicKey: [UInt8] { Array(key.publicKey.rawRepresentation) }

    /// 64 bytes.
    public func sign(_ bytes: [UInt8]) -> [UInt8] {
        guard let signature = try? key.signature(for: bytes) else { preconditionFailure("Ed25519 signing failed") }
        return Array(signature)
    }

    /// Whether `signature` is that of `bytes` by the key `publicKey`.
    public static func isValid(_ signature: [UInt8], of bytes: [UInt8], by publicKey: [UInt8]) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else { return false }
        return key.isValidSignature(signature, for: bytes)
    }

    /// A new key with a version of its own, `p_` and eight letters or digits.
    public static func generate() -> SigningKey {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz0123456789")
        var chance = SystemRandomNumberGenerator()
        let version = String((0..<8).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &chance)] })
        let seed = Array(Curve25519.Signing.PrivateKey().rawRepresentation)
        guard let id = try? SigningKeyID(parsing: "ed25519:p_\(version)"), let key = try? SigningKey(id: id, seed: seed)
        else { preconditionFailure("a key just made is not one") }
        return key
    }

    /// The line of the key file.
    public var line: String { "ed25519 \(id.version) \(Base64.encode(Array(key.rawRepresentation)))\n" }
}

/// Why a key file cannot be used; the message names the file and the line, never the key.
public struct SigningKeyFileError: Error, Sendable, CustomStringConvertible {
    /// The key file.
    public var path: String
    /// What is wrong, with the line where one is to blame; never the key.
    public var message: String

    /// The path, then the message.
    public var description: String { "\(path): \(message)" }
}

extension SigningKey {
    /// All keys of a file, the signing one first.
    /// - Throws: ``SigningKeyFileError``.
    public static func load(path: String) throws -> [SigningKey] {
        func fail(_ message: String) -> SigningKeyFileError { SigningKeyFileError(path: path, message: message) }
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw fail("cannot be read; make one with: presenced generate-key --output \(path)")
        }
        var keys: [SigningKey] = []
        for (index, line) in String(decoding: bytes, as: UTF8.self).split(separator: "\n").enumerated() {
            let words = line.split(whereSeparator: \.isWhitespace)
            if words.isEmpty || words[0].hasPrefix("#") { continue }
            guard words.count == 3, words[0] == "ed25519",
                let id = try? SigningKeyID(parsing: "ed25519:\(words[1])"), let seed = Base64.decode(words[2]),
                seed.count == 32, let key = try? SigningKey(id: id, seed: seed)
            else { throw fail("line \(index + 1) is not: ed25519 <version> <32 bytes in base64>") }
            guard !keys.contains(where: { $0.id == id }) else { throw fail("line \(index + 1): \(id) stands twice") }
            keys.append(key)
        }
        guard !keys.isEmpty else { throw fail("holds no key; make one with: presenced generate-key --output \(path)") }
        return keys
    }

    /// Writes a new key to a file that must not exist, readable by its owner alone.
    /// - Throws: ``SigningKeyFileError``.
    public static func create(path: String) throws -> SigningKey {
        let key = generate()
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let reason = errno == EEXIST ? "exists already; it is left as it is" : String(cString: strerror(errno))
            throw SigningKeyFileError(path: path, message: reason)
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            try handle.write(contentsOf: Array(key.line.utf8))
            try handle.synchronize()
        } catch {
            throw SigningKeyFileError(path: path, message: "could not be written: \(error)")
        }
        return key
    }
}
