import Foundation
import PresenceEngine
import PresenceModel
import PresenceStore

/// A million users: the memory they take, and how long a restart takes to have them back.
struct PopulationLoad: Sendable {
    static let userCount = 1_000_000

    var presenced: String

    /// The engine alone, in this process. To be run before anything else here takes memory.
    static func measureMemory() throws -> Measurement {
        let before = ProcessUse.residentBytes
        let now = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
        var engine = PresenceEngine(server: try ServerName(parsing: "lab.localhost"))
        var effects = engine.handle(.started, at: now)
        let devices = try (0..<EngineLoad.devicesPerUser).map { try DeviceID(parsing: "LABDEVICE\($0)") }
        let clock = ContinuousClock()
        let took = try clock.measure {
            for user in 0..<userCount {
                for device in devices {
                    effects.removeAll(keepingCapacity: true)
                    engine.handle(.deviceActed(try EngineLoad.key(user, device)), at: now, into: &effects)
                }
            }
        }
        let held = Double(ProcessUse.residentBytes - before)
        effects.removeAll()
        let last = try UserID(parsing: "@user\(userCount - 1):lab.localhost")
        guard engine.devices(of: last, at: now).count == EngineLoad.devicesPerUser else {
            throw LabError("the engine lost a device")
        }
        return Measurement(
            title: "A million users in memory",
            conditions:
                "the engine alone; \(userCount) users with \(EngineLoad.devicesPerUser) connected devices each, "
                + "who came one after the other; resident memory after, less before",
            figures: [
                Figure("memory", held / 1e6, "MB"),
                Figure("per user", held / Double(userCount), "bytes"),
                Figure("to take them in", took / .seconds(1), "s"),
            ])
    }

    /// A real server on a database of a million statuses.
    func measureRestart() async throws -> Measurement {
        let folder = try LabFolder()
        defer { folder.remove() }
        let file = folder.file("presenced.sqlite")
        try await fill(file)
        let bytes = (try? FileManager.default.attributesOfItem(atPath: file)[.size] as? Int) ?? 0
        let user = LabUser("user7", at: ServerUnderTest.name)
        let start = ContinuousClock.now
        let server = try await ServerUnderTest.start(presenced: presenced, in: folder, users: [user], settings: "")
        let took = (ContinuousClock.now - start) / .seconds(1)
        do {
            let use = try server.use()
            let generator = LoadGenerator(port: server.clientPort, warmUp: .zero)
            let headers = [("Authorization", "Bearer \(user.token)")]
            let request = PreparedRequest("GET", user.statusPath, headers: headers)
            let result = try await generator.run([[request]], repeats: false, seconds: 10)
            guard let body = result.lastAnswers.first?.body, String(decoding: body, as: UTF8.self).contains("text of 7")
            else { throw LabError("the restarted server does not know its users") }
            await server.stop()
            return Measurement(
                title: "A restart with a million users",
                conditions:
                    "presenced serve on a database of \(PopulationLoad.userCount) statuses (\(bytes >> 20) MiB), "
                    + "half of them connected when it was written; from the start of the process until it listens",
                figures: [
                    Figure("until it listens", took, "s"), Figure("memory, peak", use.peakMemoryBytes / 1e6, "MB"),
                    Figure("CPU", use.cpuSeconds, "s"),
                ])
        } catch {
            await server.stop()
            throw error
        }
    }

    private func fill(_ file: String) async throws {
        let store = try PresenceStore(path: file)
        let then = Instant(millisecondsSinceEpoch: Int64(Date().timeIntervalSince1970 * 1000) - 60_000)
        for start in stride(from: 0, to: PopulationLoad.userCount, by: 10_000) {
            store.append(
                try (start..<start + 10_000).map { number in
                    let user = try UserID(parsing: "@user\(number):\(ServerUnderTest.name)")
                    let text = "text of \(number)"
                    return .presence(
                        .status(
                            user,
                            StoredStatus(
                                statusText: text, lastActive: then, lastSeen: then,
                                isConnected: number % 2 == 1, shownText: text, shownLastActive: then)))
                })
            try await store.settle()
        }
        try await store.close()
    }
}
