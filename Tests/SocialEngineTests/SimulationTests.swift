import Testing

@testable import SocialEngine

struct `A small society` {
    @Test(arguments: UInt64(1)...200) func `is what a naive model says it is`(seed: UInt64) {
        var world = SocialWorld(seed: seed)
        world.run(steps: 400)
        #expect(world.faults.isEmpty, "seed \(seed)")
        #expect(world.deliveries > 0)
    }

    @Test(arguments: [
        SocialEngine.Canary.showsTheHidden, .forgetsToRearm, .tellsBeforeItIsStored, .tellsOneSubscription,
        .takesTheBridgeForAUser,
    ])
    func `shows that a broken engine is broken`(canary: SocialEngine.Canary) {
        let found = (UInt64(1)...50).first { seed in
            var world = SocialWorld(seed: seed, canary: canary)
            world.run(steps: 400)
            return !world.faults.isEmpty
        }
        #expect(found != nil, "\(canary) went unnoticed")
    }
}
