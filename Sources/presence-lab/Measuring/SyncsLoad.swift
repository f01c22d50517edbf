import Foundation
import MatrixWire
import NIOCore
import NIOHTTP1
import NIOPosix

/// Clients that sync through presenced: many that wait for nothing, one that is answered at once, and what the
/// homeserver behind it saw of them.
struct SyncsLoad: Sendable {
    /// So many are on their way to the homeserver at once while the waiting ones come: fewer than tokens are looked up
    /// at once.
    static let coming = 200
    static let portion = 50
    /// For those who wait to come, however few they are.
    static let grace = Duration.seconds(8)
    static let room = "!room:\(ServerUnderTest.name)"

    var presenced: String
    /// Long-polls that wait at once.
    var clients: Int
    /// Quick syncs of each kind.
    var requests: Int
    /// How long the waiting ones are watched.
    var seconds: Double

    /// Quick syncs that do not count.
    private var warmUpRounds: Int { min(200, requests) }

    func measure() async throws -> [Measurement] {
        Machine.raiseOpenFilesLimit()
        let folder = try LabFolder()
        defer { folder.remove() }
        let users = (0..<clients).map { LabUser("user\($0)", at: ServerUnderTest.name) }
        let homeserver = try await PollingHomeserver(users: users + SyncsLoad.pair)
        let settings =
            "homeserver:\n  url: http://127.0.0.1:\(homeserver.port)\n  connections: \(max(16, clients + 16))\n"
        let server: ServerUnderTest
        do {
            server = try await ServerUnderTest.start(presenced: presenced, in: folder, users: [], settings: settings)
        } catch {
            await homeserver.stop()
            throw error
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let result: Result<[Measurement], any Error>
        do {
            let crowd = SyncCrowd(server: server, homeserver: homeserver, loop: group.next())
            let quick = try await measureQuick(crowd)
            result = .success([try await measureWaiting(crowd, users), quick])
        } catch {
            result = .failure(error)
        }
        await server.stop()
        await homeserver.stop()
        try? await group.shutdownGracefully()
        return try result.get()
    }

    /// Who is answered at once, and who changes meanwhile.
    private static let pair = [
        LabUser("quick", at: ServerUnderTest.name), LabUser("friend", at: ServerUnderTest.name),
    ]

    // MARK: Those who wait

    private func measureWaiting(_ crowd: SyncCrowd, _ users: [LabUser]) async throws -> Measurement {
        let counts = crowd.homeserver.counts
        let before = try crowd.server.use()
        // Long enough for all of them to come on a busy machine, and to be watched.
        let wait = SyncsLoad.grace + .seconds(seconds) + .milliseconds(6 * clients)
        let start = ContinuousClock.now
        var waiting = SyncCrowd.Waiting()
        try await crowd.gather(users, in: &waiting, waiting: wait)
        let coming = start.duration(to: .now)
        let here = try crowd.server.use()
        let connections = crowd.homeserver.counts.connections
        let watched = ContinuousClock.now
        try await Task.sleep(for: .seconds(seconds))
        let held = crowd.homeserver.counts.held
        let idle = try crowd.server.use()
        let idleSeconds = watched.duration(to: .now) / .seconds(1)
        var late = try await waiting.latenessMilliseconds(after: wait)
        let secondWait = SyncsLoad.grace + .milliseconds(3 * clients)
        try await crowd.askAgain(users, in: &waiting, waiting: secondWait)
        let again = try crowd.server.use()
        late = (late + (try await waiting.latenessMilliseconds(after: secondWait))).sorted()
        let after = try crowd.server.use()
        let seen = crowd.homeserver.counts
        await waiting.close()
        return Measurement(
            title: "Syncs that wait, in front of a homeserver",
            conditions: "\(clients) users with a token and a connection each, none of them known before; no filter, so "
                + "presence is merged; each makes a first sync of some 200 kB, then asks the homeserver to wait "
                + "\(Int(wait / .seconds(1))) s, and when it is answered \(Int(secondWait / .seconds(1))) s more; "
                + "watched for \(Int(seconds)) s when all wait; clients and homeserver in another process "
                + "on the same machine",
            figures: [
                Figure("held at once", Double(held), "of \(clients)"),
                Figure("answered with 200, not too early", Double(late.count), "of \(2 * clients)"),
                Figure("memory before", before.memoryBytes / 1e6, "MB"),
                Figure("memory with all held", idle.memoryBytes / 1e6, "MB"),
                Figure("memory for each", (idle.memoryBytes - before.memoryBytes) / 1e3 / Double(clients), "kB"),
                Figure("memory with all held again", again.memoryBytes / 1e6, "MB"),
                Figure("memory, peak", after.peakMemoryBytes / 1e6, "MB"),
                Figure("CPU with all held", (idle.cpuSeconds - here.cpuSeconds) * 100 / idleSeconds, "% of a core"),
                Figure("until all were there", coming / .seconds(1), "s"),
                Figure("CPU of a coming one", (here.cpuSeconds - before.cpuSeconds) * 1e3 / Double(clients), "ms"),
                Figure("answered late by, median", late.isEmpty ? 0 : late[late.count / 2], "ms"),
                Figure("answered late by, longest", late.last ?? 0, "ms"),
                Figure("connections to the homeserver", Double(connections), ""),
                Figure("syncs that the clients sent", 3 * Double(clients), ""),
                Figure("syncs that the homeserver saw", Double(seen.syncs - counts.syncs), ""),
                Figure("whoami that it saw", Double(seen.whoami - counts.whoami), ""),
                Figure("other requests that it saw", Double(seen.others - counts.others), ""),
                Figure("load of the machine", Machine.load ?? 0, ""),
            ])
    }

    // MARK: Those who are answered at once

    private static let withoutPresence =
        "&filter=\(PercentEncoding.encode(#"{"presence":{"not_types":["m.presence"]}}"#))"

    private func measureQuick(_ crowd: SyncCrowd) async throws -> Measurement {
        let (quick, friend) = (SyncsLoad.pair[0], SyncsLoad.pair[1])
        try await crowd.setMembers([quick.id, friend.id], of: SyncsLoad.room)
        let counts = crowd.homeserver.counts
        let clients = try await crowd.connectQuick()
        let before = try crowd.server.use()
        var (straight, passed, merged) = (QuickTimes(), QuickTimes(), QuickTimes())
        for round in 0..<(warmUpRounds + requests) {
            let counts = round >= warmUpRounds
            let target = "/_matrix/client/v3/sync?timeout=0&since=s\(round)"
            let first = try await clients.straight.sync(target, quick)
            straight.note(first, counts)
            let filtered = try await clients.through.sync(target + SyncsLoad.withoutPresence, quick)
            guard filtered.body == first.body else { throw LabError("a sync did not pass byte for byte") }
            passed.note(filtered, counts)
            let text = "change \(round)"
            try await clients.other.setStatus(text, of: friend)
            let together = try await clients.through.sync(target, quick)
            guard String(buffer: together.body).contains(text) else {
                throw LabError("a sync is without presence: \(String(buffer: together.body))")
            }
            merged.note(together, counts)
        }
        let after = try crowd.server.use()
        await clients.close()
        let seen = crowd.homeserver.counts
        let rounds = Double(warmUpRounds + requests)
        return Measurement(
            title: "Syncs that are answered at once, in front of a homeserver",
            conditions: "\(requests) of each kind in turn, one connection each: straight to the homeserver, through "
                + "presenced with presence filtered out, and through it with another user's change of that moment "
                + "merged; an answer of \(straight.bytes) bytes; clients and homeserver in another process on the same "
                + "machine",
            figures: [
                Figure("straight, median", straight.median, "ms"), Figure("straight, 99 %", straight.worst, "ms"),
                Figure("filtered out, median", passed.median, "ms"), Figure("filtered out, 99 %", passed.worst, "ms"),
                Figure("filtered out, longer by", passed.median - straight.median, "ms"),
                Figure("merged, median", merged.median, "ms"), Figure("merged, 99 %", merged.worst, "ms"),
                Figure("merged, longer by", merged.median - straight.median, "ms"),
                Figure("CPU of both and a PUT", (after.cpuSeconds - before.cpuSeconds) * 1e3 / rounds, "ms"),
                Figure("syncs that the clients sent through", 2 * rounds, ""),
                Figure("syncs that the homeserver saw of them", Double(seen.syncs - counts.syncs) - rounds, ""),
                Figure("whoami that it saw", Double(seen.whoami - counts.whoami), ""),
                Figure("other requests that it saw", Double(seen.others - counts.others), ""),
                Figure("load of the machine", Machine.load ?? 0, ""),
            ])
    }
}

/// How long answers took.
private struct QuickTimes {
    private var milliseconds: [Double] = []
    private(set) var bytes = 0

