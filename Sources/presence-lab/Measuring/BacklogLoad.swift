import Foundation
import MatrixWire
import NIOCore

/// What a homeserver sends its application service after a long pause: one transaction after the other, of a hundred
/// events each, as fast as they are answered.
struct BacklogLoad: Sendable {
    static let eventsPerTransaction = 100
    /// Made at a time, so that the load itself stays small.
    static let transactionsPerPortion = 250
    static let roomCount = 2000
    static let userCount = 20_000

    private static let homeserverToken = "hs-token-of-the-laboratory"

    var presenced: String
    /// Rounded up to whole transactions.
    var events: Int

    func measure() async throws -> Measurement {
        let folder = try LabFolder()
        defer { folder.remove() }
        let port = try await ServerUnderTest.freePorts(1)[0]
        let registration = try folder.write(BacklogLoad.registration, to: "registration.yaml")
        // The homeserver itself is nowhere: port 9 of loopback refuses. It tells, and is not asked.
        let settings = """
            homeserver:
              url: http://127.0.0.1:9
              application_service:
                registration: \(registration)
                listen: 127.0.0.1:\(port)
                bootstrap: none
            """
        let server = try await ServerUnderTest.start(
            presenced: presenced, in: folder, users: [], settings: settings, furtherPorts: [port])
        do {
            let measurement = try await measure(server, port: port)
            await server.stop()
            return measurement
        } catch {
            await server.stop()
            throw error
        }
    }

    private func measure(_ server: ServerUnderTest, port: Int) async throws -> Measurement {
        let transactions = max(1, (events + BacklogLoad.eventsPerTransaction - 1) / BacklogLoad.eventsPerTransaction)
        let generator = LoadGenerator(port: port, warmUp: .zero)
        let before = try server.use()
        var (elapsed, sent, bytes) = (Duration.zero, 0, 0)
        var slowest = 0.0
        while sent < transactions {
            let count = min(BacklogLoad.transactionsPerPortion, transactions - sent)
            let portion = (sent..<sent + count).map { BacklogLoad.transaction($0) }
            bytes += portion.reduce(0) { $0 + $1.body.readableBytes }
            let start = ContinuousClock.now
            let result = try await generator.run([portion], repeats: false, seconds: 600)
            elapsed += ContinuousClock.now - start
            guard result.answerCount == count, result.refusedCount == 0 else {
                throw LabError("\(result.refusedCount) of \(result.answerCount) were refused: \(result.lastAnswers)")
            }
            slowest = max(slowest, result.latencyMilliseconds(1))
            sent += count
        }
        let after = try server.use()
        try await check(server, transactions)
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        let total = Double(transactions * BacklogLoad.eventsPerTransaction)
        let cpu = after.cpuSeconds - before.cpuSeconds
        return Measurement(
            title: "A homeserver's backlog, as an application service",
            conditions: "\(Int(total)) events in transactions of \(BacklogLoad.eventsPerTransaction), one by one "
                + "on one connection, one in ten a join or a leave of \(BacklogLoad.userCount) users in "
                + "\(BacklogLoad.roomCount) rooms, the others encrypted messages; \(bytes / transactions) bytes a "
                + "transaction; store.synchronous full, every answer after its commit; load from the same machine",
            figures: [
                Figure("events", total / seconds, "/s"),
                Figure("in all", seconds, "s"),
                Figure("longest wait for an answer", slowest, "ms"),
                Figure("server CPU per event", cpu * 1e6 / total, "µs"),
                Figure("server memory before", before.memoryBytes / 1e6, "MB"),
                Figure("server memory after", after.memoryBytes / 1e6, "MB"),
                Figure("server memory, peak", after.peakMemoryBytes / 1e6, "MB"),
            ])
    }

    private static let registration = """
        id: laboratory
        url: null
        as_token: as-token-of-the-laboratory
        hs_token: \(homeserverToken)
        sender_localpart: laboratory
        rate_limited: false
        receive_ephemeral: true
        namespaces:
          users: []
          rooms:
            - exclusive: false
              regex: '.*'
          aliases: []
        """

    // MARK: Transactions

    private static func transaction(_ number: Int) -> PreparedRequest {
        let first = number * eventsPerTransaction
        let events = (first..<first + eventsPerTransaction).map { event($0) }
        let body = #"{"events":["# + events.joined(separator: ",") + #"],"ephemeral":[]}"#
        return PreparedRequest(
            "PUT", "/_matrix/app/v1/transactions/\(number)", headers: [("Authorization", "Bearer \(homeserverToken)")],
            body: ByteBuffer(string: body))
    }

    /// Every tenth is a member; who is in every room at the end follows from the numbers alone.
    private static func event(_ number: Int) -> String {
        let (user, room) = member(number)
        let head =
            #"{"event_id":"$\#(number)-event-with-an-identifier-of-its-length","room_id":"\#(room)","sender":"\#(user)","#
            + #""origin_server_ts":1700000000000,"unsigned":{"age":90000000},"#
        guard number % 10 == 0 else {
            return head + #""type":"m.room.encrypted","content":{"algorithm":"m.megolm.v1.aes-sha2","ciphertext":""#
                + ciphertext + #""}}"#
        }
        let membership = isJoin(number) ? "join" : "leave"
        return head + #""type":"m.room.member","state_key":"\#(user)","content":{"membership":"\#(membership)","#
            + #""displayname":"\#(user)"}}"#
    }

    private static func isJoin(_ number: Int) -> Bool { number / 10 % 4 != 3 }

    private static func member(_ number: Int) -> (user: String, room: String) {
        let count = number / 10
        // A leave is one of who joined three before.
        let base = isJoin(number) ? count : count - 3
        let host = base % 3 == 0 ? ServerUnderTest.name : "server\(base % 50).example"
        return ("@user\(base * 7919 % userCount):\(host)", "!room\(base % roomCount):\(ServerUnderTest.name)")
    }

    private static let ciphertext = String(repeating: "AwgAEnAbCdEf", count: 25)

    /// The last join is in the room that it names.
    private func check(_ server: ServerUnderTest, _ transactions: Int) async throws {
        var number = (transactions * BacklogLoad.eventsPerTransaction - 1) / 10 * 10
        while !BacklogLoad.isJoin(number) { number -= 10 }
        let (user, room) = BacklogLoad.member(number)
        let path = "/_presenced/admin/v1/rooms/\(PercentEncoding.encode(room))/members"
        let request = PreparedRequest("GET", path, headers: [("Authorization", "Bearer \(try server.adminToken)")])
        let generator = LoadGenerator(port: server.adminPort, warmUp: .zero)
        let result = try await generator.run([[request]], repeats: false, seconds: 10)
        let body = result.lastAnswers.first.map { String(decoding: $0.body, as: UTF8.self) } ?? ""
        guard body.contains(user) else { throw LabError("\(user) is not in \(room): \(body.prefix(200))") }
    }
}
