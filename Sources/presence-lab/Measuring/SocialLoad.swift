import Foundation
import PresenceModel
import SocialTransport
import SocialWire

/// Users who are in the world: each says every 30 s where they are now, and some are told of their friends.
struct SocialLoad: Sendable {
    static let interval = Duration.seconds(30)
    static let friendsOfEach = 50
    /// One in so many is told of friends.
    static let subscribedShare = 5
    /// Friendships under way at once while they are made.
    static let underWay = 60

    var presenced: String
    /// Each with a connection of its own; more than ``friendsOfEach``.
    var users: Int
    /// How long they are watched, beside the first interval.
    var seconds: Double

    func measure() async throws -> [Measurement] {
        Machine.raiseOpenFilesLimit()
        let folder = try LabFolder()
        defer { folder.remove() }
        let people = (0..<users).map { LabUser("user\($0)", at: ServerUnderTest.name) }
        let first = try await start(people, in: folder)
        let making: Result<Measurement, any Error>
        do {
            making = .success(try await befriend(people, at: first))
        } catch {
            making = .failure(error)
        }
        await first.stop()
        let made = try making.get()
        // Anew, so that what making them took does not count.
        let second = try await start(people, in: folder)
        let watching: Result<Measurement, any Error>
        do {
            watching = .success(try await watch(people, at: second))
        } catch {
            watching = .failure(error)
        }
        await second.stop()
        return [made, try watching.get()]
    }

    private func start(_ people: [LabUser], in folder: LabFolder) async throws -> ServerUnderTest {
        let settings = """
            social:
              enabled: true
              rate_limit: { per_second: 0 }
              requests_from_user: 1000
              requests_to_user: 1000
              requests_per_hour: 100000
              message_limit: 128
              newcomers_per_minute: 100000000
              connections: 1000000
            """
        return try await ServerUnderTest.start(presenced: presenced, in: folder, users: people, settings: settings)
    }

    // MARK: Friendships

    /// Who is friends with `user`: so many of those around, on a ring that steps far.
    private func friends(of user: Int) -> [Int] {
        (1...(SocialLoad.friendsOfEach / 2)).map { (user + $0 * stride) % users }
    }

    /// Friends are not neighbours in memory.
    private var stride: Int {
        var stride = users / 3 | 1
        while SocialLoad.divisor(stride, users) != 1 { stride += 2 }
        return stride
    }

    private static func divisor(_ one: Int, _ other: Int) -> Int { other == 0 ? one : divisor(other, one % other) }

    private func befriend(_ people: [LabUser], at server: ServerUnderTest) async throws -> Measurement {
        let client = try await SocialLoadClient.connect(to: server.clientPort)
        let before = try server.use()
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            var started = 0
            for user in people.indices {
                for friend in friends(of: user) {
                    if started >= SocialLoad.underWay { try await group.next() }
                    started += 1
                    group.addTask {
                        try await client.act(as: people[user], towards: people[friend], isRequest: true)
                        try await client.act(as: people[friend], towards: people[user], isRequest: false)
                    }
                }
            }
            try await group.waitForAll()
        }
        let duration = start.duration(to: .now) / .seconds(1)
        let after = try server.use()
        await client.close()
        let count = Double(users * SocialLoad.friendsOfEach / 2)
        return Measurement(
            title: "Friendships, asked for and accepted",
            conditions:
                "\(Int(count)) pairs among \(users) users, each a REQUEST and an ACCEPT, on disk before they are "
                + "answered; over one connection, \(SocialLoad.underWay) under way at once; the client in another process "
                + "on the same machine",
            figures: [
                Figure("friendships", count / duration, "/s"),
                Figure("CPU of each", (after.cpuSeconds - before.cpuSeconds) * 1e6 / count, "µs"),
                Figure("memory with all of them", after.memoryBytes / 1e6, "MB"),
            ])
    }

    // MARK: Heartbeats

    private func watch(_ people: [LabUser], at server: ServerUnderTest) async throws -> Measurement {
        let before = try server.use()
        let crowd = SocialCrowd(people: people, port: server.clientPort)
        try await crowd.connect()
        let connected = try server.use()
        let told = try await crowd.subscribe(each: SocialLoad.subscribedShare)
        // Everyone comes, which is told as well, and is not what is measured.
        let beats = crowd.startBeating(each: SocialLoad.interval)
        defer { beats.cancel() }
        try await Task.sleep(for: SocialLoad.interval + .seconds(2))
        crowd.delays.start()
        let start = ContinuousClock.now
        let watched = try server.use()
        try await Task.sleep(for: .seconds(seconds))
        let duration = start.duration(to: .now) / .seconds(1)
        let after = try server.use()
        let figures = crowd.delays.stop()
        beats.cancel()
        await crowd.close()
        return Measurement(
            title: "Users in the world, and friends who are told",
            conditions:
                "\(users) users with a connection each, who say every 30 s where they are, each time elsewhere; "
                + "\(SocialLoad.friendsOfEach) friends each; \(told) of them subscribed to their friends' presence; "
                + "watched for \(Int(seconds)) s; delay from the heartbeat's sending to the update's arrival; all clients "
                + "in one other process on the same machine",
            figures: [
                Figure("heartbeats", Double(figures.heartbeats) / duration, "/s"),
                Figure("heartbeats that failed", Double(figures.failures), ""),
                Figure("updates", Double(figures.milliseconds.count) / duration, "/s"),
                Figure(
                    "updates to be expected",
                    Double(figures.heartbeats * SocialLoad.friendsOfEach)
                        / Double(SocialLoad.subscribedShare) / duration, "/s"),
                Figure("CPU", (after.cpuSeconds - watched.cpuSeconds) * 100 / duration, "% of a core"),
                Figure("delay, median", figures.delay(0.5), "ms"),
                Figure("delay, 99 %", figures.delay(0.99), "ms"),
                Figure("delay, longest", figures.delay(1), "ms"),
                Figure("memory before", before.memoryBytes / 1e6, "MB"),
                Figure("memory with all connected", connected.memoryBytes / 1e6, "MB"),
                Figure("memory", after.memoryBytes / 1e6, "MB"),
                Figure("memory, peak", after.peakMemoryBytes / 1e6, "MB"),
                Figure("load of the machine", Machine.load ?? 0, ""),
            ])
    }
}
