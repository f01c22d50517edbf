import Foundation
import MatrixWire
import Testing

/// `presenced doctor` looks at a live set-up, right and broken.
@Suite(.serialized, .enabled(if: LivePart.synapsePython != nil && LivePart.nginx != nil))
struct `The doctor beside a live homeserver` {
    /// What it found, by the name of the check.
    private struct Report {
        var status: Int32
        var text: String

        var checks: [JSONValue] {
            let line = text.split(separator: "\n").last ?? ""
            return (try? JSONParser.lenient.parse(Array(line.utf8)).value)?["checks"]?.array ?? []
        }

        func names(_ result: String) -> [String] {
            checks.filter { $0["result"]?.string == result }.compactMap { $0["name"]?.string }
        }
    }

    private func examine(_ presenced: Presenced, _ configuration: String, _ url: String?) async throws -> Report {
        let arguments = ["doctor", "--json", "--config", configuration] + (url.map { ["--public-url", $0] } ?? [])
        let (status, text) = try await `The command line`.run(arguments, in: presenced.folder)
        return Report(status: status, text: text)
    }

    /// `wrong.yaml`, with another token and another key than the homeserver's. - Returns: what is secret in it.
    private func writeWrongConfiguration(_ presenced: Presenced, key: String) async throws -> [Substring] {
        let configuration = try String(contentsOfFile: "\(presenced.folder)/presenced.yaml", encoding: .utf8)
        let other = try String(contentsOfFile: "\(presenced.folder)/registration.yaml", encoding: .utf8)
            .replacing(/as_token: ./, with: "as_token: z")
        #expect(
            FileManager.default.createFile(
                atPath: "\(presenced.folder)/other.yaml", contents: Data(other.utf8),
                attributes: [.posixPermissions: 0o600]))
        let made = try await `The command line`.run(["generate-key", "--output", "other.key"], in: presenced.folder)
        #expect(made.status == 0)
        try configuration.replacing("registration.yaml", with: "other.yaml").replacing(key, with: "other.key")
            .replacing("  signing_key_id: ed25519:p_second\n", with: "")
            .write(toFile: "\(presenced.folder)/wrong.yaml", atomically: true, encoding: .utf8)
        return try other.matches(of: /[ah]s_token: (\w+)/).map(\.output.1) + [presenced.adminToken[...]]
    }

    @Test(.timeLimit(.minutes(3))) func `finds nothing in a right one, and names what is broken`() async throws {
        let world = try await BesideWorld.start(in: try Scene())
        // With a key of its own, on the second line of the homeserver's file.
        var settings = world.settings
        settings.federation = ["signing_key_id: ed25519:p_second"]
        let presenced = try await Presenced.start(settings, label: "presenced", in: world.scene)
        let key = try #require(settings.signingKey)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)

        let right = try await examine(presenced, "presenced.yaml", world.url(of: "b"))
        #expect(right.status == 0 && right.checks.count == 22, "\(right.text)")
        #expect(right.names("ok").count == right.checks.count, "\(right.text)")
        #expect(right.text.contains("ed25519:p_second is published by \(settings.name)"), "\(right.text)")
        // The other server takes what is signed with it.
        let (alice, paul) = (world.user("alice", of: "a"), world.user("paul", of: "b"))
        #expect(try await world.put(paul, of: "b", "online", "by the second line") == 200)
        try await world.waits(for: paul.id, toBe: "online", "by the second line", as: alice, of: "a")

        // The other one has presence on: this is how the doctor tells.
        let stranger = PercentEncoding.encode(
            "@presenced.doctor:\(world.description["a"]?["server_name"]?.string ?? "")")
        let on = try await world.scene.client.ask(
            "GET", "\(world.url(of: "a"))/_matrix/client/v3/presence/\(stranger)/status", token: alice.token)
        #expect(on.status == 403, "\(on.text)")

        // The reverse proxy leads past presenced.
        let past = try await examine(presenced, "presenced.yaml", world.ownURL)
        let lost = ["syncs", "presence", "presenced's own paths", "versions"].map { "reverse proxy, \($0)" }
        #expect(past.status == 1 && past.names("failed") == lost, "\(past.text)")
        #expect(past.names("warning").count == 5)

        // Another registration than the homeserver's, and a key that it does not publish.
        let secrets = try await writeWrongConfiguration(presenced, key: key)
        let wrong = try await examine(presenced, "wrong.yaml", nil)
        let keys = ["signing key", "signing key, as others see it"]
        #expect(wrong.status == 1 && wrong.names("failed") == ["application service"] + keys, "\(wrong.text)")
        #expect(wrong.names("left_out").contains("presence at the homeserver"))
        #expect(secrets.count == 3 && !secrets.contains { (right.text + wrong.text).contains($0.dropFirst()) })

        // presenced does not run, and everything that needs it is left out.
        #expect(await presenced.child.stop() == 0)
        let stopped = try await examine(presenced, "presenced.yaml", world.url(of: "b"))
        #expect(stopped.status == 1 && stopped.names("failed") == ["presenced"], "\(stopped.text)")
        let needed = [
            "operator's interface", "homeserver → presenced", "reverse proxy", "reverse proxy for other servers",
        ]
        #expect(stopped.names("left_out") == needed, "\(stopped.text)")
        await world.end()
    }
}