    mutating func note(_ answer: SyncClient.Answer, _ counts: Bool) {
        bytes = answer.body.readableBytes
        if counts { milliseconds.append(answer.milliseconds) }
    }

    var median: Double { at(0.5) }
    var worst: Double { at(0.99) }

    private func at(_ share: Double) -> Double {
        guard !milliseconds.isEmpty else { return 0 }
        return milliseconds.sorted()[min(milliseconds.count - 1, Int(Double(milliseconds.count) * share))]
    }
}

/// The clients of one server, all on one thread.
private struct SyncCrowd {
    let server: ServerUnderTest
    let homeserver: PollingHomeserver
    let loop: any EventLoop

    struct Waiting {
        var clients: [SyncClient] = []
        var answers: [EventLoopFuture<SyncClient.Answer>] = []

        /// Of each that was answered with 200 not before its time: by how much it was late.
        func latenessMilliseconds(after wait: Duration) async throws -> [Double] {
            var late: [Double] = []
            for answer in answers {
                guard let answer = try? await answer.get(), answer.status == 200 else { continue }
                late.append(answer.milliseconds - wait / .milliseconds(1))
            }
            return late.filter { $0 >= 0 }
        }

        func close() async {
            for client in clients { await client.close() }
        }
    }

    struct Quick {
        let straight: SyncClient
        let through: SyncClient
        let other: SyncClient

