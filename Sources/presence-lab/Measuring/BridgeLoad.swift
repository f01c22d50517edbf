import Foundation
import MatrixWire
import NIOCore
import NIOPosix
import SocialWire

/// Users of a Matrix server who are bridged to the social service of another: what the bridge takes, and how long a
/// change is under way in either direction. Both servers are real; users of the one have tokens of the other.
struct BridgeLoad: Sendable {
    static let linkedFriendsOfEach = 10
    static let friendsOfWorldUser = 10
    static let connections = 20
    /// Changes of state in a second, of users who take turns.
    static let changesPerSecond = 10.0
    /// How long the social service is away.
    static let absence = Duration.seconds(30)
    /// Of each step that has an end.
    static let patience = Duration.seconds(600)

    var presenced: String
    /// Linked users, at least 200.
    var users: Int
    /// How long each part is watched.
    var seconds: Double

    /// By rule: their localparts are addresses.
    var linked: [LabUser] {
        (0..<users).map { number in
            let digits = String(number + 1, radix: 16)
            return LabUser("0x" + String(repeating: "0", count: 40 - digits.count) + digits, at: ServerUnderTest.name)
        }
    }
    /// Friends without a Matrix user, each of whom is shown as a ghost: for every second linked user.
    var worldUsers: Int { users / (2 * BridgeLoad.friendsOfWorldUser) }
    var world: [LabUser] { (0..<worldUsers).map { LabUser("world\($0)", at: ServerUnderTest.name) } }

    /// - Parameter report: takes each measurement as it is made.
    func measure(_ report: (Measurement) -> Void) async throws {
        Machine.raiseOpenFilesLimit()
        let (matrixFolder, socialFolder) = (try LabFolder(), try LabFolder())
        defer {
            matrixFolder.remove()
            socialFolder.remove()
        }
        let ports = try await ServerUnderTest.freePorts(3)
        let social = try await startSocial(ports, in: socialFolder)
        do {
            try await befriend(at: social)
            let before = try await measureWithout(in: matrixFolder)
            try await measureBridged(before, social, ports, matrixFolder, socialFolder, report)
        } catch {
            await social.stop()
            throw error
        }
    }

    // MARK: The two servers

    private func startSocial(_ ports: [Int], in folder: LabFolder) async throws -> ServerUnderTest {
        let settings = """
            social:
              enabled: true
              rate_limit: { per_second: 0 }
              requests_from_user: 1000
              requests_to_user: 1000
              requests_per_hour: 100000
              message_limit: 128
              newcomers_per_minute: 100000000
              streams_per_connection: 100000
            """
        return try await ServerUnderTest.start(
            presenced: presenced, in: folder, users: linked + world, settings: settings, ports: ports)
    }

    private func startMatrix(bridgedTo social: ServerUnderTest?, in folder: LabFolder) async throws -> ServerUnderTest {
        var settings = ""
        if let social {
            try folder.write(linked.map { "\($0.id) \($0.token)\n" }.joined(), to: "bridge-tokens")
            settings = """
                bridge:
                  service: external
                  url: ws://127.0.0.1:\(social.clientPort)/social
                  generation: v1
                  connections: \(BridgeLoad.connections)
                  users_per_connection: \((users + BridgeLoad.connections - 1) / BridgeLoad.connections)
                  participation: opt_out
                  links_by_rule: true
                  tokens_file: bridge-tokens
                  status_text: readable
                """
        }
        return try await ServerUnderTest.start(presenced: presenced, in: folder, users: linked, settings: settings)
    }

    /// Friendships on the social side alone; the bridge brings them to the other.
    private func befriend(at server: ServerUnderTest) async throws {
        let (linked, world) = (linked, world)
        let client = try await SocialLoadClient.connect(to: server.clientPort)
        var pairs: [(LabUser, LabUser)] = []
        for number in linked.indices {
            for step in 1...(BridgeLoad.linkedFriendsOfEach / 2) {
                pairs.append((linked[number], linked[(number + 37 * step) % linked.count]))
            }
        }
        for number in 0..<(world.count * BridgeLoad.friendsOfWorldUser) {
            pairs.append((world[number % world.count], linked[number]))
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (place, pair) in pairs.enumerated() {
                if place >= SocialLoad.underWay { try await group.next() }
                group.addTask {
                    try await client.act(as: pair.0, towards: pair.1, isRequest: true)
                    try await client.act(as: pair.1, towards: pair.0, isRequest: false)
                }
            }
            try await group.waitForAll()
        }
        await client.close()
    }

    // MARK: Without the bridge

    private struct Baseline {
        var memoryBytes: Double
        var cpuShare: Double
    }

    /// The same users with the same streams, and no bridge: what is not its doing.
    private func measureWithout(in folder: LabFolder) async throws -> Baseline {
        let server = try await startMatrix(bridgedTo: nil, in: folder)
        do {
            let streams = try await PresenceStreams.open(for: linked, at: server.clientPort) { _, _ in }
            let before = try server.use()
            let start = ContinuousClock.now
            try await Task.sleep(for: .seconds(min(seconds, 30)))
            let after = try server.use()
            let duration = start.duration(to: .now) / .seconds(1)
            await streams.close()
            await server.stop()
            return Baseline(
                memoryBytes: after.memoryBytes, cpuShare: (after.cpuSeconds - before.cpuSeconds) * 100 / duration)
        } catch {
            await server.stop()
            throw error
        }
    }

