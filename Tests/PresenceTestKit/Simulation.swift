import FederationEngine
import PresenceEngine
import PresenceModel

extension World {
    /// Counts since the beginning of the world.
    public struct Tally: Hashable, Sendable {
        /// Events that engines took.
        public var steps = 0
        /// Transactions on the network, retries included.
        public var transactions = 0
        /// States in them.
        public var states = 0
        /// Permissions in them.
        public var permissions = 0
        /// Wakes of streams.
        public var wakes = 0
        /// Users shown to clients.
        public var sightings = 0
        /// Servers killed.
        public var kills = 0
        /// Reminders in transactions on the network, retries included.
        public var reminders = 0
        /// Reminders that agreed with what was held, compared with the truth.
        public var views = 0
        /// Times that a server was held to be silent.
        public var silences = 0

        /// Nothing happened yet.
        public init() {}
    }
}

/// What came of one simulated world.
public struct SimulationReport: Hashable, Sendable {
    /// The seed it came from.
    public var seed: UInt64
    /// Of all effects in their order: equal in every process for one seed and one version of the engines.
    public var digest: UInt64
    /// What happened.
    public var tally: World.Tally
    /// What should never be; see ``World/faults``.
    public var faults: [String]
    /// Who saw something else than the truth after the network healed; see ``World/disagreements``.
    public var disagreements: [String]

    /// Nothing is wrong.
    public var isClean: Bool { faults.isEmpty && disagreements.isEmpty }
}

extension SimulationReport: CustomStringConvertible {
    /// One line, and one for everything that is wrong.
    public var description: String {
        let digits = String(digest, radix: 16)
        let padded = String(repeating: "0", count: 16 - digits.count) + digits
        let first =
            "seed \(seed) digest \(padded) steps \(tally.steps) transactions \(tally.transactions) "
            + "states \(tally.states) permissions \(tally.permissions) wakes \(tally.wakes) "
            + "sightings \(tally.sightings) kills \(tally.kills) reminders \(tally.reminders) "
            + "views \(tally.views) silences \(tally.silences)"
        let wrongs = faults.map { "fault: \($0)" } + disagreements.map { "disagreement: \($0)" }
        return ([first] + wrongs).joined(separator: "\n")
    }
}

/// Whole worlds, one call each.
public enum Simulation {
    /// Lets the world of `seed` run for `hours`, heals it, lets it run a little more, waits until it is calm, and says
    /// what came of it.
    public static func run(seed: UInt64, hours: Double, servers: Int = 2) throws -> SimulationReport {
        try run(seed: seed, hours: hours, servers: servers, presence: nil, federation: nil)
    }

    /// As ``run(seed:hours:servers:)``, with engines that are broken on purpose.
    /// - Parameter trace: takes every step of every engine, when all is over.
    package static func run(
        seed: UInt64, hours: Double, servers: Int = 2, presence: PresenceEngine.Canary?,
        federation: FederationEngine.Canary?, trace: ((String) -> Void)? = nil
    ) throws -> SimulationReport {
        var world = try World(seed: seed, servers: servers) { climate in
            climate.presence.canary = presence
            climate.federation.canary = federation
        }
        world.isTraced = trace != nil
        defer { for line in world.trace { trace?(line) } }
        world.run(for: .milliseconds(Int64(hours * 3_600_000)))
        if trace != nil { world.trace.append("\(world.now) heals: \(world.climate)") }
        world.heal()
        // What is said late has no renewal to hide behind.
        world.run(for: .minutes(1))
        world.calmDown()
        let disagreements = world.faults.isEmpty ? world.disagreements : []
        return SimulationReport(
            seed: seed, digest: world.digest.value, tally: world.tally, faults: world.faults,
            disagreements: disagreements)
    }
}
