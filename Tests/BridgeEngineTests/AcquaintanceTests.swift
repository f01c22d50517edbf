import BridgeEngine
import PresenceModel
import SocialEngine
import Testing

@Suite struct `Acquaintances on the social side` {
    @Test func `are all with whom there is something, over restarts too`() throws {
        var bench = try BridgeBench()
        let (a, friend, asker, blocked) = ("0xa", "0xb", "0xc", "0xd")
        bench.join(try user("alice"), try address(a))
        let request = FriendRequest(other: try address(asker), createdAt: bench.now, message: nil)
        bench.perform(
            .friendshipsRead(
                FriendshipReading(
                    friends: [try address(friend)], incoming: [request], blocked: [try address(blocked)]),
                seenBy: try address(a)))
        let all = [try address(friend), try address(asker), try address(blocked)]
        #expect(bench.engine.socialAcquaintances(of: try address(a)) == all)
        #expect(bench.engine.socialAcquaintances(of: try address("0xe")).isEmpty)
        try bench.restart()
        #expect(bench.engine.socialAcquaintances(of: try address(a)).contains(try address(friend)))
        bench.perform(.sessionOpened(try address(a)))
        bench.perform(.friendshipsRead(FriendshipReading(), seenBy: try address(a)))
        #expect(bench.engine.socialAcquaintances(of: try address(a)).isEmpty)
    }

    @Test func `of whom the service says nothing stay as they were, over restarts too`() throws {
        var bench = try BridgeBench()
        let (a, friend, other) = (try address("0xa"), try address("0xb"), try address("0xc"))
        bench.join(try user("alice"), a)
        bench.perform(.friendshipsRead(FriendshipReading(friends: [friend, other]), seenBy: a))
        for _ in 0..<2 {
            bench.perform(.friendshipsRead(FriendshipReading(friends: [other], unknown: [friend]), seenBy: a))
            #expect(bench.engine.socialAcquaintances(of: a) == [friend, other])
            #expect(!bench.effects.contains { if case .editList(_, .delete, _) = $0 { true } else { false } })
            try bench.restart()
            bench.perform(.sessionOpened(a))
        }
        bench.perform(.friendshipsRead(FriendshipReading(friends: [other]), seenBy: a))
        #expect(bench.engine.socialAcquaintances(of: a) == [other])
    }

    @Test func `have a ghost once it was made, over restarts too, until they have a user of their own`() throws {
        var bench = try BridgeBench()
        let (a, friend) = (try address("0xa"), try address("0xb"))
        bench.join(try user("alice"), a, friends: [friend])
        bench.perform(
            .snapshotReported([FriendSighting(friend: friend, state: .online, whereabouts: nil)], seenBy: a))
        #expect(bench.engine.ghost(of: friend) == nil)
        bench.perform(.ghostMade(friend))
        let ghost = bench.engine.ghosts.user(for: friend)
        #expect(ghost != nil && bench.engine.ghost(of: friend) == ghost)
        for other in [a, try address("0xc")] { #expect(bench.engine.ghost(of: other) == nil) }
        try bench.restart()
        #expect(bench.engine.ghost(of: friend) == ghost)
        bench.join(try user("bob"), friend)
        #expect(bench.engine.ghost(of: friend) == nil)
    }
}
