import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime

/// One server, three times over, with one history. Then its user Alice goes: hidden in the first, offline in the second,
/// and in the third she goes offline and does nothing any more. What follows she does in the first and the second alike,
/// all others do in all three, and time passes in all three.
///
/// Nobody but Alice may notice a difference: what others' streams are woken for and told, what they are answered, what
/// leaves for the other server, all of it as values, and when. ``differences`` says what somebody could notice.
public struct HiddenWorld: Sendable {
    /// How Alice goes.
    public enum Departure: Hashable, Sendable, CaseIterable {
        /// From whatever she was: hidden with a text, offline without.
        case fromSight
        /// She is offline already, with a text that others see: hidden with another, offline with the same; the third
        /// time not even that.
        case fromOffline
        /// She was in the world alone, and the social side was lost: as the one before.
        case fromLoss
    }

    struct Variant: Sendable {
        var instance: PresenceInstance
        var journal = SimulatedJournal()
        var boot: UInt64 = 1
        /// Where the others stand: their clients see the numbers.
        var positions: [UserID: PresenceEngine.Position] = [:]
    }

    /// What somebody could notice, in order; the world stops at the first.
    public private(set) var differences: [String] = []
    /// Steps taken after Alice went.
    public private(set) var steps = 0

    var generator: SeededGenerator
    var configuration: PresenceEngine.Configuration
    var variants: [Variant] = []
    var now = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
    let cast: HiddenCast
    private var underway: [(transaction: OutgoingTransaction, at: Instant)] = []
    /// Of the others; the numbers of Alice's begin at 1,000.
    var streams: [UserID: StreamID] = [:]
    var streamCount: UInt64 = 0
    var aliceStreams: [StreamID] = []
    var aliceStreamCount: UInt64 = 1_000
    var heardCount = 0

    /// - Parameter canary: a fault on purpose.
    package init(seed: UInt64, canary: PresenceEngine.Canary?) throws {
        generator = SeededGenerator(seed: seed)
        cast = try HiddenCast()
        configuration = PresenceEngine.Configuration()
        configuration.canary = canary
        if generator.happens(300) { configuration.idleAfter = .minutes(1) }
        if generator.happens(300) { configuration.busyEndsAfter = .minutes(10) }
        for _ in 0..<3 { variants.append(Variant(instance: instance(boot: 1))) }
        for variant in variants.indices {
            let effects = variants[variant].instance.start(from: PresenceInstance.Snapshot(), at: now)
            variants[variant].journal.append(World.records(in: effects), at: now)
        }
    }

    /// Plays the world of `seed`.
    public static func differences(seed: UInt64, _ departure: Departure, steps: Int = 60) throws -> [String] {
        try differences(seed: seed, departure, steps: steps, canary: nil)
    }

    /// As ``differences(seed:_:steps:)``, with an engine that is broken on purpose.
    package static func differences(
        seed: UInt64, _ departure: Departure, steps: Int, canary: PresenceEngine.Canary?
    ) throws -> [String] {
        var world = try HiddenWorld(seed: seed, canary: canary)
        world.settleIn()
        world.depart(departure)
        while world.differences.isEmpty, world.steps < steps {
            world.steps += 1
            world.pass(world.pause())
            world.actAfterwards()
        }
        return world.differences
    }

    private func instance(boot: UInt64) -> PresenceInstance {
        PresenceInstance(
            presence: PresenceEngine(server: cast.here, configuration: configuration),
            federation: FederationEngine(server: cast.here, boot: boot, seed: boot))
    }

    // MARK: Steps

    /// The same in all variants.
    mutating func perform(_ event: PresenceEngine.Event) { handle(variants.map { _ in .presence(event) }) }

    /// Not the same in all: `nil` is nothing.
    mutating func perform(_ events: [PresenceEngine.Event?]) {
        handle(events.map { $0.map { PresenceInstance.Event.presence($0) } })
    }

    /// Whoever begins to listen is told everything: what they were told before is of no use to them.
    mutating func listen(_ user: UserID) {
        streamCount += 1
        for variant in variants.indices { variants[variant].positions[user] = nil }
        perform(.streamOpened(StreamID(streamCount), cast.device(of: user), .online))
        streams[user] = StreamID(streamCount)
    }

    mutating func hear(_ messages: [PresenceMessage], _ permissions: [PermissionMessage] = []) {
        heardCount += 1
        let event = FederationEngine.Event.received(
            from: cast.there, transaction: "t\(heardCount)", messages, permissions: permissions)
        handle(variants.map { _ in .federation(event) })
    }

