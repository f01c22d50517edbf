import AsyncHTTPClient
import Foundation
import MatrixWire
import PresenceModel

/// A real presenced as its own process, and what its clients do.
final class Presenced: Sendable {
    struct User: Sendable {
        var id: String
        var token: String
    }

    struct Settings: Sendable {
        var name: String
        var clientPort: Int
        var federationPort: Int
        var adminPort: Int
        /// Without both it speaks plain HTTP to other servers, behind a reverse proxy.
        var certificate: String?
        var certificateKey: String?
        var authority: String
        var signingKey: String?
        var pinnedKeys: String?
        var resolve: [String: String] = [:]
        /// Short, so that tests need not wait for batches.
        var batchWindow = "200ms"
        /// Further lines of YAML below `federation:`, without their indentation, and at the top.
        var federation: [String] = []
        var further: [String] = []
        /// The log can be counted then.
        var logsJSON = false
    }

    let settings: Settings
    let folder: String
    let scene: Scene
    let child: Child

    private init(_ settings: Settings, folder: String, scene: Scene, child: Child) {
        self.settings = settings
        self.folder = folder
        self.scene = scene
        self.child = child
    }

    /// The operator's token, which the server made at its first start.
    var adminToken: String {
        get throws {
            try String(contentsOfFile: "\(folder)/presenced-data/admin.token", encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
    }

    var adminURL: String { "http://127.0.0.1:\(settings.adminPort)/_presenced/admin/v1" }
    var url: String { "http://127.0.0.1:\(settings.clientPort)" }
    var federationURL: String { "https://localhost:\(settings.federationPort)" }

    /// Starts it in a folder of its own, and waits until it listens.
    static func start(_ settings: Settings, label: String, in scene: Scene) async throws -> Presenced {
        let folder = "\(scene.folder)/\(label)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try yaml(settings).write(toFile: "\(folder)/presenced.yaml", atomically: true, encoding: .utf8)
        let child = try await serve(in: folder, settings)
        return Presenced(settings, folder: folder, scene: scene, child: child)
    }

    /// The same again, from what is on disk.
    func restarted() async throws -> Presenced {
        let child = try await Presenced.serve(in: folder, settings)
        return Presenced(settings, folder: folder, scene: scene, child: child)
    }

    private static func serve(in folder: String, _ settings: Settings) async throws -> Child {
        let child = try Child(Scene.presenced, ["serve", "--config", "presenced.yaml"], in: folder)
        for listener in ["client", "federation", "admin"] {
            _ = try await child.line(
                with: settings.logsJSON ? #""listener":"\#(listener)""# : "listener=\(listener)")
        }
        return child
    }

    private static func yaml(_ settings: Settings) -> String {
        var lines = [
            "server_name: \(settings.name)", "client:", "  listen: 127.0.0.1:\(settings.clientPort)", "admin:",
            "  enabled: true", "  listen: 127.0.0.1:\(settings.adminPort)", "federation:",
            "  enabled: true", "  listen: 127.0.0.1:\(settings.federationPort)",
            "  ca_file: \(settings.authority)", "  batch: { window: \(settings.batchWindow), stretch: 1s }",
            "  retry: { first: 1s, limit: 2s }", "  allowed_networks: [127.0.0.0/8, \"::1\"]",
        ]
        if let certificate = settings.certificate, let key = settings.certificateKey {
            lines.append("  tls: { certificate: \(certificate), key: \(key) }")
        }
        lines += settings.federation.map { "  \($0)" }
        if let key = settings.signingKey { lines.append("  signing_key: \(key)") }
        if let keys = settings.pinnedKeys { lines.append("  pinned_keys: \(keys)") }
        if !settings.resolve.isEmpty {
            lines.append("  resolve:")
            for (name, address) in settings.resolve.sorted(by: { $0.key < $1.key }) {
                lines.append("    \"\(name)\": \"\(address)\"")
            }
        }
        if settings.logsJSON { lines.append("log: { format: json }") }
        return (lines + settings.further).joined(separator: "\n") + "\n"
    }

    /// Makes a token by the command line, while the server runs.
    func user(_ localpart: String, device: String = "TEST") async throws -> User {
        let child = try Child(
            Scene.presenced,
            ["token", "create", localpart, "--device", device, "--json", "--config", "presenced.yaml"], in: folder)
        let line = try await child.line(with: "access_token")
        let made = try JSONParser.lenient.parse(Array(line.utf8)).value
        guard await child.end() == 0, let id = made["user_id"]?.string, let token = made["access_token"]?.string else {
            throw Child.Failure(description: child.text)
        }
        return User(id: id, token: token)
    }
}

// What clients do.
extension Presenced {
    static let own = "/_matrix/client/unstable/org.presenced/presence"

    func put(_ user: User, _ state: String, text: String? = nil) async throws -> Reply {
        let content = text.map { #"{"presence":"\#(state)","status_msg":"\#($0)"}"# } ?? #"{"presence":"\#(state)"}"#
        return try await scene.client.ask("PUT", statusURL(of: user.id), token: user.token, json: content)
    }

    func status(of id: String, by user: User) async throws -> Reply {
        try await scene.client.ask("GET", statusURL(of: id), token: user.token)
    }

    /// Asks to see someone.
    func add(_ id: String, by user: User) async throws -> Reply {
        try await own("PUT", "list/\(PercentEncoding.encode(id))", as: user, json: "{}")
    }

    /// Where the entry of `user` for someone stands.
    func entryState(of id: String, by user: User) async throws -> String? {
        try await own("GET", "list/\(PercentEncoding.encode(id))", as: user).json["state"]?.string
    }

    /// Says what the operator knows: these are in one room.
    func share(_ room: String, _ members: [String]) async throws {
        for member in members {
            let path = "rooms/\(PercentEncoding.encode(room))/members/\(PercentEncoding.encode(member))"
            let reply = try await scene.client.ask("PUT", "\(adminURL)/\(path)", token: try adminToken)
            guard reply.status == 200 else { throw Child.Failure(description: "\(reply.status) \(reply.text)") }
        }
    }

    /// One of presenced's own endpoints.
    func own(_ method: String, _ path: String, as user: User, json: String? = nil) async throws -> Reply {
        try await scene.client.ask(
            method, "\(url)\(Presenced.own)/\(path)", token: user.token, body: json.map { Array($0.utf8) })
    }

    /// Asks again and again until the answer is as wished, or the deadline passes; between two tries it listens for
    /// what is new for `user`.
    func waits(
        _ what: String, as user: User, within seconds: Double = 30, until isSo: @Sendable () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .milliseconds(Int64(seconds * 1000))
        var since = ""
        while ContinuousClock.now < deadline {
            if try await isSo() { return }
            let reply = try await own("GET", "stream?since=\(since)&timeout=250&set_presence=offline", as: user)
            since = reply.json["next_batch"]?.string ?? since
        }
        throw Child.Failure(description: "\(what): not so after \(seconds) s\n\(child.text)")
    }

    private func statusURL(of id: String) -> String {
        "\(url)/_matrix/client/v3/presence/\(PercentEncoding.encode(id))/status"
    }

    /// Long-polls as `user` until `id` is shown as `state` with `text`, or the deadline passes.
    func waits(for id: String, toBe state: String, text: String? = nil, as user: User, within seconds: Double = 30)
        async throws
    {
        let deadline = ContinuousClock.now + .milliseconds(Int64(seconds * 1000))
        var since = ""
        var seen: [String] = []
        while ContinuousClock.now < deadline {
            let reply = try await scene.client.ask(
                "GET", "\(url)\(Presenced.own)/stream?since=\(since)&timeout=2000", token: user.token)
            guard reply.status == 200, let next = reply.json["next_batch"]?.string else {
                throw Child.Failure(description: "the stream answered \(reply.status) \(reply.text)")
            }
            since = next
            for event in reply.json["events"]?.array ?? [] where event["sender"]?.string == id {
                let content = event["content"]
                seen.append("\(content?["presence"]?.string ?? "-") \(content?["status_msg"]?.string ?? "-")")
                if content?["presence"]?.string == state, content?["status_msg"]?.string == text { return }
            }
        }
        throw Child.Failure(description: "\(id) did not become \(state) \(text ?? "-"); seen: \(seen)\n\(child.text)")
    }
}
