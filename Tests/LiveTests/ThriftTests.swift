import FederationEngine
import PresenceModel
import Testing

@testable import MatrixFederation
@testable import presence_lab

/// How much is sent on a day. Full size: `presence-lab simulate --thrift`.
struct `A day of many servers` {
    private static let scale = ThriftScale(servers: 10, users: 1000, hours: 2, seed: 7)

    private static func comparison(_ change: (inout ThriftComparison.Plan) -> Void = { _ in }) async throws
        -> ThriftComparison
    {
        var plan = ThriftComparison.Plan()
        plan.scale = scale
        change(&plan)
        return try await ThriftComparison.run(plan)
    }

    @Test(.timeLimit(.minutes(2))) func `is the same day in every process`() async throws {
        let arguments = ["simulate", "--thrift", "--servers", "6", "--users", "300", "--hours", "2", "--seed", "3"]
        var texts: [String] = []
        for _ in 0..<2 {
            let child = try Child(Scene.presenceLab, arguments)
            #expect(await child.end() == 0)
            texts.append(child.text)
        }
        #expect(texts[0] == texts[1])
        #expect(texts[0].contains("digest"))
        let other = try Child(Scene.presenceLab, arguments.dropLast() + ["4"])
        #expect(await other.end() == 0)
        #expect(other.text != texts[0])
    }

    @Test func `is counted once, transaction by transaction`() async throws {
        let comparison = try await `A day of many servers`.comparison()
        #expect(comparison.outcomes.map(\.scenario) == [.contacts, .rooms])
        for outcome in comparison.outcomes {
            for tally in [outcome.presenced.tally, outcome.synapse.polling, outcome.synapse.silent] {
                #expect(tally.transactions > 100)
                #expect(tally.edus >= tally.transactions, "a transaction without an EDU")
                #expect(tally.states <= 50 * tally.edus)
                #expect(tally.bodyBytes > 100 * tally.transactions && tally.aroundBytes > 300 * tally.transactions)
            }
            let causes = outcome.presenced.causes
            let lines = ThriftCause.allCases.map { causes[$0] }
            #expect(lines.reduce(0) { $0 + $1.transactions } == outcome.presenced.tally.transactions)
            #expect(lines.reduce(0) { $0 + $1.states } == outcome.presenced.tally.states)
            #expect(lines.reduce(0) { $0 + $1.bytes } == outcome.presenced.tally.bytes)
            #expect(causes[.other].transactions == 0)
        }
    }

    @Test func `shows every change within the stretch of a batch and the way of two transactions`() async throws {
        let comparison = try await `A day of many servers`.comparison()
        let stretch = FederationEngine.Configuration().batchStretch.inMilliseconds
        // One under way when the batch closes, its answer, and the batch itself.
        let way = 3 * Int64(comparison.population.latencies.max() ?? 0) + SubscribingServers.answerMilliseconds
        for outcome in comparison.outcomes {
            let staleness = outcome.presenced.tally.staleness
            #expect(staleness.shown > 20)
            #expect(staleness.longestMilliseconds <= stretch + way)
            #expect(outcome.synapse.polling.staleness.longestMilliseconds < 5000)
            // The same observers look at the same changes.
            let seen = [staleness, outcome.synapse.polling.staleness].map { $0.shown + $0.superseded + $0.unseen }
            #expect(abs(Double(seen[0]) - Double(seen[1])) <= 0.1 * Double(seen[1]) + 5)
        }
    }

    @Test func `costs presenced less than Synapse where there are public rooms`() async throws {
        let comparison = try await `A day of many servers`.comparison { $0.scale.users = 3000 }
        let outcome = try #require(comparison.outcomes.last)
        #expect(outcome.presenced.tally.bytes < outcome.synapse.silent.bytes)
        #expect(outcome.presenced.tally.transactions < outcome.synapse.silent.transactions)
        #expect(outcome.synapse.polling.transactions < outcome.synapse.silent.transactions)
        let contacts = comparison.outcomes[0].synapse.polling
        #expect(contacts.transactions < outcome.synapse.polling.transactions)
    }

    @Test func `costs fewer transactions with a longer window`() async throws {
        let usual = try await `A day of many servers`.comparison()
        let patient = try await `A day of many servers`.comparison { $0.federation.batchWindow = .seconds(60) }
        let causes = [usual, patient].map { $0.outcomes[0].presenced.causes[.changes] }
        #expect(causes[1].transactions < causes[0].transactions)
    }

    /// `Fixtures/Matrix/soak_federation.jsonl`: one request held open for 12 minutes (anna), and a client that asks
    /// anew all the time (alice, who has no program that says when she is away).
    @Test func `makes Synapse send what was recorded of it`() throws {
        let population = try ThriftPopulation(ThriftScale(servers: 2, users: 40, hours: 1.05, seed: 1))
        let links = ThriftLinks(of: population, rooms: [])
        let user = try #require(population.users.indices.first { links.links(of: $0).count == 1 })
        func sent(_ clients: SynapseServers.Clients, _ acts: [(minutes: Double, ThriftAct.Kind)]) -> UInt64 {
            let day = ThriftDay(acts.map { ThriftAct(at: UInt32($0.minutes * 60_000), user: Int32(user), kind: $0.1) })
            var servers = SynapseServers(population, links: links, clients: clients)
            servers.play(day)
            return servers.tally.transactions
        }
        // Online, no longer active after one minute, unavailable after five, offline.
        #expect(sent(.silent, [(0.01, .opens), (12, .closes)]) == 4)
        // Online, and again after 25 and 50 minutes, as somebody does something now and then.
        let busy = stride(from: 0.5, to: 63, by: 4).map { ($0, ThriftAct.Kind.acts) }
        #expect(sent(.polling, [(0.01, .opens)] + busy) == 3)
        #expect(sent(.polling, [(0.01, .opens), (3, .acts), (4, .closes), (4.4, .opens), (6, .closes)]) == 2)
    }

    @Test func `counts the bytes that leave`() throws {
        var message = PresenceMessage()
        let user = try UserID(parsing: "@alice:lab.localhost")
        let presence = Presence(
            state: .busy, statusText: "on the phone", lastActive: Instant(millisecondsSinceEpoch: 1_700_000_000_000),
            deviceType: try DeviceType(parsing: "mobile"))
        message.push = [PresenceMessage.Report(user: user, presence: presence)]
        message.poll = [try UserID(parsing: "@bob:living.localhost")]
        message.unpoll = [try UserID(parsing: "@carol:living.localhost")]
        message.watch = message.unpoll
        message.query = message.poll
        message.promise = .minutes(65)
        message.reminder = .init(
            promised: .init(count: 1, digest: 255), held: .init(count: 2, digest: .max), isComplete: true)
        let composed = Instant(millisecondsSinceEpoch: 1_700_000_100_000)
        #expect(
            message.wireForm(composed: composed)
                == message.edu(composed: composed, ageGranularityMilliseconds: 60_000))
        // As `presence-lab measure --flood` saw it, and the answer.
        let around = ThriftOverhead.presenced(
            transaction: "pd-1-100", bodyBytes: 300, from: try ServerName(parsing: "lab.localhost"),
            to: try ServerName(parsing: "living.localhost"))
        #expect(around == 350 + 82)
    }
}
