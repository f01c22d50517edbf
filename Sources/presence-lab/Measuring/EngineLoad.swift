import PresenceEngine
import PresenceModel

/// The presence engine alone: devices of many users act and choose, leases and idleness run out, nobody watches.
///
/// Virtual time passes one millisecond every ``eventsPerMillisecond`` events: with few, most users lapse between two
/// of their events and come and go; with many, they are held.
struct EngineLoad {
    static let userCount = 100_000
    /// Users come and go all the time.
    static let coming = 5
    /// Users are held: nobody lapses.
    static let held = 50
    /// Of so many events one is a choice of a status, the others are activity.
    static let choiceEvery = 10

    private let eventsPerMillisecond: Int
    private let keys: [DeviceKey]
    private var engine: PresenceEngine
    private var effects: [PresenceEngine.Effect] = []
    private var chance = SeededGenerator(seed: 1)
    private var now = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
    private var eventCount = 0
    private var deadlineCount = 0
    private var effectCount = 0

    init(eventsPerMillisecond: Int) throws {
        self.eventsPerMillisecond = eventsPerMillisecond
        let server = try ServerName(parsing: "lab.localhost")
        let device = try DeviceID(parsing: "LAB")
        keys = try (0..<EngineLoad.userCount).map { number in
            DeviceKey(user: try UserID(parsing: "@user\(number):lab.localhost"), device: device)
        }
        engine = PresenceEngine(server: server)
        effects = engine.handle(.started, at: now)
    }

    static func measure(seconds: Double, eventsPerMillisecond: Int) throws -> Measurement {
        var load = try EngineLoad(eventsPerMillisecond: eventsPerMillisecond)
        for key in load.keys { load.submit(.deviceActed(key)) }
        let pace = Pace(seconds: seconds)
        load.eventCount = 0
        load.deadlineCount = 0
        load.effectCount = 0
        repeat { for _ in 0..<1024 { load.step() } } while pace.goesOn(after: load.eventCount)
        let elapsed = pace.elapsedSeconds
        return Measurement(
            title: "Presence engine, one core, users \(eventsPerMillisecond == held ? "held" : "coming and going")",
            conditions: "\(EngineLoad.userCount) users, one device each, drawn at random; 90 % deviceActed, 10 % "
                + "statusChosen; \(eventsPerMillisecond) events per virtual ms with the default leases, "
                + "deadlines running; no watchers, effects are counted and dropped",
            figures: [
                Figure("events", Double(load.eventCount) / elapsed, "/s"),
                Figure("nanoseconds per event", elapsed * 1e9 / Double(load.eventCount), "ns"),
                Figure("deadline rounds", Double(load.deadlineCount) / elapsed, "/s"),
                Figure("effects", Double(load.effectCount) / elapsed, "/s"),
            ])
    }

    private mutating func step() {
        let key = keys[Int.random(in: 0..<keys.count, using: &chance)]
        guard eventCount % EngineLoad.choiceEvery == 0 else { return submit(.deviceActed(key)) }
        let state: ChosenState = eventCount % (2 * EngineLoad.choiceEvery) == 0 ? .online : .busy
        submit(.statusChosen(key, state, text: nil))
    }

    private mutating func submit(_ event: PresenceEngine.Event) {
        effects.removeAll(keepingCapacity: true)
        engine.handle(event, at: now, into: &effects)
        eventCount += 1
        effectCount += effects.count
        guard eventCount % eventsPerMillisecond == 0 else { return }
        now = now.advanced(byMilliseconds: 1)
        guard let next = engine.nextDeadline, next <= now else { return }
        effects.removeAll(keepingCapacity: true)
        engine.handle(.deadlineReached, at: now, into: &effects)
        deadlineCount += 1
        effectCount += effects.count
    }
}

/// Ends a loop in time, and in count.
struct Pace {
    private static let countLimit = 500_000_000
    private let start = ContinuousClock.now
    private let seconds: Double

    init(seconds: Double) { self.seconds = seconds }

    var elapsedSeconds: Double { (ContinuousClock.now - start) / .seconds(1) }

    func goesOn(after count: Int) -> Bool { count < Pace.countLimit && elapsedSeconds < seconds }
}
