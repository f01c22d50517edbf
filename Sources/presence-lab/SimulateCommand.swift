import ArgumentParser
import PresenceTestKit

/// `presence-lab simulate`: servers, users and a bad network out of a seed, compared with a naive model at every step.
/// With `--thrift`: a day of many servers, compared with what Synapse would send (`Spec/Thrift.md`).
///
/// The digest is over every effect in its order: two processes with one seed print the same.
struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Play a seed of the simulated world.")

    @Option(help: "The first seed.")
    var seed: UInt64 = 1

    @Option(help: "How many seeds, one after the other.")
    var seeds: UInt64 = 1

    @Option(help: "Hours of simulated time for each; 1, with --thrift 24.")
    var hours: Double?

    @Option(help: "Servers in the world; 2, with --thrift 200.")
    var servers: Int?

    @Flag(help: "How much is sent on a day, by presenced and by a model of Synapse.")
    var thrift = false

    @Option(help: "With --thrift: users of all servers together.")
    var users = 100_000

    @Option(help: "With --thrift: presenced is told of public rooms with up to so many members.")
    var roomsUpTo = 0

    @Option(help: "With --thrift: the share of users who sit at a desk for hours, 0 to 1.")
    var deskShare = 0.45

    @Option(help: "With --thrift: federation.batch.window in seconds.")
    var window: Int?

    @Option(help: "With --thrift: federation.unpoll_grace in seconds.")
    var grace: Int?

    func validate() throws {
        if thrift {
            guard (2...1000).contains(servers ?? 200), (servers ?? 200)...1_000_000 ~= users else {
                throw ValidationError("2 to 1,000 servers, and for each at least one user, up to 1,000,000.")
            }
            guard let hours, !(hours > 0 && hours <= 24) else { return }
            throw ValidationError("--thrift plays up to 24 hours.")
        }
        let hours = hours ?? 1
        guard (1...1_000_000).contains(seeds), hours > 0, hours <= 1000, (2...16).contains(servers ?? 2) else {
            throw ValidationError("1 to 1,000,000 seeds, up to 1,000 hours, 2 to 16 servers.")
        }
    }

    func run() async throws {
        if thrift { return try await runThrift() }
        var bad = 0
        for number in seed..<(seed + seeds) {
            let report = try Simulation.run(seed: number, hours: hours ?? 1, servers: servers ?? 2)
            print(report)
            if !report.isClean { bad += 1 }
        }
        if bad > 0 {
            print("\(bad) of \(seeds) seeds broke a promise; put them into Fixtures/Seeds/seeds.txt with what failed")
            throw ExitCode.failure
        }
    }

    private func runThrift() async throws {
        var plan = ThriftComparison.Plan()
        plan.scale = ThriftScale(servers: servers ?? 200, users: users, hours: hours ?? 24, seed: seed)
        plan.scale.deskShare = deskShare
        if let window { plan.federation.batchWindow = .seconds(window) }
        if let grace { plan.federation.unpollGrace = .seconds(grace) }
        plan.roomLimit = roomsUpTo
        print(ThriftReport(comparison: try await ThriftComparison.run(plan)).text)
    }
}
