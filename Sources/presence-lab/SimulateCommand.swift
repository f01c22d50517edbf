import ArgumentParser
import PresenceTestKit

/// `presence-lab simulate`: servers, users and a bad network out of a seed, compared with a naive model at every step.
///
/// The digest is over every effect in its order: two processes with one seed print the same.
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Play a seed of the simulated world.")

    @Option(help: "The first seed.")
    var seed: UInt64 = 1

    @Option(help: "How many seeds, one after the other.")
    var seeds: UInt64 = 1

    @Option(help: "Hours of simulated time for each.")
    var hours = 1.0

    @Option(help: "Servers in the world.")
    var servers = 2

    func validate() throws {
        guard (1...1_000_000).contains(seeds), hours > 0, hours <= 1000, (2...16).contains(servers) else {
            throw ValidationError("1 to 1,000,000 seeds, up to 1,000 hours, 2 to 16 servers.")
        }
    }

    func run() throws {
        var bad = 0
        for number in seed..<(seed + seeds) {
            let report = try Simulation.run(seed: number, hours: hours, servers: servers)
            print(report)
            if !report.isClean { bad += 1 }
        }
        if bad > 0 {
            print("\(bad) of \(seeds) seeds broke a promise; put them into Fixtures/Seeds/seeds.txt with what failed")
            throw ExitCode.failure
        }
    }
}
