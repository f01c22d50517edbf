import MatrixWire
import NIOCore
import NIOPosix

/// How the bridge of a server under test stands, as its operator is told.
struct BridgeView: Sendable {
    struct Look: Sendable {
        var connections = 0
        var sessionsOpen = 0
        var heartbeatsTaken = 0
        var presented = 0
        var listEdits = 0
        var socialActs = 0
        /// Of all kinds.
        var failures = 0
    }

    private let client: SyncClient
    private let token: String
    private let group: MultiThreadedEventLoopGroup

    init(_ server: ServerUnderTest) async throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        client = try await SyncClient.connect(to: server.adminPort, on: group.next())
        token = try server.adminToken
    }

    func look() async throws -> Look {
        let answer = try await client.ask(.GET, "/_presenced/admin/v1/bridge", token: token).get()
        let body = try? JSONParser.strict.parse(Array(answer.body.readableBytesView)).value
        guard answer.status == 200, let service = body?["services"]?.array?.first else {
            throw LabError("the bridge does not say how it stands: \(answer.status)")
        }
        func count(_ key: String) -> Int { Int(service[key]?.integer ?? 0) }
        let failures = service["failures"]?.object.map { $0.members.compactMap(\.value.integer).reduce(0, +) }
        return Look(
            connections: count("connections"), sessionsOpen: count("sessions_open"),
            heartbeatsTaken: count("heartbeats_taken"), presented: count("presented"), listEdits: count("list_edits"),
            socialActs: count("social_acts"), failures: Int(failures ?? 0))
    }

    /// Looks until it is so.
    /// - Throws: ``LabError`` if it does not come to that in time.
    func waits(_ limit: Duration, until isSo: @Sendable (Look) -> Bool) async throws {
        let deadline = ContinuousClock.now + limit
        while true {
            let look = try await look()
            if isSo(look) { return }
            guard ContinuousClock.now < deadline else { throw LabError("the bridge did not come to that: \(look)") }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Looks until presence lists have not been edited for a while.
    func waitsForQuiet(_ limit: Duration) async throws {
        let deadline = ContinuousClock.now + limit
        var (edits, since) = (-1, ContinuousClock.now)
        while since.duration(to: .now) < .seconds(5) {
            guard ContinuousClock.now < deadline else { throw LabError("presence lists are edited without end") }
            let look = try await look()
            if look.listEdits != edits { (edits, since) = (look.listEdits, .now) }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    func close() async {
        await client.close()
        try? await group.shutdownGracefully()
    }
}
