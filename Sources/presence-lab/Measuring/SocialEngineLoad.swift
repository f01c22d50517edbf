import Foundation
import PresenceModel
import PresenceRuntime
import SocialEngine
import SocialService

/// The social service without its wire: users with friends send a heartbeat every 30 s, most of them from somewhere
/// else, and some are subscribed.
///
/// First the engine alone, as fast as it can; then the actor with its subscribers, each reading in a task of its own.
struct SocialEngineLoad {
    static let userCount = 10_000
    static let friendsPerUser = 50
    static let subscriberCount = 2_000
    /// Of so many heartbeats one is from the same place as before.
    static let stillEvery = 5
    /// Heartbeats of all users in a second.
    static let paceInSeconds = Double(userCount) / 30

    private var configuration = SocialEngine.Configuration()
    private let users: [SocialAddress]
    private var chance = SeededGenerator(seed: 1)

    private init() throws {
        users = try (0..<SocialEngineLoad.userCount).map { number in
            let digits = String(number, radix: 16)
            return try SocialAddress(parsing: "0x" + String(repeating: "0", count: 40 - digits.count) + digits)
        }
        configuration.makesRooms = false
    }

    static func measure(seconds: Double) async throws -> [Measurement] {
        var load = try SocialEngineLoad()
        let snapshot = load.population()
        return [
            load.measureEngine(snapshot, seconds: seconds),
            try await load.measureRuntime(snapshot, seconds: seconds),
        ]
    }

    /// A ring in which everybody is friends with the 25 on either side.
    private func population() -> SocialEngine.Snapshot {
        var snapshot = SocialEngine.Snapshot()
        var friendship = Friendship()
        friendship.state = .friends
        friendship.revision = 2
        for number in users.indices {
            for step in 1...SocialEngineLoad.friendsPerUser / 2 {
                guard let pair = SocialPair(users[number], users[(number + step) % users.count]) else { continue }
                snapshot.friendships.append((pair, friendship))
            }
        }
        return snapshot
    }

    private mutating func heartbeat(_ number: Int) -> SocialEngine.Event {
        let isStill = number % SocialEngineLoad.stillEvery == 0
        let x = isStill ? 0 : Int32.random(in: -150...150, using: &chance)
        let whereabouts = Whereabouts(realm: "main", parcel: Whereabouts.Parcel(x: x, y: 0))
        return .heartbeatReceived(
            users[number], SocialSessionID(UInt64(number + 1)), isAway: false, whereabouts)
    }

    private var conditions: String {
        "\(SocialEngineLoad.userCount) users with \(SocialEngineLoad.friendsPerUser) friends each, "
            + "\(SocialEngineLoad.subscriberCount) subscribed; four of five heartbeats from another place"
    }

    private mutating func measureEngine(_ snapshot: SocialEngine.Snapshot, seconds: Double) -> Measurement {
        var engine = SocialEngine(process: 1, configuration: configuration)
        let loading = ContinuousClock().measure { engine.restore(snapshot) }
        var now = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
        var effects: [SocialEngine.Effect] = []
        for number in users.indices { engine.handle(heartbeat(number), at: now, into: &effects) }
        let step = users.count / SocialEngineLoad.subscriberCount
        for number in 0..<SocialEngineLoad.subscriberCount {
            let id = SocialSubscriptionID(UInt64(number + 1))
            let session = SocialSessionID(UInt64(number * step + 1))
            engine.handle(.presenceSubscribed(id, by: users[number * step], session), at: now, into: &effects)
            engine.handle(.subscriberReady(id), at: now, into: &effects)
        }
        // The snapshots were taken.
        effects.removeAll()
        for number in 0..<SocialEngineLoad.subscriberCount {
            engine.handle(.subscriberReady(SocialSubscriptionID(UInt64(number + 1))), at: now, into: &effects)
        }
        var (beats, shown, busy) = (0, 0, Duration.zero)
        var taken: [SocialEngine.Effect] = []
        let pace = Pace(seconds: seconds)
        repeat {
            let events = (0..<1000).map { heartbeat((beats + $0) % users.count) }
            busy += ContinuousClock().measure {
                for event in events {
                    effects.removeAll(keepingCapacity: true)
                    engine.handle(event, at: now, into: &effects)
                    // Whoever got something takes it, and waits for the next.
                    for case .showPresence(let id, let batch) in effects {
                        shown += batch.sightings.count
                        engine.handle(.subscriberReady(id), at: now, into: &taken)
                    }
                    beats += 1
                }
                now = now.advanced(byMilliseconds: 3000)
                engine.handle(.deadlineReached, at: now, into: &effects)
            }
        } while pace.goesOn(after: beats)
        let each = busy / .seconds(1) / Double(beats)
        return Measurement(
            title: "Social engine, one core", conditions: conditions + "; as fast as it goes, in virtual time",
            figures: [
                Figure("loading", loading / .milliseconds(1), "ms"),
                Figure("microseconds per heartbeat", each * 1e6, "µs"),
                Figure("sightings per heartbeat", Double(shown) / Double(beats), ""),
                Figure(
                    "share of a core at \(Int(SocialEngineLoad.paceInSeconds)) heartbeats/s",
                    each * SocialEngineLoad.paceInSeconds * 100, "%"),
            ])
    }

    private mutating func measureRuntime(
        _ snapshot: SocialEngine.Snapshot, seconds: Double
    ) async throws -> Measurement {
        let runtime = SocialRuntime(
            engine: SocialEngine(process: 1, configuration: configuration),
            clock: AnchoredClock(wallMilliseconds: 1_700_000_000_000), journal: NoJournal())
        await runtime.start(from: snapshot)
        for number in users.indices { await runtime.submit(heartbeat(number)) }
        let step = users.count / SocialEngineLoad.subscriberCount
        var readers: [Task<Int, Never>] = []
        for number in 0..<SocialEngineLoad.subscriberCount {
            let session = SocialSessionID(UInt64(number * step + 1))
            let updates = await runtime.presenceUpdates(for: users[number * step], on: session)
            readers.append(
                Task {
                    var count = 0
                    for await batch in updates where !batch.isSnapshot { count += batch.sightings.count }
                    return count
                })
        }
        let memory = ProcessUse.residentBytes
        let before = processorSeconds()
        let clock = ContinuousClock()
        let start = clock.now
        var beats = 0
        while clock.now - start < .seconds(seconds) {
            await runtime.submit(heartbeat(beats % users.count))
            beats += 1
            try await Task.sleep(until: start + .seconds(Double(beats) / SocialEngineLoad.paceInSeconds))
        }
        let spent = processorSeconds() - before
        await runtime.stop()
        var shown = 0
        for reader in readers { shown += await reader.value }
        return Measurement(
            title: "Social runtime, at its pace",
            conditions: conditions
                + "; \(Int(SocialEngineLoad.paceInSeconds)) heartbeats/s, a task for each subscriber",
            figures: [
                Figure("heartbeats", Double(beats) / seconds, "/s"),
                Figure("sightings", Double(shown) / seconds, "/s"),
                Figure("processor time", spent / seconds * 100, "% of a core"),
                Figure("memory", Double(memory) / 1_000_000, "MB"),
            ])
    }
}

private func processorSeconds() -> Double {
    ProcessUse(pid: ProcessInfo.processInfo.processIdentifier)?.cpuSeconds ?? 0
}

/// Everything is written at once, nowhere.
private struct NoJournal: SocialJournal {
    func write(_ records: [SocialEngine.Record]) async throws {}
}
