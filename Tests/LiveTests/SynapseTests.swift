import AsyncHTTPClient
import Foundation
import MatrixWire
import Testing

/// A live, unmodified Synapse on the other side. A second Synapse held presenced's name and joined the room for real;
/// presenced took over its name, port and signing key.
@Suite(.serialized, .enabled(if: LivePart.synapsePython != nil)) struct `A live Synapse` {
    @Test(.timeLimit(.minutes(5))) func `and presenced see each other's users`() async throws {
        let scene = try Scene()
        let world = try await SynapseWorld.start(in: scene)
        let presenced = try await world.takeOver(in: scene)
        let paul = try await presenced.user("paul")
        try await presenced.share("!shared:\(presenced.settings.name)", [paul.id, world.alice.id])

        // Synapse → presenced.
        for (state, text) in [("online", "at my desk"), ("unavailable", "lunch"), ("offline", nil), ("online", nil)] {
            #expect(try await world.put(world.alice, state, text: text).status == 200)
            try await presenced.waits(for: world.alice.id, toBe: state, text: text, as: paul)
        }

        // presenced → Synapse.
        for (state, text) in [("online", "over here"), ("unavailable", "tea"), ("offline", nil), ("online", nil)] {
            #expect(try await presenced.put(paul, state, text: text).status == 200)
            try await world.waits(for: paul.id, toBe: state, text: text, as: world.alice)
        }

        // The key that Synapse knew is still the one that is published.
        let client = try Scene.client(trusting: presenced.settings.authority)
        let keys = try await client.ask("GET", "\(presenced.federationURL)/_matrix/key/v2/server")
        try await client.shutdown()
        #expect(keys.json["server_name"]?.string == presenced.settings.name)
        #expect(await presenced.child.stop() == 0)
        #expect(await world.child.stop() == 0)
    }
}

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
        let federation = try #require(description["b"]?["federation_port"]?.integer)
        let name = try #require(description["b"]?["server_name"]?.string)
        let ports = try Scene.freePorts(2)
        let settings = Presenced.Settings(
            name: name, clientPort: ports[0], federationPort: Int(federation), adminPort: ports[1],
            certificate: description["leaf_cert_path"]?.string ?? "",
            certificateKey: description["leaf_key_path"]?.string ?? "",
            authority: description["ca_path"]?.string ?? "",
            signingKey: description["b"]?["signing_key_path"]?.string)
        return try await Presenced.start(settings, label: "presenced", in: scene)
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
