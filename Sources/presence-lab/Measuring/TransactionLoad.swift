import Foundation
import LoopbackTLS
import MatrixWire
import NIOCore
import NIOSSL
import PresenceModel

/// Signed presence transactions over TLS, from several servers that do not exist, about users who share a room with a
/// local user, so that every state is really taken in.
struct TransactionLoad: Sendable {
    /// One room holds all users.
    static let connectionLimit = 16
    /// As many are signed beforehand as could be wanted.
    static let transactionsPerSecond = 6000
    static let transactionLimit = 60_000

    var presenced: String
    var seconds: Double
    var connections: Int
    var pipeline: Int

    func measure() async throws -> Measurement {
        let folder = try LabFolder()
        defer { folder.remove() }
        let peers = try (0..<min(connections, TransactionLoad.connectionLimit)).map { try PretendServer(number: $0) }
        let watcher = LabUser("watcher", at: ServerUnderTest.name)
        let authority = try PrivateAuthority(folder: folder.path)
        let server = try await ServerUnderTest.start(
            presenced: presenced, in: folder, users: [watcher], settings: "",
            federation: try federationSection(authority, peers, folder))
        do {
            let measurement = try await measure(server, peers, watcher, authority)
            await server.stop()
            return measurement
        } catch {
            await server.stop()
            throw error
        }
    }

    /// The pretend servers are nowhere: port 9 of loopback refuses.
    private func federationSection(
        _ authority: PrivateAuthority, _ peers: [PretendServer], _ folder: LabFolder
    ) throws -> String {
        let files = try authority.issue(label: "server", names: ["localhost", ServerUnderTest.name])
        let pinned = try folder.write(PretendServer.pinnedKeys(of: peers), to: "pinned.json")
        let resolve = peers.map { "    \($0.name): 127.0.0.1:9\n" }.joined()
        return """
              tls:
                certificate: \(files.certificate)
                key: \(files.key)
              pinned_keys: \(pinned)
              incoming:
                per_second: 0
              resolve:
            \(resolve)
            """
    }

    private func measure(
        _ server: ServerUnderTest, _ peers: [PretendServer], _ watcher: LabUser, _ authority: PrivateAuthority
    ) async throws -> Measurement {
        try await gather(peers.flatMap(\.users).map(\.text) + [watcher.id], server)
        let total = min(Int(seconds + 1) * TransactionLoad.transactionsPerSecond, TransactionLoad.transactionLimit)
        let sent = Instant(millisecondsSinceEpoch: Int64(Date().timeIntervalSince1970 * 1000))
        let destination = try ServerName(parsing: ServerUnderTest.name)
        let schedules = try peers.map { try $0.transactions(total / peers.count, to: destination, sent: sent) }
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .file(authority.path)
        let generator = LoadGenerator(
            port: server.federationPort, tls: try NIOSSLContext(configuration: tls), pipeline: pipeline)
        let before = try server.use()
        let own = ProcessUse(pid: ProcessInfo.processInfo.processIdentifier)
        let result = try await generator.run(schedules, repeats: false, seconds: seconds)
        let after = try server.use()
        let ownAfter = ProcessUse(pid: ProcessInfo.processInfo.processIdentifier)
        try await checkTakenIn(peers, by: watcher, server)
        let cpu = after.cpuSeconds - before.cpuSeconds
        let size = schedules.first?.first?.bytes.readableBytes ?? 0
        return Measurement(
            title: "Signed presence transactions over TLS",
            conditions: "\(peers.count) pretend servers, one connection each, \(pipeline) under way on each; "
                + "\(PretendServer.statesPerTransaction) states in each transaction, other ones each time, all of "
                + "watched users; \(size) bytes each, signed before; keys pinned; \(seconds) s after 1 s; load from "
                + "the same machine",
            figures: [
                Figure("transactions", result.perSecond, "/s"),
                Figure("states", result.perSecond * Double(PretendServer.statesPerTransaction), "/s"),
                Figure("latency, median", result.latencyMilliseconds(0.5), "ms"),
                Figure("latency, 99 %", result.latencyMilliseconds(0.99), "ms"),
                Figure("answers that are not 200", Double(result.refusedCount), ""),
                Figure("transactions in all", Double(result.answerCount), "of \(schedules.joined().count) signed"),
                Figure("server CPU per transaction", cpu * 1e6 / Double(max(result.answerCount, 1)), "µs"),
                Figure("server CPU in all", cpu, "s"),
                Figure("generator CPU in all", (ownAfter?.cpuSeconds ?? 0) - (own?.cpuSeconds ?? 0), "s"),
                Figure("server memory, peak", after.peakMemoryBytes / 1e6, "MB"),
            ])
    }

    private func gather(_ members: [String], _ server: ServerUnderTest) async throws {
        let path = "/_presenced/admin/v1/rooms/\(PercentEncoding.encode("!lab:\(ServerUnderTest.name)"))/members"
        let body = CanonicalJSON.encode(["members": .array(members.map { .string($0) })])
        let request = PreparedRequest(
            "PUT", path, headers: [("Authorization", "Bearer \(try server.adminToken)")], body: ByteBuffer(bytes: body))
        let generator = LoadGenerator(port: server.adminPort, warmUp: .zero)
        let result = try await generator.run([[request]], repeats: false, seconds: 60)
        guard result.answerCount == 1, result.refusedCount == 0 else {
            throw LabError("the room could not be filled: \(result.lastAnswers)")
        }
    }

    /// What the last transaction said is what the watcher sees.
    private func checkTakenIn(_ peers: [PretendServer], by watcher: LabUser, _ server: ServerUnderTest) async throws {
        let requests = peers.compactMap(\.users.last).map { user in
            let path = "/_matrix/client/v3/presence/\(PercentEncoding.encode(user.text))/status"
            return [PreparedRequest("GET", path, headers: [("Authorization", "Bearer \(watcher.token)")])]
        }
        let generator = LoadGenerator(port: server.clientPort, warmUp: .zero)
        let result = try await generator.run(requests, repeats: false, seconds: 10)
        for answer in result.lastAnswers {
            let state = try JSONParser.lenient.parse(answer.body).value["presence"]?.string
            guard answer.status == 200, let state, state != "offline" else {
                throw LabError("states were not taken in: \(String(decoding: answer.body, as: UTF8.self))")
            }
        }
    }
}
