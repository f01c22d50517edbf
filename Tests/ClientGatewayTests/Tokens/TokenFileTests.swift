import Foundation
import PresenceModel
import Testing

@testable import ClientGateway

@Suite struct TokenFileTests {
    private let folder: TemporaryFolder
    private let file: TokenFile
    private let alice: UserID
    private let bob: UserID
    private let noon = Instant(millisecondsSinceEpoch: 1_700_000_000_000)

    init() throws {
        folder = try TemporaryFolder()
        file = TokenFile(path: folder.path("state/tokens.json"))
        alice = try UserID(parsing: "@alice:x.org")
        bob = try UserID(parsing: "@bob:x.org")
    }

    @Test func `a file that is not there holds no tokens`() throws {
        #expect(try file.list().isEmpty)
        #expect(try file.load().count == 0)
        #expect(!FileManager.default.fileExists(atPath: file.path))
    }

    @Test func `a new token is found by its text, and the file does not hold it`() throws {
        let issued = try file.create(user: alice, device: try DeviceID(parsing: "PHONE"), at: noon)
        #expect(issued.key.user == alice && issued.key.device.text == "PHONE")
        #expect(try file.load().device(presenting: issued.token.text) == issued.key)
        #expect(try file.load().device(presenting: issued.token.text + "x") == nil)
        let text = try String(contentsOfFile: file.path, encoding: .utf8)
        #expect(!text.contains(issued.token.text.dropFirst(4)) && text.contains(issued.token.digest.hex))
        #expect(try file.list() == [TokenEntry(key: issued.key, digest: issued.token.digest, created: noon)])
    }

    @Test func `the file has the keys that are documented, and only its owner may read it`() throws {
        _ = try file.create(user: alice, device: nil, at: noon)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: file.path))
        let document = try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: [[String: Any]]])
        let entry = try #require(document["tokens"]?.first)
        #expect(entry.keys.sorted() == ["created_ts", "device_id", "sha256", "user_id"])
        #expect(entry["created_ts"] as? Int == 1_700_000_000_000)
        let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        let beside = try FileManager.default.contentsOfDirectory(atPath: folder.path("state")).sorted()
        #expect(beside == ["tokens.json", "tokens.json.lock"])
    }

    @Test func `a device that is not named gets ten upper-case letters of its own`() throws {
        let devices = try (0..<20).map { _ in try file.create(user: alice, device: nil, at: noon).key.device.text }
        #expect(Set(devices).count == 20)
        #expect(devices.allSatisfy { $0.count == 10 && $0.allSatisfy { ("A"..."Z").contains($0) } })
        #expect(try file.list().count == 20)
    }

    @Test func `a second token for a device replaces the first`() throws {
        let phone = try DeviceID(parsing: "PHONE")
        let first = try file.create(user: alice, device: phone, at: noon)
        let other = try file.create(user: bob, device: phone, at: noon)
        let second = try file.create(user: alice, device: phone, at: noon + .seconds(1))
        let table = try file.load()
        #expect(table.count == 2)
        #expect(table.device(presenting: first.token.text) == nil)
        #expect(table.device(presenting: second.token.text) == second.key)
        #expect(table.device(presenting: other.token.text) == other.key)
    }

    @Test func `revoking takes one device, a whole user, or the token itself`() throws {
        let phone = try file.create(user: alice, device: try DeviceID(parsing: "PHONE"), at: noon)
        _ = try file.create(user: alice, device: nil, at: noon)
        _ = try file.create(user: alice, device: nil, at: noon)
        let watch = try file.create(user: bob, device: nil, at: noon)
        #expect(try file.revoke(user: alice, device: try DeviceID(parsing: "TABLET")) == 0)
        #expect(try file.revoke(user: alice, device: phone.key.device) == 1)
        #expect(try file.revoke(user: alice, device: nil) == 2)
        #expect(try file.revoke(token: phone.token.text) == 0)
        #expect(try file.list().map(\.key) == [watch.key])
        #expect(try file.revoke(token: watch.token.text) == 1)
        #expect(try file.list().isEmpty)
    }

    @Test func `changes made at the same time lose nothing`() async throws {
        let file = file
        let users = try (0..<32).map { try UserID(parsing: "@user\($0):x.org") }
        let noon = noon
        let issued = try await withThrowingTaskGroup(of: IssuedToken.self) { group in
            for user in users { group.addTask { try file.create(user: user, device: nil, at: noon) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let table = try file.load()
        #expect(table.count == 32)
        #expect(issued.allSatisfy { table.device(presenting: $0.token.text) == $0.key })
    }

    @Test(arguments: [
        ("", "is not JSON: "),
        ("{\"tokens\":[", "is not JSON: "),
        ("[]", "the document: has the wrong type"),
        ("{}", "tokens: is missing"),
        ("{\"tokens\":[{\"user_id\":\"@a:x\"}]}", "tokens[0].device_id: is missing"),
        (entry(user: "alice"), "tokens[0].user_id: 'alice' is not a Matrix user identifier"),
        (entry(device: ""), "tokens[0].device_id: '' is not a device identifier"),
        (entry(sha256: "abc"), "tokens[0].sha256: is not 64 hexadecimal digits"),
        (entry(created: "\"now\""), "tokens[0].created_ts: has the wrong type"),
        ("{\"tokens\":[\(entryObject()),\(entryObject())]}", "tokens[1].sha256: is that of tokens[0] too"),
    ])
    func `a malformed file is named with what is wrong, and stays as it is`(text: String, message: String) throws {
        let path = folder.path("tokens.json")
        let file = TokenFile(path: path)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: TokenFileError.self) { try file.load() }
        #expect(error?.code == .malformed)
        #expect(error?.description.hasPrefix("\(path): \(message)") == true, "\(error?.description ?? "")")
        #expect(throws: TokenFileError.self) { try file.create(user: alice, device: nil, at: noon) }
        #expect(throws: TokenFileError.self) { try file.revoke(user: alice, device: nil) }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
    }

    @Test func `a folder in the file's place is not a token file`() throws {
        let error = #expect(throws: TokenFileError.self) { try TokenFile(path: folder.path("")).load() }
        #expect(error?.message == "is not a plain file")
    }

    private static func entry(
        user: String = "@a:x", device: String = "D", sha256: String = String(repeating: "0", count: 64),
        created: String = "1"
    ) -> String {
        "{\"tokens\":[\(entryObject(user: user, device: device, sha256: sha256, created: created))]}"
    }

    private static func entryObject(
        user: String = "@a:x", device: String = "D", sha256: String = String(repeating: "0", count: 64),
        created: String = "1"
    ) -> String {
        "{\"user_id\":\"\(user)\",\"device_id\":\"\(device)\",\"sha256\":\"\(sha256)\",\"created_ts\":\(created)}"
    }
}
