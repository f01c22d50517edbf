import Foundation
import LoopbackTLS
import MatrixWire
import NIOCore
import PresenceModel

/// Servers without end that do not answer: half of them refuse connections, half take them and say nothing. One server
/// lives, and a change for it must not wait for the others.
struct FloodLoad: Sendable {
    static let living = "living.localhost"
    /// So many users of dead servers share a room with the watcher: few enough for every kind of server to be told.
    static let roomSize = 500
    /// What a change waits for its batch; shorter than the default so that more changes can be measured.
    static let windowSeconds = 1.0
    static let probeSeconds = 2.0

    var presenced: String
    var servers: Int

    func measure() async throws -> Measurement {
        let folder = try LabFolder()
        defer { folder.remove() }
        let authority = try PrivateAuthority(folder: folder.path)
        let files = try authority.issue(label: "servers", names: ["localhost", "*.localhost", FloodLoad.living])
        let alive = try await LivingServer(certificate: files.certificate, key: files.key)
        let hole = try await BlackHole()
        let users = [LabUser("watcher", at: ServerUnderTest.name), LabUser("probe", at: ServerUnderTest.name)]
        let server = try await ServerUnderTest.start(
            presenced: presenced, in: folder, users: users, settings: "",
            federation: federationSection(files, authority, alive: alive.port, hole: hole.port))
        let result: Result<Measurement, any Error>
        do {
            result = .success(try await measure(server, alive, watcher: users[0], probe: users[1]))
        } catch {
            result = .failure(error)
        }
        await server.stop()
        await alive.stop()
        await hole.stop()
        return try result.get()
    }

    private func name(_ number: Int) -> String { "dead\(number).localhost" }

    /// Port 9 of loopback refuses.
    private func federationSection(
        _ files: PrivateAuthority.Files, _ authority: PrivateAuthority, alive: Int, hole: Int
    ) -> String {
        let dead = (0..<servers).map { "    \(name($0)): 127.0.0.1:\($0 % 2 == 0 ? 9 : hole)\n" }.joined()
        return """
              tls:
                certificate: \(files.certificate)
                key: \(files.key)
              ca_file: \(authority.path)
              batch:
                window: \(Int(FloodLoad.windowSeconds))s
                stretch: \(Int(FloodLoad.windowSeconds))s
              resolve:
                \(FloodLoad.living): 127.0.0.1:\(alive)
            \(dead)
            """
    }

    private func measure(
        _ server: ServerUnderTest, _ alive: LivingServer, watcher: LabUser, probe: LabUser
    ) async throws -> Measurement {
        let link = FloodLink(server: server, alive: alive, probe: probe)
        try await link.gather(["@someone:\(FloodLoad.living)", probe.id], in: "!living")
        let before = try await link.probe(for: .seconds(20))
        let idle = try server.use()
        let began = ContinuousClock.now
        for start in stride(from: 0, to: servers, by: FloodLoad.roomSize) {
            let there = (start..<min(start + FloodLoad.roomSize, servers)).map { "@user:\(name($0))" }
            try await link.gather(there + [watcher.id], in: "!dead\(start)")
        }
        try await link.choose("flooded", as: watcher)
        let gathering = began.duration(to: .now) / .seconds(1)
        let first = try await link.probe(for: .seconds(60), connected: watcher)
        let atOne = try server.use()
        let timeAtOne = ContinuousClock.now
        let later = try await link.probe(for: .seconds(120), connected: watcher)
        let atEnd = try server.use()
        let firstSeconds = began.duration(to: timeAtOne) / .seconds(1)
        let laterSeconds = timeAtOne.duration(to: .now) / .seconds(1)
        let heads = await alive.arrivals.requests.map(\.headBytes)
        return Measurement(
            title: "\(servers) servers that do not answer",
            conditions: "one user of each shares a room with a connected local user, whose status changes every "
                + "\(Int(FloodLoad.probeSeconds * 5)) s; half of the servers refuse connections, half take them and say "
                + "nothing; one server answers, and is told of another user's change every "
                + "\(Int(FloodLoad.probeSeconds)) s; batch.window \(Int(FloodLoad.windowSeconds)) s",
            figures: [
                Figure("to tell the server of the rooms", gathering, "s"),
                Figure("CPU, first minute", share(atOne, since: idle, firstSeconds), "% of a core"),
                Figure("CPU, minutes 2 and 3", share(atEnd, since: atOne, laterSeconds), "% of a core"),
                Figure("memory before", idle.memoryBytes / 1e6, "MB"),
                Figure("memory after 3 minutes", atEnd.memoryBytes / 1e6, "MB"),
                Figure("memory, peak", atEnd.peakMemoryBytes / 1e6, "MB"),
                Figure("delay of a change, before: median", before.median, "s"),
                Figure("before: longest", before.longest, "s"),
                Figure("first minute: median", first.median, "s"),
                Figure("first minute: longest", first.longest, "s"),
                Figure("minutes 2 and 3: median", later.median, "s"),
                Figure("minutes 2 and 3: longest", later.longest, "s"),
                Figure("changes that did not arrive", Double(before.lost + first.lost + later.lost), ""),
                Figure("request line and headers of a transaction", Double(heads.max() ?? 0), "bytes"),
            ])
    }

