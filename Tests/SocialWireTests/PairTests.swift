import SocialWire
import Testing

struct `Both ends of a connection` {
    /// Frames take their time but keep their order; what is asked, answered, closed and given up is drawn.
    @Test(arguments: 1...200) func `agree on every call`(seed: UInt64) {
        var world = PairWorld(seed: seed)
        for _ in 0..<3_000 { world.step() }
        world.settle()
        #expect(world.faults.isEmpty)
        #expect(world.server.unfinishedCount == 0 && world.server.callCount == 0)
        #expect(world.client.waiterCount == 0)
        let unanswered = world.wishes.filter { $0.value.outcomes == 0 && !$0.value.isGivenUp }
        #expect(unanswered.isEmpty)
        #expect(world.completed > 20 && world.elements > 20, "a dull world: \(world.completed), \(world.elements)")
    }
}