    // MARK: With it

    private func measureBridged(
        _ before: Baseline, _ social: ServerUnderTest, _ ports: [Int], _ folder: LabFolder, _ socialFolder: LabFolder,
        _ report: (Measurement) -> Void
    ) async throws {
        let matrix = try await startMatrix(bridgedTo: social, in: folder)
        let (here, there) = (Crossings(), Crossings())
        let life = SocialWorld(users: world, port: social.clientPort)
        do {
            try await life.come { there.arrived($0, $1) }
            let names = Set(world.indices.map { "@_social_world\($0):\(ServerUnderTest.name)" })
            let watched = Set(world.indices)
            let opening = ContinuousClock.now
            let streams = try await PresenceStreams.open(
                for: linked, at: matrix.clientPort, reading: { watched.contains($0) }
            ) { user, status in
                if names.contains(user), let number = status.firstNumber { here.arrived(user, number) }
            }
            let view = try await BridgeView(matrix)
            try await view.waits(BridgeLoad.patience) { [users] in $0.sessionsOpen == users }
            let opened = opening.duration(to: .now) / .seconds(1)
            try await view.waitsForQuiet(BridgeLoad.patience)
            let agreed = opening.duration(to: .now) / .seconds(1)
            report(try await watchQuiet(before, matrix, view, opened: opened, agreed: agreed))
            report(try await watchChanges(matrix, view, life, here, there))
            await life.leave()
            report(try await watchAbsence(matrix, view, social, ports, socialFolder))
            await streams.close()
            await view.close()
            await matrix.stop()
        } catch {
            await life.leave()
            await matrix.stop()
            throw error
        }
    }

    private var conditions: String {
        "\(users) linked users with a presence stream each at one presenced, bridged over at most "
            + "\(BridgeLoad.connections) connections to the social service of another; each with "
            + "\(BridgeLoad.linkedFriendsOfEach) friends among them; \(worldUsers) ghosts, users of the social "
            + "service alone with \(BridgeLoad.friendsOfWorldUser) of them as friends each; all clients in one other process "
            + "on the same machine, which both servers share"
    }

    private func watchQuiet(
        _ before: Baseline, _ matrix: ServerUnderTest, _ view: BridgeView, opened: Double, agreed: Double
    ) async throws -> Measurement {
        // Everybody is told that everybody came.
        let (fresh, beginning) = (try matrix.use(), ContinuousClock.now)
        try await Task.sleep(for: .seconds(seconds))
        let (first, used, start) = (try await view.look(), try matrix.use(), ContinuousClock.now)
        let freshShare = (used.cpuSeconds - fresh.cpuSeconds) * 100 / (beginning.duration(to: start) / .seconds(1))
        try await Task.sleep(for: .seconds(seconds))
        let (last, use) = (try await view.look(), try matrix.use())
        let duration = start.duration(to: .now) / .seconds(1)
        let share = (use.cpuSeconds - used.cpuSeconds) * 100 / duration
        return Measurement(
            title: "Bridged users of whom nothing changes",
            conditions: conditions
                + "; watched for \(Int(seconds)) s, after as long again in which all were told of all",
            figures: [
                Figure("sessions open", Double(last.sessionsOpen), "of \(users)"),
                Figure("connections", Double(last.connections), ""),
                Figure("from the first stream until all sessions were open", opened, "s"),
                Figure("until friendships were the same on both sides", agreed, "s"),
                Figure("acts in the social service, of which none was called for", Double(last.socialActs), ""),
                Figure("heartbeats", Double(last.heartbeatsTaken - first.heartbeatsTaken) / duration, "/s"),
                Figure("failures", Double(last.failures - first.failures), ""),
                Figure("CPU", share, "% of a core"),
                Figure("CPU before, while all were told of all", freshShare, "% of a core"),
                Figure("CPU without the bridge", before.cpuShare, "% of a core"),
                Figure("memory", use.memoryBytes / 1e6, "MB"),
                Figure("memory without the bridge", before.memoryBytes / 1e6, "MB"),
                Figure("memory, peak", use.peakMemoryBytes / 1e6, "MB"),
                Figure("load of the machine", Machine.load ?? 0, ""),
            ])
    }