    private func share(_ use: ProcessUse, since before: ProcessUse, _ seconds: Double) -> Double {
        (use.cpuSeconds - before.cpuSeconds) * 100 / seconds
    }
}

/// What is done to the server under test, and how long its changes take to the living server.
private struct FloodLink {
    struct Delays {
        var seconds: [Double] = []
        var lost = 0

        var median: Double { seconds.isEmpty ? 0 : seconds.sorted()[seconds.count / 2] }
        var longest: Double { seconds.max() ?? 0 }
    }

    let server: ServerUnderTest
    let alive: LivingServer
    let probe: LabUser

    func gather(_ members: [String], in room: String) async throws {
        let path = "/_presenced/admin/v1/rooms/\(PercentEncoding.encode("\(room):\(ServerUnderTest.name)"))/members"
        let body = CanonicalJSON.encode(["members": .array(members.map { .string($0) })])
        try await ask(
            PreparedRequest(
                "PUT", path, headers: [("Authorization", "Bearer \(try server.adminToken)")],
                body: ByteBuffer(bytes: body)),
            port: server.adminPort)
    }

    func choose(_ text: String, as user: LabUser) async throws {
        let body: JSONValue = ["presence": "online", "status_msg": .string(text)]
        try await ask(
            PreparedRequest(
                "PUT", user.statusPath, headers: [("Authorization", "Bearer \(user.token)")],
                body: ByteBuffer(bytes: CanonicalJSON.encode(body))),
            port: server.clientPort)
    }

    private func ask(_ request: PreparedRequest, port: Int) async throws {
        let result = try await LoadGenerator(port: port, warmUp: .zero).run([[request]], repeats: false, seconds: 60)
        guard result.answerCount == 1, result.refusedCount == 0 else {
            throw LabError("refused: \(result.lastAnswers)")
        }
    }

    /// A change every few seconds; the watcher's own now and then, which also keeps the watcher connected.
    func probe(for duration: Duration, connected watcher: LabUser? = nil) async throws -> Delays {
        let end = ContinuousClock.now + duration
        var changes: [(text: String, at: ContinuousClock.Instant)] = []
        while ContinuousClock.now < end {
            let text = "probe \(UInt64.random(in: 0 ... .max))"
            if let watcher, changes.count % 5 == 0 { try await choose("watching \(changes.count)", as: watcher) }
            changes.append((text, .now))
            try await choose(text, as: probe)
            try await Task.sleep(for: .seconds(FloodLoad.probeSeconds))
        }
        try await Task.sleep(for: .seconds(2 * FloodLoad.windowSeconds))
        var delays = Delays()
        for change in changes {
            if let arrival = await alive.arrivals.arrival(of: change.text) {
                delays.seconds.append(change.at.duration(to: arrival) / .seconds(1))
            } else {
                delays.lost += 1
            }
        }
        return delays
    }
}