    private mutating func handle(_ events: [PresenceInstance.Event?]) {
        var told: [[PresenceInstance.Effect]] = []
        for variant in variants.indices {
            guard let event = events[variant] else {
                told.append([])
                continue
            }
            let effects = variants[variant].instance.handle(event, at: now)
            variants[variant].journal.append(World.records(in: effects), at: now)
            told.append(effects.filter(isNoticed))
        }
        compare(told, after: "\(events)")
    }

    /// Wakes of Alice's own streams, and what goes to the disk, nobody notices.
    private func isNoticed(_ effect: PresenceInstance.Effect) -> Bool {
        switch effect {
        case .wake(let stream): stream.number < 1_000
        case .send, .standingChanged: true
        case .save, .localViewed: false
        }
    }

    /// Every deadline of any variant on the way, and every answer of the other server.
    mutating func pass(_ duration: Duration) {
        let end = now + duration
        while differences.isEmpty {
            let deadlines = variants.compactMap(\.instance.nextDeadline) + underway.map(\.at)
            guard let next = deadlines.min(), next <= end else { break }
            now = max(now, next)
            handle(
                variants.map { variant in
                    variant.instance.nextDeadline.map { $0 <= now } ?? false ? .deadlineReached : nil
                })
            let answered = underway.filter { $0.at <= now }
            underway.removeAll { $0.at <= now }
            for (transaction, _) in answered {
                let event = FederationEngine.Event.delivered(
                    to: transaction.destination, transaction: transaction.id)
                handle(variants.map { _ in .federation(event) })
            }
        }
        now = end
    }

    /// All three fall and come back at once, with what they saved.
    mutating func restart() {
        underway = []
        streams = [:]
        aliceStreams = []
        var told: [[PresenceInstance.Effect]] = []
        for variant in variants.indices {
            variants[variant].journal.settle()
            variants[variant].boot += 1
            variants[variant].positions = [:]
            variants[variant].instance = instance(boot: variants[variant].boot)
            let snapshot = variants[variant].journal.snapshot
            let effects = variants[variant].instance.start(from: snapshot, at: now)
            variants[variant].journal.append(World.records(in: effects), at: now)
            told.append(effects.filter(isNoticed))
        }
        compare(told, after: "a restart")
    }

    // MARK: What others notice

    private mutating func compare(_ told: [[PresenceInstance.Effect]], after event: String) {
        guard differences.isEmpty else { return }
        let names = ["hidden", "offline", "gone"]
        for variant in 1..<variants.count where told[variant] != told[0] {
            differences.append("\(now) \(event): \(names[0]) \(told[0]), \(names[variant]) \(told[variant])")
        }
        for case .send(let transaction) in told[0] {
            underway.append((transaction, now.advanced(byMilliseconds: 40)))
        }
        let views = variants.map(notices)
        for variant in 1..<variants.count where views[variant] != views[0] {
            let pairs = zip(views[0], views[variant]).filter { $0 != $1 }
            differences.append("\(now) \(event): \(names[0]) and \(names[variant]): \(pairs.map { [$0, $1] })")
        }
        for user in cast.others where generator.happens(300) {
            for variant in variants.indices {
                let changes = variants[variant].instance.presence.changes(
                    for: user, after: variants[variant].positions[user])
                variants[variant].positions[user] = changes.position
            }
        }
    }

    /// All that others can learn at this moment by asking.
    private func notices(in variant: Variant) -> [String] {
        let engine = variant.instance.presence
        var found: [String] = []
        for user in cast.others {
            if streams[user] != nil {
                let changes = engine.changes(for: user, after: variant.positions[user])
                found.append("\(user) is told \(changes.sightings), \(String(describing: changes.own))")
                found.append("\(user) stands at \(changes.position)")
            }
            for other in cast.others + [cast.alice] {
                found.append("\(user) sees \(other): \(engine.presence(of: other, seenBy: user))")
            }
            found.append("\(user) may write: \(String(describing: engine.mayContact(from: user, to: cast.alice)))")
            found.append("\(user) has \(engine.list(of: user))")
        }
        for user in cast.strangers {
            found.append("\(user) may write: \(String(describing: engine.mayContact(from: user, to: cast.alice)))")
            found.append("\(user) is \(String(describing: engine.knowledge(of: user)))")
        }
        return found
    }
}

extension World {
    /// What a step ordered to be kept.
    static func records(in effects: [PresenceInstance.Effect]) -> [PresenceInstance.Record] {
        effects.compactMap { effect in
            guard case .save(let record) = effect else { return nil }
            return record
        }
    }
}
