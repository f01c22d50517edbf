import AsyncHTTPClient
import Foundation
import MatrixWire
import Testing

/// What `Tests/Live/beside_world.py` made: Synapse A with presence, Synapse B without, nginx before B, and room for a
/// presenced between the two.
struct BesideWorld: Sendable {
    let scene: Scene
    let child: Child
    let description: JSONValue
    var settings: Presenced.Settings
    /// The application service's registration, and where B reaches it.
    let registration: String
    let servicePort: Int

    /// - Parameter presence: B has its own, too.
    static func start(in scene: Scene, presence: Bool = false) async throws -> BesideWorld {
        let python = try #require(LivePart.synapsePython)
        let ports = try Scene.freePorts(9)
        let folder = "\(scene.folder)/beside"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let registration = "\(scene.folder)/presenced/registration.yaml"
        var settings = Presenced.Settings(
            name: "localhost:\(ports[3])", clientPort: ports[5], federationPort: ports[6], adminPort: ports[7],
            authority: "\(folder)/ca.pem", signingKey: "\(folder)/b/signing.key")
        settings.further = [
            "homeserver:", "  url: http://127.0.0.1:\(ports[4])", "  application_service:",
            "    registration: \(registration)", "    listen: 127.0.0.1:\(ports[8])",
        ]
        try await makeRegistration(settings, in: scene)
        let plan = """
            {"registration":"\(registration)","nginx_conf":"\(LivePart.root)/Config/nginx.conf",
            "client":\(ports[5]),"federation":\(ports[6]),"presence":\(presence),"ports":[\(ports[0..<5].map(String.init).joined(separator: ","))]}
            """
        try plan.write(toFile: "\(folder)/plan.json", atomically: true, encoding: .utf8)
        let child = try Child(
            python, ["\(LivePart.root)/Tests/Live/beside_world.py", folder, "\(folder)/plan.json"])
        let line = try await child.line(with: "\"ready\"", within: 180)
        let description = try JSONParser.lenient.parse(Array(line.utf8)).value
        guard description["ready"]?.bool == true else { throw Child.Failure(description: line) }
        return BesideWorld(
            scene: scene, child: child, description: description, settings: settings, registration: registration,
            servicePort: ports[8])
    }

    /// As an operator does, before the homeserver starts: with a configuration that does not name what is not there yet.
    private static func makeRegistration(_ settings: Presenced.Settings, in scene: Scene) async throws {
        let folder = "\(scene.folder)/presenced"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let text = (["server_name: \(settings.name)"] + settings.further).joined(separator: "\n")
        try text.write(toFile: "\(folder)/first.yaml", atomically: true, encoding: .utf8)
        let child = try Child(Scene.presenced, ["generate-registration", "--config", "first.yaml"], in: folder)
        guard await child.end() == 0 else { throw Child.Failure(description: child.text) }
    }

    /// Puts presenced between nginx and B.
    func moveIn() async throws -> Presenced { try await Presenced.start(settings, label: "presenced", in: scene) }

    func user(_ name: String, of server: String) -> Presenced.User {
        let user = description[server]?["users"]?[name]
        return Presenced.User(id: user?["user_id"]?.string ?? "", token: user?["access_token"]?.string ?? "")
    }

    /// Where clients come to: Synapse A itself, or nginx before B.
    func url(of server: String) -> String { description[server]?["client_url"]?.string ?? "" }
    /// Synapse B itself.
    var ownURL: String { description["b"]?["own_url"]?.string ?? "" }
    var room: String { description["room_id"]?.string ?? "" }

    func put(_ user: Presenced.User, of server: String, _ state: String, _ text: String) async throws -> Int {
        let path = "/_matrix/client/v3/presence/\(PercentEncoding.encode(user.id))/status"
        return try await scene.client.ask(
            "PUT", url(of: server) + path, token: user.token, json: #"{"presence":"\#(state)","status_msg":"\#(text)"}"#
        ).status
    }

