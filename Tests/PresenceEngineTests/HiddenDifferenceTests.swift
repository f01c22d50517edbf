import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

/// Nobody can tell a hidden user from one who is offline, in no byte and in no timing.
@Suite struct `Hidden and offline` {
    @Test(arguments: UInt64(1)...60) func `look alike to everybody else, from when the user goes`(seed: UInt64) throws {
        #expect(try HiddenWorld.differences(seed: seed, .fromSight) == [])
    }

    @Test(arguments: UInt64(1)...40) func `change nothing where the user was offline already`(seed: UInt64) throws {
        #expect(try HiddenWorld.differences(seed: seed, .fromOffline) == [])
    }

    @Test(arguments: UInt64(1)...60) func `change nothing where nobody knew how the user was`(seed: UInt64) throws {
        #expect(try HiddenWorld.differences(seed: seed, .fromLoss) == [])
    }

    @Test func `would be told apart if anything leaked`() throws {
        let found = try (UInt64(1)...5).flatMap {
            try HiddenWorld.differences(seed: $0, .fromSight, steps: 60, canary: .hiddenLeaksActivity)
        }
        #expect(!found.isEmpty)
    }
}