        func close() async {
            for client in [straight, through, other] { await client.close() }
        }
    }

    private static func target(after batch: String, waiting wait: Duration) -> String {
        "/_matrix/client/v3/sync?timeout=\(Int(wait / .milliseconds(1)))&since=\(batch)"
    }

    /// Connects all and lets each ask for everything, and then for what is new. Returns when the homeserver holds all of them.
    func gather(_ users: [LabUser], in waiting: inout Waiting, waiting wait: Duration) async throws {
        let target = SyncCrowd.target(after: PollingHomeserver.batch(after: nil), waiting: wait)
        let deadline = ContinuousClock.now + wait
        for start in stride(from: 0, to: users.count, by: SyncsLoad.portion) {
            for user in users[start..<min(start + SyncsLoad.portion, users.count)] {
                let client = try await SyncClient.connect(to: server.clientPort, on: loop)
                waiting.clients.append(client)
                let first = client.ask(.GET, "/_matrix/client/v3/sync", token: user.token)
                waiting.answers.append(first.flatMap { _ in client.ask(.GET, target, token: user.token) })
            }
            try await waitUntilHeld(waiting.clients.count - SyncsLoad.coming, until: deadline)
        }
        try await waitUntilHeld(users.count, until: deadline)
    }

    /// The same clients go on with the token of their answer.
    func askAgain(_ users: [LabUser], in waiting: inout Waiting, waiting wait: Duration) async throws {
        let batch = PollingHomeserver.batch(after: PollingHomeserver.batch(after: nil))
        let target = SyncCrowd.target(after: batch, waiting: wait)
        let deadline = ContinuousClock.now + wait
        waiting.answers = zip(waiting.clients, users).map { $0.ask(.GET, target, token: $1.token) }
        try await waitUntilHeld(users.count, until: deadline)
    }

    /// At the deadline the first of them are let go again.
    private func waitUntilHeld(_ count: Int, until deadline: ContinuousClock.Instant) async throws {
        while homeserver.counts.held < count {
            guard ContinuousClock.now < deadline else {
                throw LabError("only \(homeserver.counts.held) of \(count) syncs are held at once")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    func connectQuick() async throws -> Quick {
        Quick(
            straight: try await SyncClient.connect(to: homeserver.port, on: loop),
            through: try await SyncClient.connect(to: server.clientPort, on: loop),
            other: try await SyncClient.connect(to: server.clientPort, on: loop))
    }

    func setMembers(_ members: [String], of room: String) async throws {
        let client = try await SyncClient.connect(to: server.adminPort, on: loop)
        let path = "/_presenced/admin/v1/rooms/\(PercentEncoding.encode(room))/members"
        let body: JSONValue = ["members": .array(members.map { .string($0) })]
        let answer = try await client.ask(.PUT, path, token: try server.adminToken, body: body).get()
        await client.close()
        guard answer.status == 200 else { throw LabError("refused: \(String(buffer: answer.body))") }
    }
}

extension SyncClient {
    fileprivate func sync(_ target: String, _ user: LabUser) async throws -> Answer {
        let answer = try await ask(.GET, target, token: user.token).get()
        guard answer.status == 200 else { throw LabError("\(answer.status): \(String(buffer: answer.body))") }
        return answer
    }

    fileprivate func setStatus(_ text: String, of user: LabUser) async throws {
        let body: JSONValue = ["presence": "online", "status_msg": .string(text)]
        let answer = try await ask(.PUT, user.statusPath, token: user.token, body: body).get()
        guard answer.status == 200 else { throw LabError("\(answer.status): \(String(buffer: answer.body))") }
    }
}
