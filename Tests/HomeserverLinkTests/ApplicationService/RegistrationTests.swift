import Foundation
import PresenceModel
import Testing

@testable import HomeserverLink

/// The file by which homeserver and presenced know each other.
struct `A registration` {
    private let folder: URL
    private let server: ServerName

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "registration-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        server = try ServerName(parsing: "x.org:8448")
    }

    private var path: String { folder.appending(path: "r.yaml").path }

    private func remove() { try? FileManager.default.removeItem(at: folder) }

    /// A good one, with one line changed.
    private func problem(_ old: String, _ new: String) throws -> String? {
        let good = RegistrationFile.text(
            server: server, url: "http://127.0.0.1:8010", ownToken: "one-token-of-16-bytes",
            homeserverToken: "another-token-of-16")
        #expect(good.contains(old))
        try Data(good.replacing(old, with: new).utf8).write(to: URL(filePath: path))
        do throws(RegistrationError) {
            _ = try RegistrationFile.read(path)
            return nil
        } catch {
            #expect(!error.description.contains("one-token"))
            return error.message
        }
    }

    @Test func `is made with tokens of its own, for its owner alone, and read again`() throws {
        defer { remove() }
        try RegistrationFile.create(path: path, server: server, url: "http://127.0.0.1:8010")
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let registration = try RegistrationFile.read(path)
        #expect(registration.id == "presenced")
        #expect(registration.url == "http://127.0.0.1:8010")
        #expect(registration.ownToken.utf8.count == 64)
        #expect(!registration.homeserverToken.matches(registration.ownToken))
        #expect(registration.userPatterns == [#"@.*:x\.org:8448"#])
        #expect(registration.reservedUserPatterns == [#"@_social_.*:x\.org:8448"#, #"@_world_.*:x\.org:8448"#])
        #expect(registration.problem(ofUsersWith: "_social_", at: server) == nil)
        #expect(registration.problem(ofUsersWith: "_other_", at: server)?.contains("does not reserve") ?? false)
        #expect(registration.covers(try UserID(parsing: "@anybody:x.org:8448")))
        #expect(!registration.covers(try UserID(parsing: "@anybody:y.org")))
        #expect(try registration.sender(at: server).text == "@presenced:x.org:8448")
        #expect(!"\(registration)".contains(registration.ownToken))
    }

    @Test(arguments: [("_a.b+c_", #"@_a\.b\+c_.*:x\.org:8448"#), ("soc-", #"@soc-.*:x\.org:8448"#)])
    func `reserves the users that the bridge makes`(prefix: String, pattern: String) throws {
        defer { remove() }
        try RegistrationFile.create(path: path, server: server, url: "http://127.0.0.1:8010", ghostPrefixes: [prefix])
        let registration = try RegistrationFile.read(path)
        #expect(registration.reservedUserPatterns == [pattern])
        #expect(registration.problem(ofUsersWith: prefix, at: server) == nil)
    }

    @Test func `without the users that the bridge makes says what to do`() throws {
        defer { remove() }
        try RegistrationFile.create(path: path, server: server, url: "http://127.0.0.1:8010")
        var registration = try RegistrationFile.read(path)
        registration.reservedUserPatterns = []
        registration.userPatterns = [#"@a.*"#]
        let problem = try #require(registration.problem(ofUsersWith: "_social_", at: server))
        #expect(problem.contains("has no users") && problem.contains("generate-registration"))
    }

    @Test func `is never made over one that is there`() throws {
        defer { remove() }
        try Data("mine".utf8).write(to: URL(filePath: path))
        #expect(throws: RegistrationError.self) {
            try RegistrationFile.create(path: path, server: server, url: "http://127.0.0.1:8010")
        }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "mine")
    }

    @Test(arguments: [
        ("id: presenced\n", "", "id is missing"),
        ("id: presenced", "id: 7", "id must be a text"),
        ("as_token: one-token-of-16-bytes", "as_token: short", "as_token must be"),
        ("hs_token: another-token-of-16", "hs_token: one-token-of-16-bytes", "are the same"),
        ("hs_token: another-token-of-16\n", "", "hs_token is missing"),
        ("sender_localpart: presenced", "sender_localpart: 'a b'", "sender_localpart"),
        ("url: 'http://127.0.0.1:8010'", "url: 'ftp://x'", "url must begin"),
        ("url: 'http://127.0.0.1:8010'\n", "", "url is missing"),
        ("exclusive: false", "exclusive: true", "exclusive must be false"),
        ("regex: '.*'", "regex: '!x'", "namespaces.rooms"),
        ("namespaces:", "names:", "namespaces is missing"),
        ("rooms:", "rooms: 7\n  r:", "namespaces.rooms must be a list"),
        ("# presenced as", "]", "is not YAML"),
    ]) func `with a flaw is named by it`(old: String, new: String, words: String) throws {
        defer { remove() }
        let problem = try #require(try problem(old, new))
        #expect(problem.contains(words), "\(problem)")
    }

    @Test(arguments: [
        ("url: 'http://127.0.0.1:8010'", "url: null"), ("rate_limited: false", "rate_limited: true"),
        ("receive_ephemeral: true\n", ""), ("protocols: []", "org.example.other: [1]"),
        (
            """
            users:
                - exclusive: false
                  regex: '@.*:x\\.org:8448'
                # But for users whom nobody else may make: friends in a social service who have no account here
                # (bridge.ghost_prefix, bridge.embedded_ghost_prefix).
                - exclusive: true
                  regex: '@_social_.*:x\\.org:8448'
                - exclusive: true
                  regex: '@_world_.*:x\\.org:8448'
            """, "users: []"
        ),
    ]) func `may say what is the homeserver's business`(old: String, new: String) throws {
        defer { remove() }
        #expect(try problem(old, new) == nil)
    }

    @Test func `that says nothing of ephemeral events is refused`() throws {
        defer { remove() }
        #expect(try problem("receive_ephemeral: true\n", "") == nil, "the old key is there still")
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let changed = text.replacing("push_ephemeral: true", with: "push_ephemeral: false")
        try Data(changed.utf8).write(to: URL(filePath: path))
        #expect(throws: RegistrationError.self) { try RegistrationFile.read(path) }
    }

    @Test func `that is not there is answered with what makes one`() throws {
        defer { remove() }
        do {
            _ = try RegistrationFile.read(path)
            Issue.record("read what is not there")
        } catch {
            #expect(error.message.contains("generate-registration"))
        }
    }
}