    func sync(_ user: Presenced.User, at url: String, since: String?, timeout: Int = 0) async throws -> Reply {
        let position = since.map { "&since=\($0)" } ?? ""
        return try await scene.client.ask(
            "GET", "\(url)/_matrix/client/v3/sync?set_presence=offline&timeout=\(timeout)\(position)",
            token: user.token)
    }

    /// Syncs as `user` at `server` until `id` is shown as `state` with `text`, or the deadline passes.
    func waits(
        for id: String, toBe state: String, _ text: String?, as user: Presenced.User, of server: String
    ) async throws {
        try await waits(for: id, toBe: state, text, as: user, at: url(of: server))
    }

    /// As ``waits(for:toBe:_:as:of:)``, at any address.
    func waits(
        for id: String, toBe state: String, _ text: String?, as user: Presenced.User, at url: String
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        var since: String?
        var seen: [String] = []
        while ContinuousClock.now < deadline {
            let reply = try await sync(user, at: url, since: since, timeout: 1000)
            since = reply.json["next_batch"]?.string ?? since
            for event in reply.json["presence"]?["events"]?.array ?? [] where event["sender"]?.string == id {
                let content = event["content"]
                seen.append("\(content?["presence"]?.string ?? "-") \(content?["status_msg"]?.string ?? "-")")
                if content?["presence"]?.string == state, content?["status_msg"]?.string == text { return }
            }
        }
        throw Child.Failure(description: "\(id) did not become \(state) \(text ?? "-"); seen: \(seen)")
    }

    /// Sends a text as `user`, and gives its event's id.
    func say(_ text: String, as user: Presenced.User, of server: String) async throws -> String {
        let transaction = UUID().uuidString
        let path = "/_matrix/client/v3/rooms/\(PercentEncoding.encode(room))/send/m.room.message/\(transaction)"
        let reply = try await scene.client.ask(
            "PUT", url(of: server) + path, token: user.token, json: #"{"msgtype":"m.text","body":"\#(text)"}"#)
        guard let id = reply.json["event_id"]?.string else { throw Child.Failure(description: reply.text) }
        return id
    }

    /// How many requests of `kind` Synapse B answered, by its log.
    func answered(_ kind: String) throws -> Int {
        let log = String(
            decoding: try Data(contentsOf: URL(fileURLWithPath: "\(scene.folder)/beside/b.log")), as: UTF8.self)
        return log.split(separator: "\n").count { $0.contains("Processed request") && $0.contains(kind) }
    }

    func end() async { #expect(await child.stop() == 0) }
}

/// A client of matrix-nio that syncs without end, as `Tests/Live/nio_client.py` has it.
struct NioClient: Sendable {
    let child: Child
    let token: String

    static func logIn(_ name: String, at url: String) async throws -> NioClient {
        let python = try #require(LivePart.synapsePython)
        let child = try Child(python, ["\(LivePart.root)/Tests/Live/nio_client.py", url, name, name])
        let line = try await child.line(with: "\"login\"", within: 60)
        let token = try JSONParser.lenient.parse(Array(line.utf8)).value["token"]?.string
        return NioClient(child: child, token: token ?? "")
    }

    /// Everything it said so far.
    var reports: [JSONValue] {
        child.text.split(separator: "\n").compactMap { try? JSONParser.lenient.parse(Array($0.utf8)).value }
    }

    /// Ids of the events of rooms it was given, in their order, once for each time.
    var eventIDs: [String] {
        reports.flatMap { $0["events"]?.array ?? [] }.compactMap { $0.array?.dropFirst().first?.string }
    }

    var syncs: Int { reports.count { $0["next_batch"] != nil } }

    func order(_ json: String) { child.write(json + "\n") }

    func waits(forState state: String, _ text: String, of id: String) async throws {
        _ = try await child.line(with: #"["\#(id)", "\#(state)", "\#(text)"]"#, within: 60)
    }

    func waits(forEvent id: String) async throws { _ = try await child.line(with: id, within: 60) }
}
