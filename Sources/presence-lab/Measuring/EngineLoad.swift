import PresenceEngine
import PresenceModel

/// The presence engine alone: devices of many users act and choose, leases and idleness run out, nobody watches.
///
/// Virtual time passes one millisecond every ``eventsPerMillisecond`` events: with few, most users lapse between two
/// of their events and come and go; with many, they are held. Only the engine's time counts: each round of events is
/// made beforehand, with identifiers parsed from text, as they come off the wire.
struct EngineLoad {
    static let userCount = 100_000
    static let devicesPerUser = 2
    /// Users come and go all the time.
    static let coming = 5
    /// Users are held: nobody lapses.
    static let held = 50
    /// Of so many events one is a choice of a status, the others are activity.
    static let choiceEvery = 10
    private static let round = 1024

    private let eventsPerMillisecond: Int
    private let devices: [DeviceID]
    private var engine: PresenceEngine
    private var effects: [PresenceEngine.Effect] = []
    private var events: [PresenceEngine.Event] = []
    private var chance = SeededGenerator(seed: 1)
    private var now = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
    private var eventCount = 0
    private var deadlineCount = 0
    private var effectCount = 0

    init(eventsPerMillisecond: Int) throws {
        self.eventsPerMillisecond = eventsPerMillisecond
        devices = try (0..<EngineLoad.devicesPerUser).map { try DeviceID(parsing: "LAB\($0)") }
        engine = PresenceEngine(server: try ServerName(parsing: "lab.localhost"))
        effects = engine.handle(.started, at: now)
    }

    static func measure(seconds: Double, eventsPerMillisecond: Int) throws -> Measurement {
        var load = try EngineLoad(eventsPerMillisecond: eventsPerMillisecond)
        for user in 0..<userCount { for device in load.devices { load.submit(.deviceActed(try key(user, device))) } }
        load.eventCount = 0
        load.deadlineCount = 0
        load.effectCount = 0
        let pace = Pace(seconds: seconds)
        var busy = Duration.zero
        repeat {
            try load.prepare()
            busy += ContinuousClock().measure { load.run() }
        } while pace.goesOn(after: load.eventCount)
        let elapsed = busy / .seconds(1)
        return Measurement(
            title: "Presence engine, one core, users \(eventsPerMillisecond == held ? "held" : "coming and going")",
            conditions: "\(userCount) users, \(devicesPerUser) devices each, drawn at random; 90 % deviceActed, 10 % "
                + "statusChosen; \(eventsPerMillisecond) events per virtual ms with the default leases, "
                + "deadlines running; no watchers, effects are counted and dropped; events are made beforehand, "
                + "\(round) at a time",
            figures: [
                Figure("events", Double(load.eventCount) / elapsed, "/s"),
                Figure("nanoseconds per event", elapsed * 1e9 / Double(load.eventCount), "ns"),
                Figure("deadline rounds", Double(load.deadlineCount) / elapsed, "/s"),
                Figure("effects", Double(load.effectCount) / elapsed, "/s"),
            ])
    }

    static func key(_ user: Int, _ device: DeviceID) throws -> DeviceKey {
        DeviceKey(user: try UserID(parsing: "@user\(user):lab.localhost"), device: device)
    }

    private mutating func prepare() throws {
        events.removeAll(keepingCapacity: true)
        for number in 0..<EngineLoad.round {
            let device = devices[Int.random(in: devices.indices, using: &chance)]
            let key = try EngineLoad.key(Int.random(in: 0..<EngineLoad.userCount, using: &chance), device)
            guard number % EngineLoad.choiceEvery == 0 else {
                events.append(.deviceActed(key))
                continue
            }
            let state: ChosenState = number % (2 * EngineLoad.choiceEvery) == 0 ? .online : .busy
            events.append(.statusChosen(key, state, text: nil))
        }
    }

    private mutating func run() {
        for event in events { submit(event) }
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
