import Foundation
import MatrixWire
import PresenceModel
import Testing

/// Two presenced that see each other's users, with short watchdogs, and a proxy for each direction.
struct Neighbours: Sendable {
    /// A server, who watches there, and whose presence changes there.
    struct Side: Sendable {
        var server: Presenced
        /// Of whom the other side is told, and who sees everyone there.
        let watcher: Presenced.User
        /// Change state and text. `offline` by choice too, which would end a watcher's interest.
        let actors: [Presenced.User]

        var everyone: [Presenced.User] { [watcher] + actors }
    }

    let scene: Scene
    var north: Side
    var south: Side
    /// On the way from the north's requests to the south, and the other way round.
    let toSouth: FaultyProxy
    let toNorth: FaultyProxy

    /// Watchdogs of five seconds; nobody goes offline or idle for want of a client.
    static func start(
        batchWindow: String = "1s", federation: [String] = Neighbours.shortWatchdogs
    ) async throws -> Neighbours {
        let scene = try Scene()
        let ports = try Scene.freePorts(8)
        let files = try scene.authority.issue(label: "both", names: ["localhost"])
        func settings(_ ports: ArraySlice<Int>, other: Int, through proxy: Int) -> Presenced.Settings {
            let ports = Array(ports)
            var settings = Presenced.Settings(
                name: "localhost:\(ports[1])", clientPort: ports[0], federationPort: ports[1], adminPort: ports[2],
                certificate: files.certificate, certificateKey: files.key, authority: scene.authority.path)
            settings.resolve = ["localhost:\(other)": "127.0.0.1:\(proxy)"]
            settings.batchWindow = batchWindow
            settings.federation = federation
            settings.further = Neighbours.patience
            settings.logsJSON = true
            return settings
        }
        let (northern, southern) = (ports[0..<3], ports[3..<6])
        let toSouth = try await FaultyProxy.start(at: ports[6], to: ports[4])
        let toNorth = try await FaultyProxy.start(at: ports[7], to: ports[1])
        async let north = Presenced.start(
            settings(northern, other: ports[4], through: ports[6]), label: "north", in: scene)
        async let south = Presenced.start(
            settings(southern, other: ports[1], through: ports[7]), label: "south", in: scene)
        return Neighbours(
            scene: scene, north: try await side(north, ["ada", "anna", "abe"]),
            south: try await side(south, ["cleo", "cora", "carl"]), toSouth: toSouth, toNorth: toNorth)
    }

    static let shortWatchdogs = ["watchdog: { short: 5s, long: 1m }", "silent_after: 3", "request_timeout: 2s"]

    /// No device goes by itself while a test lasts.
    static let patience = ["presence: { offline_after: 1h, idle_after: 1d }"]

    private static func side(_ server: Presenced, _ names: [String]) async throws -> Side {
        var users: [Presenced.User] = []
        for name in names { users.append(try await server.user(name)) }
        return Side(server: server, watcher: users[0], actors: Array(users.dropFirst()))
    }

    /// All six share a room, and everyone is online; each watcher sees the other side as it is.
    func meet() async throws {
        let everyone = (north.everyone + south.everyone).map(\.id)
        for side in [north, south] {
            try await side.server.share("!room:\(north.server.settings.name)", everyone)
            for user in side.everyone {
                #expect(try await side.server.put(user, "online", text: "hello").status == 200)
            }
        }
        try await agree("after they met")
    }

    /// Waits until each watcher sees everyone on the other side as they are there.
    func agree(_ when: String, within seconds: Double = 60) async throws {
        for (here, there) in [(north, south), (south, north)] {
            do {
                try await here.server.waits("agreement \(when)", as: here.watcher, within: seconds) {
                    try await here.disagreements(with: there).isEmpty
                }
            } catch {
                let left = try await here.disagreements(with: there)
                throw Child.Failure(description: "\(left)\n\(error)\n\(there.server.child.text)")
            }
        }
    }

    /// Ends both; neither may have crashed.
    func stop() async {
        for (name, side) in [("north", north), ("south", south)] {
            let status = await side.server.child.stop()
            #expect(status == 0, "\(name) ended with \(status)\n\(side.server.child.text)")
        }
        await toSouth.stop()
        await toNorth.stop()
    }
}

extension Neighbours.Side {
    /// What the watcher sees of those there who are not seen as they are.
    func disagreements(with there: Neighbours.Side) async throws -> [String] {
        var found: [String] = []
        for user in there.everyone {
            let truth = try await there.server.view(of: user.id, by: user)
            let seen = try await server.view(of: user.id, by: watcher)
            if truth != seen { found.append("\(user.id) is \(truth), seen as \(seen)") }
        }
        return found
    }

    /// Says what `watcher` waits for while the other server is away.
    func waitsForSilence(of users: [Presenced.User], within seconds: Double = 60) async throws {
        for user in users {
            try await server.waits("\(user.id) is unknown", as: watcher, within: seconds) {
                try await server.view(of: user.id, by: watcher) == "unknown: server_silent"
            }
        }
    }
}

extension Presenced {
    /// State and text of someone as `user` sees them, or why they are unknown.
    func view(of id: String, by user: User) async throws -> String {
        let reply = try await status(of: id, by: user)
        if let reason = reply.json["org.presenced.unknown"]?["reason"]?.string { return "unknown: \(reason)" }
        let state = reply.json["org.presenced.state"]?.string ?? reply.json["presence"]?.string
        return "\(state ?? "\(reply.status)") \(reply.json["status_msg"]?.string ?? "-")"
    }

    /// Lets so much time go by, listening as `user` meanwhile.
    func listens(as user: User, for seconds: Double) async throws {
        let deadline = ContinuousClock.now + .milliseconds(Int64(seconds * 1000))
        var since = ""
        while true {
            let left = (deadline - ContinuousClock.now).inMilliseconds
            guard left > 0 else { return }
            let reply = try await own("GET", "stream?since=\(since)&timeout=\(min(left, 10_000))", as: user)
            since = reply.json["next_batch"]?.string ?? since
        }
    }

    /// How often each message was logged about each server, from the lines of JSON that it said.
    var logCounts: [String: Int] {
        var counts: [String: Int] = [:]
        for line in child.text.split(separator: "\n") {
            guard let entry = try? JSONParser.lenient.parse(Array(line.utf8)).value,
                let message = entry["message"]?.string
            else { continue }
            let facts = entry["metadata"]
            let peer = ["server", "destination", "origin"].lazy.compactMap { facts?[$0]?.string }.first
            counts[peer.map { "\(message) (\($0))" } ?? message, default: 0] += 1
        }
        return counts
    }

    /// How often it said that about that server.
    func said(_ message: String, of server: Presenced) -> Int {
        logCounts["\(message) (\(server.settings.name))"] ?? 0
    }

    static let wentSilent = "a server does not answer any more; its users are unknown until it does"
    static let answersAgain = "a server answers again"
    static let notTaken = "a transaction was not taken; it is tried again"
    static let takenAgain = "transactions are taken again"

    /// What was said more often than any number of repetitions explains.
    func checkLog(atMost limit: Int, _ location: SourceLocation = #_sourceLocation) {
        for (message, count) in logCounts.sorted(by: { $0.key < $1.key }) where count > limit {
            Issue.record("said \(count) times: \(message)", sourceLocation: location)
        }
        #expect(!child.text.contains("Fatal error"), sourceLocation: location)
    }
}
