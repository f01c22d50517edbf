import Foundation
import MatrixWire
import PresenceModel
import Testing

@testable import MatrixFederation

final class `Rotation of our key` {
    private let folder = NSTemporaryDirectory() + "presenced-rotation-\(UUID().uuidString)"
    private var path: String { "\(folder)/signing.key" }
    private let now = Instant(millisecondsSinceEpoch: 1_700_000_000_000)

    init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func mode(_ path: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }

    @Test func `puts a new key first, publishes the old one, and leaves the others`() throws {
        let first = try SigningKey.create(path: path)
        let other = SigningKey.generate()
        try "# ours\n\(first.line)# the homeserver's\n\(other.line)".write(
            toFile: path, atomically: false, encoding: .utf8)
        let result = try KeyRotation.rotate(path: path, at: now)
        #expect(result.old == first.id && result.new != first.id)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.hasPrefix("# ours\ned25519 \(result.new.version) "))
        #expect(text.hasSuffix("\n# the homeserver's\n\(other.line)") && !text.contains(first.line))
        let own = try OwnKeys(path: path).current
        #expect(own.signing.map(\.id) == [result.new, other.id])
        #expect(own.old == [.init(id: first.id, key: first.publicKey, expired: now)])
        for file in [path, path + OldKeyFile.suffix] { #expect(try mode(file) == 0o600) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 2)
    }

    @Test func `can be done again and again, and keeps the latest old keys`() throws {
        _ = try SigningKey.create(path: path)
        var signed: [SigningKeyID] = []
        for turn in 0..<40 {
            signed.append(try KeyRotation.rotate(path: path, at: now + .seconds(turn)).old)
        }
        let own = try OwnKeys(path: path).current
        #expect(own.signing.count == 1)
        #expect(own.old.map(\.id).sorted() == signed.suffix(ServerKeys.listLimit).sorted())
    }

    @Test func `that was cut off in between leaves the old key signing`() throws {
        let key = try SigningKey.create(path: path)
        let old = OldKeyFile(beside: path)
        try Data(old.encode([.init(id: key.id, key: key.publicKey, expired: now)])).write(
            to: URL(fileURLWithPath: old.path))
        let own = try OwnKeys(path: path).current
        #expect(own.signing.map(\.id) == [key.id] && own.old.isEmpty)
        _ = try KeyRotation.rotate(path: path, at: now + .hours(1))
        #expect(
            try OwnKeys(path: path).current.old == [.init(id: key.id, key: key.publicKey, expired: now + .hours(1))])
    }

    @Test func `is taken up while the server runs, and what is broken is not`() throws {
        let first = try SigningKey.create(path: path)
        let own = try OwnKeys(path: path)
        #expect(own.refresh() == .none)
        let result = try KeyRotation.rotate(path: path, at: now)
        #expect(own.refresh() == .taken(result.new) && own.signingKeyID == result.new)
        #expect(own.refresh() == .none && own.current.old.map(\.id) == [first.id])
        try "nonsense".write(toFile: path, atomically: true, encoding: .utf8)
        guard case .problem(let reason) = own.refresh() else { throw CancellationError() }
        #expect(reason.contains(path) && own.signingKeyID == result.new && own.refresh() == .none)
    }

    @Test func `of a file that cannot be used changes nothing`() throws {
        try "nonsense".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: SigningKeyFileError.self) { try KeyRotation.rotate(path: path, at: now) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["signing.key"])
    }

    @Test func `follows a link to where the file is`() throws {
        _ = try SigningKey.create(path: path)
        let link = "\(folder)/link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
        let result = try KeyRotation.rotate(path: link, at: now)
        #expect(try SigningKey.load(path: path)[0].id == result.new)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == path)
    }
}
