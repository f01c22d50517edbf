import Foundation
import PresenceModel
import PresenceTestKit
import Testing

extension Seeds {
    /// The fixed ones, and those that failed once: `Fixtures/Seeds/seeds.txt`.
    static let all = fixed + failedOnce

    static let failedOnce: [SeededRun] = {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Fixtures/Seeds/seeds.txt")
        guard let text = try? String(contentsOf: file, encoding: .utf8) else { return [] }
        return (try? read(text)) ?? []
    }()
}

@Suite struct `The simulated world` {
    @Test(arguments: Seeds.all) func `observers agree once the network heals`(run: SeededRun) throws {
        let report = try Simulation.run(seed: run.seed, hours: run.hours)
        #expect(report.isClean, "\(report)")
    }

    @Test(arguments: UInt64(1)...12) func `three servers agree too`(seed: UInt64) throws {
        let report = try Simulation.run(seed: seed, hours: 0.25, servers: 3)
        #expect(report.isClean, "\(report)")
    }

    @Test func `one seed is one world, to the last effect`() throws {
        let first = try (1...5).map { try Simulation.run(seed: $0, hours: 0.1) }
        let second = try (1...5).map { try Simulation.run(seed: $0, hours: 0.1) }
        #expect(first == second)
        #expect(Set(first.map(\.digest)).count == 5)
    }

    @Test func `the digest of nothing, and of a text, is what FNV-1a says`() {
        var digest = EffectDigest()
        #expect(digest.value == 0xCBF2_9CE4_8422_2325)
        digest.mix(0x6161_6161_6161_6161)
        // FNV-1a of "aaaaaaaa".
        var expected: UInt64 = 0xCBF2_9CE4_8422_2325
        for _ in 0..<8 { expected = (expected ^ 0x61) &* 0x0000_0100_0000_01B3 }
        #expect(digest.value == expected)
    }

    @Test func `the worlds hold what they are for`() throws {
        var tally = World.Tally()
        for seed in UInt64(1)...20 {
            let report = try Simulation.run(seed: seed, hours: 0.25)
            tally.transactions += report.tally.transactions
            tally.states += report.tally.states
            tally.permissions += report.tally.permissions
            tally.kills += report.tally.kills
            tally.sightings += report.tally.sightings
            tally.reminders += report.tally.reminders
            tally.views += report.tally.views
            tally.silences += report.tally.silences
        }
        #expect(tally.transactions > 500 && tally.states > 500 && tally.permissions > 500)
        #expect(tally.kills > 20 && tally.sightings > 2_000)
        #expect(tally.reminders > 300 && tally.views > 300 && tally.silences > 0)
    }

    @Test func `a file of seeds is read line by line, and a bad line is named`() throws {
        #expect(
            try Seeds.read("# why\n12 # and why\n\n 7 0.5\n")
                == [SeededRun(seed: 12), SeededRun(seed: 7, hours: 0.5)])
        for line in ["x1", "1 x", "1 0", "1 2 3"] {
            #expect(throws: SeedsError(line: 2, text: line)) { try Seeds.read("1\n\(line)\n") }
        }
    }

    @Test func `the file of seeds that failed once is there, and can be read`() {
        #expect(!Seeds.failedOnce.isEmpty)
    }
}
