import Foundation
import MatrixWire
import NIOCore

/// Choices of a status over HTTP, each of them a change, and on disk before it is answered.
struct StatusLoad: Sendable {
    static let userCount = 64

    var presenced: String
    var seconds: Double
    var connections: Int
    var pipeline: Int

    /// - Parameter synchronous: the setting `store.synchronous`.
    func measure(synchronous: String) async throws -> Measurement {
        let folder = try LabFolder()
        defer { folder.remove() }
        let users = (0..<StatusLoad.userCount).map { LabUser("user\($0)", at: ServerUnderTest.name) }
        let server = try await ServerUnderTest.start(
            presenced: presenced, in: folder, users: users, settings: "store:\n  synchronous: \(synchronous)")
        do {
            let measurement = try await measure(server, users, synchronous: synchronous, folder)
            await server.stop()
            return measurement
        } catch {
            await server.stop()
            throw error
        }
    }

    private func measure(
        _ server: ServerUnderTest, _ users: [LabUser], synchronous: String, _ folder: LabFolder
    ) async throws -> Measurement {
        let count = min(connections, users.count)
        let schedules = (0..<count).map { connection in
            let mine = stride(from: connection, to: users.count, by: count).map { users[$0] }
            return ["online", "unavailable"].flatMap { state in mine.map { StatusLoad.request(state, of: $0) } }
        }
        let generator = LoadGenerator(port: server.clientPort, pipeline: pipeline)
        let before = try server.use()
        let own = ProcessUse(pid: ProcessInfo.processInfo.processIdentifier)
        let result = try await generator.run(schedules, repeats: true, seconds: seconds)
        let after = try server.use()
        let ownAfter = ProcessUse(pid: ProcessInfo.processInfo.processIdentifier)
        let cpu = after.cpuSeconds - before.cpuSeconds
        return Measurement(
            title: "PUT status over HTTP, store.synchronous \(synchronous)",
            conditions: "\(users.count) users in turn, every PUT another state; \(count) connections, \(pipeline) "
                + "under way on each; \(seconds) s after 1 s; load from the same machine; database in \(folder.path)",
            figures: [
                Figure("requests", result.perSecond, "/s"),
                Figure("latency, median", result.latencyMilliseconds(0.5), "ms"),
                Figure("latency, 99 %", result.latencyMilliseconds(0.99), "ms"),
                Figure("answers that are not 200", Double(result.refusedCount), ""),
                Figure("server CPU per request", cpu * 1e6 / Double(max(result.answerCount, 1)), "µs"),
                Figure("server CPU in all", cpu, "s"),
                Figure("generator CPU in all", (ownAfter?.cpuSeconds ?? 0) - (own?.cpuSeconds ?? 0), "s"),
                Figure("server memory, peak", after.peakMemoryBytes / 1e6, "MB"),
            ])
    }

    private static func request(_ state: String, of user: LabUser) -> PreparedRequest {
        let body: JSONValue = ["presence": .string(state), "status_msg": "measuring"]
        return PreparedRequest(
            "PUT", user.statusPath, headers: [("Authorization", "Bearer \(user.token)")],
            body: ByteBuffer(bytes: CanonicalJSON.encode(body)))
    }
}
