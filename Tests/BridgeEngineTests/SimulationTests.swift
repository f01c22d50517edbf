import BridgeEngine
import PresenceModel
import Testing

/// One whole world: a busy time, healing, a little more, quiet.
func runWorld(
    seed: UInt64, minutes: Int = 12, isTraced: Bool = false, showsHiddenAsOffline: Bool = false,
    adjust: (inout Weather) -> Void = { _ in }
) throws -> BridgeWorld {
    var world = try BridgeWorld(seed: seed, adjust: adjust)
    world.isTraced = isTraced
    world.showsHiddenAsOffline = showsHiddenAsOffline
    world.run(for: .minutes(minutes))
    world.heal()
    world.run(for: .minutes(1))
    // Friendships are read anew in that time.
    world.run(for: .minutes(24), quiet: true)
    return world
}

extension BridgeWorld {
    var wrongs: [String] { faults.isEmpty ? disagreements : faults }
}

@Suite struct `The simulated bridge` {
    @Test(arguments: UInt64(1)...200) func `brings both sides together, and echoes nothing`(seed: UInt64) throws {
        let world = try runWorld(seed: seed)
        #expect(world.wrongs.isEmpty, "seed \(seed)")
    }

    @Test(arguments: UInt64(1)...20) func `does so where Matrix says nothing of devices`(seed: UInt64) throws {
        let world = try runWorld(seed: seed) { weather in
            weather.isUntold = true
            weather.presentFailures = 0
            // A state alone, online, is what people choose themselves, too.
            weather.bridge.textForm = .oldClient
        }
        #expect(world.wrongs.isEmpty, "seed \(seed)")
    }

    @Test(arguments: UInt64(1)...30) func `does the same for who is hidden as for who is offline`(seed: UInt64) throws {
        let hidden = try runWorld(seed: seed, minutes: 6, isTraced: true)
        let offline = try runWorld(seed: seed, minutes: 6, isTraced: true, showsHiddenAsOffline: true)
        #expect(hidden.digest == offline.digest)
        #expect(hidden.trace.contains { $0.contains("MatrixView.hidden") })
    }

    @Test func `is one world for one seed, to the last effect`() throws {
        let first = try (UInt64(1)...4).map { try runWorld(seed: $0, minutes: 4, isTraced: true).digest }
        let second = try (UInt64(1)...4).map { try runWorld(seed: $0, minutes: 4, isTraced: true).digest }
        #expect(first == second)
        #expect(Set(first).count == 4)
    }

    @Test func `sees enough of everything`() throws {
        var (acts, orders, effects, falls) = (0, 0, 0, 0)
        var tally = BridgeEngine.Tally()
        for seed in UInt64(1)...20 {
            let world = try runWorld(seed: seed)
            acts += world.tieActs
            orders += world.orders
            effects += world.effectCount
            falls += world.boot - 1
            tally.heartbeats += world.engine.tally.heartbeats
            tally.presented += world.engine.tally.presented
            tally.conflicts += world.engine.tally.conflicts
            tally.echoesSuppressed += world.engine.tally.echoesSuppressed
        }
        #expect(acts > 500 && orders > 500 && effects > 5_000 && falls > 10)
        #expect(tally.heartbeats > 500 && tally.presented > 200 && tally.echoesSuppressed > 200 && tally.conflicts > 3)
    }
}

/// Engines broken on purpose: a simulation that stays green with them does not test what they break.
@Suite struct `A broken bridge` {
    @Test(arguments: BridgeEngine.Canary.allCases)
    func `is found out by the simulation`(canary: BridgeEngine.Canary) throws {
        // A world of four notices nothing of it; the tests of heartbeats do.
        if canary == .beatsTogether { return }
        let found = try (UInt64(1)...2000).contains { seed in
            try !runWorld(seed: seed) { $0.bridge.canary = canary }.wrongs.isEmpty
        }
        #expect(found, "\(canary) went unnoticed")
    }
}
