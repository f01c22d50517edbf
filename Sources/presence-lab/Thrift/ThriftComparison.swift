import FederationEngine
import PresenceModel

/// One day, with presenced and with Synapse.
struct ThriftComparison: Sendable {
    /// What the users have to do with each other.
    enum Scenario: Int, Sendable, CaseIterable {
        /// Contacts share a room of their own, and there are no others.
        case contacts
        /// There are public rooms too, and Synapse pushes to every server in them.
        case rooms
    }

    /// What is asked for.
    struct Plan: Sendable {
        var scale = ThriftScale()
        /// In the second scenario presenced is told of public rooms with up to so many members.
        var roomLimit = 0
        var federation = FederationEngine.Configuration()
    }

    /// What presenced did.
    struct Subscribing: Sendable {
        var tally: ThriftTally
        var causes: ThriftCauseCounts
    }

    /// What Synapse would do.
    struct Pushing: Sendable {
        /// Clients as they are.
        var polling: ThriftTally
        /// Only what users do moves their last activity.
        var silent: ThriftTally
    }

    /// One of the two scenarios, played.
    struct Outcome: Sendable {
        var scenario: Scenario
        var presenced: Subscribing
        var synapse: Pushing
    }

    let plan: Plan
    let population: ThriftPopulation
    let day: ThriftDay
    private(set) var outcomes: [Outcome] = []

    /// Plays all of it, on several threads that have nothing to do with each other.
    static func run(_ plan: Plan) async throws -> ThriftComparison {
        var comparison = ThriftComparison(plan: plan, population: try ThriftPopulation(plan.scale))
        comparison.outcomes = try await comparison.play()
        return comparison
    }

    private init(plan: Plan, population: ThriftPopulation) {
        self.plan = plan
        self.population = population
        day = ThriftDay(of: population)
    }

    private func play() async throws -> [Outcome] {
        async let pushing = Scenario.allCases.map(push)
        async let onLists = subscribe(rooms: [])
        let told = population.rooms.filter { $0.count <= plan.roomLimit }
        let lists = try await onLists
        // Without rooms that it is told of the second scenario is the first one to presenced.
        let inRooms = told.isEmpty ? lists : try subscribe(rooms: told)
        return zip(Scenario.allCases, await pushing).map { scenario, synapse in
            Outcome(scenario: scenario, presenced: scenario == .rooms ? inRooms : lists, synapse: synapse)
        }
    }

    private func subscribe(rooms: [[Int32]]) throws -> Subscribing {
        var servers = try SubscribingServers(
            population, links: ThriftLinks(of: population, rooms: rooms), rooms: rooms, federation: plan.federation)
        servers.play(day)
        return Subscribing(tally: servers.tally, causes: servers.causes)
    }

    private func push(_ scenario: Scenario) -> Pushing {
        let links = ThriftLinks(of: population, rooms: scenario == .rooms ? population.rooms : [])
        var polling = SynapseServers(population, links: links, clients: .polling)
        polling.play(day)
        var silent = SynapseServers(population, links: links, clients: .silent)
        silent.play(day)
        return Pushing(polling: polling.tally, silent: silent.tally)
    }
}