    /// Users of the world who have a friend among these change their state; all of the world move.
    private func watchChanges(
        _ matrix: ServerUnderTest, _ view: BridgeView, _ life: SocialWorld, _ here: Crossings, _ there: Crossings
    ) async throws -> Measurement {
        let changing = Array(linked[world.count..<(world.count * BridgeLoad.friendsOfWorldUser)])
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let client = try await SyncClient.connect(to: matrix.clientPort, on: group.next())
        life.move { address, number in
            here.begin("@_social_\(address):\(ServerUnderTest.name)", number)
        }
        let (first, used) = (try await view.look(), try matrix.use())
        let start = ContinuousClock.now
        var count = 0
        while start.duration(to: .now) < .seconds(seconds) {
            let user = changing[count % changing.count]
            let isAway = (count / changing.count).isMultiple(of: 2)
            there.begin(String(user.id.dropFirst().prefix { $0 != ":" }), isAway ? "away" : "online")
            let answer = try await client.ask(
                .PUT, user.statusPath, token: user.token, body: ["presence": .string(isAway ? "unavailable" : "online")]
            ).get()
            guard answer.status == 200 else { throw LabError("a status was answered by \(answer.status)") }
            count += 1
            let due = start + .milliseconds(Int64(Double(count) * 1000 / BridgeLoad.changesPerSecond))
            try await Task.sleep(until: due)
        }
        let (last, use) = (try await view.look(), try matrix.use())
        let duration = start.duration(to: .now) / .seconds(1)
        life.rest()
        // For what is under way.
        try await Task.sleep(for: .seconds(5))
        await client.close()
        try? await group.shutdownGracefully()
        let (outward, inward) = (there.tally, here.tally)
        return Measurement(
            title: "Bridged users, and friends who change",
            conditions: conditions
                + "; \(Int(BridgeLoad.changesPerSecond)) users a second change their state by PUT, from its sending until a "
                + "friend's subscription tells; users of the social service move every \(SocialWorld.interval / .seconds(1)) s "
                + "each, from the heartbeat's sending until a friend's presence stream tells; the damping of 10 s does not "
                + "delay any of these, as each changes less often; watched for \(Int(seconds)) s",
            figures: [
                Figure("changes in Matrix", Double(outward.begun), ""),
                Figure("of them told in the social service", Double(outward.milliseconds.count), ""),
                Figure("Matrix to social, median", outward.delay(0.5), "ms"),
                Figure("Matrix to social, 99 %", outward.delay(0.99), "ms"),
                Figure("Matrix to social, longest", outward.delay(1), "ms"),
                Figure("moves in the social service", Double(inward.begun), ""),
                Figure("of them told in Matrix", Double(inward.milliseconds.count), ""),
                Figure("social to Matrix, median", inward.delay(0.5), "ms"),
                Figure("social to Matrix, 99 %", inward.delay(0.99), "ms"),
                Figure("social to Matrix, longest", inward.delay(1), "ms"),
                Figure("heartbeats", Double(last.heartbeatsTaken - first.heartbeatsTaken) / duration, "/s"),
                Figure("shown in Matrix", Double(last.presented - first.presented) / duration, "/s"),
                Figure("failures", Double(last.failures - first.failures), ""),
                Figure("CPU", (use.cpuSeconds - used.cpuSeconds) * 100 / duration, "% of a core"),
                Figure("memory", use.memoryBytes / 1e6, "MB"),
                Figure("load of the machine", Machine.load ?? 0, ""),
            ])
    }

    /// The social service goes, and comes back at the same place.
    private func watchAbsence(
        _ matrix: ServerUnderTest, _ view: BridgeView, _ social: ServerUnderTest, _ ports: [Int], _ folder: LabFolder
    ) async throws -> Measurement {
        await social.stop()
        try await view.waits(.seconds(60)) { $0.sessionsOpen == 0 }
        let (gone, used) = (try await view.look(), try matrix.use())
        let start = ContinuousClock.now
        try await Task.sleep(for: BridgeLoad.absence)
        let (alone, use) = (try await view.look(), try matrix.use())
        let away = start.duration(to: .now) / .seconds(1)
        let back = try await startSocial(ports, in: folder)
        do {
            let returned = ContinuousClock.now
            let before = try await view.look()
            try await view.waits(BridgeLoad.patience) { [users] in $0.sessionsOpen == users }
            let opened = returned.duration(to: .now) / .seconds(1)
            try await Task.sleep(until: max(.now, returned + .seconds(30)))
            let after = try await view.look()
            let settled = returned.duration(to: .now) / .seconds(1)
            let later = try matrix.use()
            await back.stop()
            return Measurement(
                title: "The social service away, and back",
                conditions: conditions + "; it is stopped for \(Int(away)) s, and started again at the same address",
                figures: [
                    Figure("CPU while it was away", (use.cpuSeconds - used.cpuSeconds) * 100 / away, "% of a core"),
                    Figure("attempts that failed meanwhile", Double(alone.failures - gone.failures), ""),
                    Figure("from its return until all sessions were open", opened, "s"),
                    Figure(
                        "heartbeats from then on",
                        Double(after.heartbeatsTaken - before.heartbeatsTaken) / Double(users) / settled * 30,
                        "a user in 30 s"),
                    Figure("memory, peak", later.peakMemoryBytes / 1e6, "MB"),
                ])
        } catch {
            await back.stop()
            throw error
        }
    }
}

extension String {
    /// The first run of digits.
    fileprivate var firstNumber: String? {
        let digits = drop { !$0.isASCII || !$0.isNumber }.prefix { $0.isASCII && $0.isNumber }
        return digits.isEmpty ? nil : String(digits)
    }
}
