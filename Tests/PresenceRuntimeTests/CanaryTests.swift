import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

/// Engines broken on purpose: a suite that stays green with them does not test what they break.
@Suite struct `A broken engine` {
    @Test(arguments: PresenceEngine.Canary.allCases)
    func `of users and lists is found out by the simulation`(canary: PresenceEngine.Canary) throws {
        let found = try (UInt64(1)...8).contains { seed in
            try !Simulation.run(seed: seed, hours: 0.15, presence: canary, federation: nil).isClean
        }
        #expect(found, "\(canary) went unnoticed")
    }

    @Test(arguments: FederationEngine.Canary.allCases)
    func `of the talk between servers is found out by the simulation`(canary: FederationEngine.Canary) throws {
        let found = try (UInt64(1)...40).contains { seed in
            try !Simulation.run(seed: seed, hours: 0.15, presence: nil, federation: canary).isClean
        }
        #expect(found, "\(canary) went unnoticed")
    }

    @Test func `is not what the same seeds have to do with`() throws {
        for seed in UInt64(1)...8 {
            let report = try Simulation.run(seed: seed, hours: 0.15)
            #expect(report.isClean, "\(report)")
        }
    }

    @Test(arguments: [PresenceEngine.Canary.forgetsToRearm, .hiddenLeaksActivity])
    func `is found out by short sequences too`(canary: PresenceEngine.Canary) throws {
        var configuration = PresenceEngine.Configuration()
        configuration.canary = canary
        let letters: [SmallWorld.Letter] = [.choose(.hidden, text: nil), .choose(.busy, text: nil), .act(0), .at]
        #expect(try SmallWorld(configuration).explore(letters, length: 4).difference != nil)
    }
}
