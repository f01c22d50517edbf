import AsyncHTTPClient
import Foundation
import MatrixWire
import Testing

/// What `Tests/Live/synapse_world.py` made.
struct SynapseWorld: Sendable {
    let child: Child
    let description: JSONValue
    let client: HTTPClient

    static func start(in scene: Scene) async throws -> SynapseWorld {
        let python = try #require(LivePart.synapsePython)
        let folder = "\(scene.folder)/synapse"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let child = try Child(python, ["\(LivePart.root)/Tests/Live/synapse_world.py", folder])
        let line = try await child.line(with: "\"ready\"", within: 180)
        let description = try JSONParser.lenient.parse(Array(line.utf8)).value
        guard description["ready"]?.bool == true else { throw Child.Failure(description: line) }
        return SynapseWorld(child: child, description: description, client: scene.client)
    }

    var alice: Presenced.User {
        let user = description["a"]?["users"]?["alice"]
        return Presenced.User(id: user?["user_id"]?.string ?? "", token: user?["access_token"]?.string ?? "")
    }

    private var url: String { description["a"]?["client_url"]?.string ?? "" }

    func takeOver(in scene: Scene) async throws -> Presenced {
        let ports = try Scene.freePorts(2)
        let settings = try settings(client: ports[0], federation: Int(try port(of: "b")), admin: ports[1])
        return try await Presenced.start(settings, label: "presenced", in: scene)
    }

    struct Between: Sendable {
        let presenced: Presenced
        let toSynapse: FaultyProxy
        let toPresenced: FaultyProxy
    }

    /// As ``takeOver(in:)``, with a proxy for each direction; the legacy refresh comes every minute.
    func takeOverBehindProxies(in scene: Scene) async throws -> Between {
        let ports = try Scene.freePorts(3)
        var settings = try settings(client: ports[0], federation: ports[1], admin: ports[2])
        let toPresenced = try await FaultyProxy.start(at: try port(of: "b"), to: ports[1])
        let toSynapse = try await FaultyProxy.start(to: try port(of: "a"))
        settings.resolve = [description["a"]?["server_name"]?.string ?? "": "127.0.0.1:\(toSynapse.port)"]
        settings.federation = Neighbours.shortWatchdogs + ["legacy: { refresh: 1m }"]
        settings.further = Neighbours.patience
        settings.logsJSON = true
        let presenced = try await Presenced.start(settings, label: "presenced", in: scene)
        return Between(presenced: presenced, toSynapse: toSynapse, toPresenced: toPresenced)
    }

    /// How many transactions of `server` Synapse says that it received.
    func transactions(from server: Presenced) throws -> Int {
        let path = "\(server.scene.folder)/synapse/a.log"
        let log = String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
        return log.split(separator: "\n").count {
            $0.contains("Received txn") && $0.contains("from \(server.settings.name).")
        }
    }

    /// Until Synapse knows of activity that is later than all it knew of, doing `meanwhile` between two looks.
    func waitsForRefresh(of id: String, meanwhile: () async throws -> Void) async throws {
        let began = ContinuousClock.now
        var known = Int64.max
        var seen: [Int64] = []
        while ContinuousClock.now < began + .seconds(150) {
            let path = "/_matrix/client/v3/presence/\(PercentEncoding.encode(id))/status"
            let asked = (ContinuousClock.now - began).inMilliseconds
            let reply = try await client.ask("GET", "\(url)\(path)", token: alice.token)
            let answered = (ContinuousClock.now - began).inMilliseconds
            // The answer was made at some time between the two.
            let ago = try #require(reply.json["last_active_ago"]?.integer)
            if asked - ago > known { return }
            known = min(known, answered - ago)
            seen.append(ago)
            try await meanwhile()
        }
        throw Child.Failure(description: "Synapse was not refreshed about \(id); last active ago: \(seen)")
    }

    private func port(of server: String) throws -> Int {
        let name = try #require(description[server]?["server_name"]?.string)
        return try #require(name.split(separator: ":").last.flatMap { Int($0) })
    }

    private func settings(client: Int, federation: Int, admin: Int) throws -> Presenced.Settings {
        Presenced.Settings(
            name: try #require(description["b"]?["server_name"]?.string), clientPort: client,
            federationPort: federation, adminPort: admin,
            certificate: description["leaf_cert_path"]?.string ?? "",
            certificateKey: description["leaf_key_path"]?.string ?? "",
            authority: description["ca_path"]?.string ?? "",
            signingKey: description["b"]?["signing_key_path"]?.string)
    }

    func put(_ user: Presenced.User, _ state: String, text: String?) async throws -> Reply {
        let content = text.map { #"{"presence":"\#(state)","status_msg":"\#($0)"}"# } ?? #"{"presence":"\#(state)"}"#
        let path = "/_matrix/client/v3/presence/\(PercentEncoding.encode(user.id))/status"
        return try await client.ask("PUT", "\(url)\(path)", token: user.token, json: content)
    }

    /// Syncs as `user` until `id` is shown as `state` with `text`, or the deadline passes.
    func waits(for id: String, toBe state: String, text: String?, as user: Presenced.User) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        var since = ""
        var seen: [String] = []
        while ContinuousClock.now < deadline {
            let reply = try await client.ask(
                "GET", "\(url)/_matrix/client/v3/sync?set_presence=offline&timeout=2000\(since)", token: user.token)
            since = (reply.json["next_batch"]?.string).map { "&since=\($0)" } ?? since
            for event in reply.json["presence"]?["events"]?.array ?? [] where event["sender"]?.string == id {
                let content = event["content"]
                seen.append("\(content?["presence"]?.string ?? "-") \(content?["status_msg"]?.string ?? "-")")
                if content?["presence"]?.string == state, content?["status_msg"]?.string == text { return }
            }
        }
        throw Child.Failure(description: "\(id) did not become \(state) \(text ?? "-") at Synapse; seen: \(seen)")
    }
}
