import BridgeEngine
import PresenceModel
import SocialEngine
import Testing

@Suite struct `A friendship` {
    let a = "0xa"
    let b = "0xb"
    let x = "0xe"

    /// Alice and Bob, linked, with open sessions; Xeno is a stranger, whose ghost is made.
    func bench() throws -> BridgeBench {
        var bench = try BridgeBench()
        bench.join(try user("alice"), try address(a))
        bench.join(try user("bob"), try address(b))
        _ = bench.taken()
        return bench
    }

    func news(_ other: String, _ action: FriendshipAction, isOwn: Bool, at: Instant) throws -> FriendshipNews {
        FriendshipNews(other: try address(other), isOwn: isOwn, body: .acted(action, at: at))
    }

    @Test func `that is asked for and granted in Matrix is so on the social side, and nothing comes back`() throws {
        var bench = try bench()
        let (alice, bob) = (try user("alice"), try user("bob"))
        bench.perform(.listReported(alice, other: bob, .requested(by: .first), at: bench.now))
        bench.perform(.listReported(bob, other: alice, .requested(by: .second), at: bench.now))
        #expect(bench.taken() == [.actSocially(try address(a), .request(message: nil), towards: try address(b))])
        bench.perform(.actAnswered(try address(a), .request(message: nil), towards: try address(b)))
        bench.perform(
            .friendshipReported(
                try news(a, .request(message: nil), isOwn: false, at: bench.now), seenBy: try address(b)))
        #expect(bench.taken().isEmpty)
        bench.perform(.listReported(bob, other: alice, .friends, at: bench.now))
        #expect(bench.taken() == [.actSocially(try address(b), .accept, towards: try address(a))])
        bench.perform(.actAnswered(try address(b), .accept, towards: try address(a)))
        bench.perform(.friendshipReported(try news(b, .accept, isOwn: false, at: bench.now), seenBy: try address(a)))
        bench.pass(.minutes(5))
        #expect(bench.taken().isEmpty)
    }

    @Test func `with a stranger is asked for through a ghost, with what was said`() throws {
        var bench = try bench()
        let (alice, ghost) = (try user("alice"), try user("_social_0xe"))
        bench.perform(
            .friendshipReported(
                try news(x, .request(message: "hi"), isOwn: false, at: bench.now), seenBy: try address(a)))
        #expect(bench.taken() == [.makeGhost(ghost, for: try address(x))])
        bench.perform(.ghostMade(try address(x)))
        #expect(bench.taken() == [.editList(ghost, .request(message: "hi"), towards: alice)])
        bench.perform(.listReported(alice, other: ghost, .requested(by: .second), at: bench.now))
        #expect(bench.taken().isEmpty)
        bench.perform(.listReported(alice, other: ghost, .friends, at: bench.now))
        #expect(bench.taken() == [.actSocially(try address(a), .accept, towards: try address(x))])
        bench.perform(.actAnswered(try address(a), .accept, towards: try address(x)))
        bench.perform(.friendshipReported(try news(x, .delete, isOwn: false, at: bench.now), seenBy: try address(a)))
        #expect(bench.taken().contains { if case .editList(_, .delete, _) = $0 { true } else { false } })
    }

    @Test func `is never made in the name of who did not, but may be asked for`() throws {
        var bench = try bench()
        let (alice, ghost) = (try user("alice"), try user("_social_0xe"))
        let asking = BridgeEngine.Effect.actSocially(try address(a), .request(message: nil), towards: try address(x))
        // A ghost whose consent comes from nowhere, or from a service that the bridge led to before.
        bench.perform(.listReported(alice, other: ghost, .friends, at: bench.now))
        #expect(bench.taken() == [asking])
        bench.perform(.actAnswered(try address(a), .request(message: nil), towards: try address(x)))
        bench.pass(.minutes(5))
        #expect(bench.taken().isEmpty)
        // What the other one answers holds.
        bench.perform(.friendshipReported(try news(x, .reject, isOwn: false, at: bench.now), seenBy: try address(a)))
        bench.perform(.ghostMade(try address(x)))
        #expect(bench.taken().contains { if case .editList(_, .delete, _) = $0 { true } else { false } })
    }

    @Test func `in Matrix is one still when another service is read, and is asked for there`() throws {
        var bench = try bench()
        let (alice, bob, ghost) = (try user("alice"), try user("bob"), try user("_social_0xe"))
        bench.perform(.listReported(alice, other: bob, .friends, at: bench.now))
        bench.perform(.friendshipReported(try news(b, .accept, isOwn: true, at: bench.now), seenBy: try address(a)))
        bench.perform(.friendshipReported(try news(x, .accept, isOwn: true, at: bench.now), seenBy: try address(a)))
        bench.perform(.ghostMade(try address(x)))
        bench.perform(.listReported(alice, other: ghost, .friends, at: bench.now))
        // The rows of the former service are left out.
        bench.records.removeAll {
            switch $0 {
            case .pair, .beats: true
            default: false
            }
        }
        try bench.restart()
        for (user, list, name) in [(alice, [bob: Bond.friends, ghost: .friends], a), (bob, [alice: .friends], b)] {
            bench.perform(.sessionOpened(try address(name)))
            bench.perform(.listRead(user, list))
            bench.perform(.friendshipsRead(FriendshipReading(), seenBy: try address(name)))
        }
        let acts = bench.taken()
        #expect(acts.contains(.actSocially(try address(a), .request(message: nil), towards: try address(x))))
        #expect(acts.contains(.actSocially(try address(a), .request(message: nil), towards: try address(b))))
        bench.perform(.actAnswered(try address(a), .request(message: nil), towards: try address(b)))
        #expect(bench.taken().contains(.actSocially(try address(b), .accept, towards: try address(a))))
        let edits = (acts + bench.taken()).contains { if case .editList = $0 { true } else { false } }
        #expect(!edits)
    }

    @Test func `of many that a reading lacks altogether is not believed to be over before another says so`() throws {
        let (alice, own) = (try user("alice"), try address(a))
        let friends = try (0..<5).map { try address("0xf\($0)") }
        let list = Dictionary(
            uniqueKeysWithValues: try (0..<5).map { (try user("_social_0xf\($0)"), Bond.friends) })
        /// How many friendships end in Matrix; every ghost that is needed is made.
        func ended(_ bench: inout BridgeBench) -> Int {
            for friend in friends { bench.perform(.ghostMade(friend)) }
            return bench.taken().count { if case .editList(_, .delete, _) = $0 { true } else { false } }
        }
        for comesBack in [false, true] {
            var bench = try BridgeBench()
            bench.join(alice, own, friends: friends, list: list)
            _ = bench.taken()
            bench.perform(.friendshipsRead(FriendshipReading(), seenBy: own))
            // Asked at once, it would say the same.
            bench.perform(.friendshipsRead(FriendshipReading(), seenBy: own))
            #expect(bench.effects.count { $0 == .note(.readingDoubted(own, friends: 5)) } == 1)
            #expect(ended(&bench) == 0)
            bench.pass(bench.engine.configuration.doubtfulReadingAfter)
            #expect(bench.taken().contains(.readFriendships(own)))
            bench.perform(.friendshipsRead(FriendshipReading(friends: comesBack ? friends : []), seenBy: own))
            #expect(ended(&bench) == (comesBack ? 0 : 5))
        }
        // Who is left, or a few that are lost, are believed.
        for (had, left) in [(4, 0), (5, 1)] {
            var bench = try BridgeBench()
            let known = try list.filter {
                try friends.prefix(had).contains(address("0xf\($0.key.localpart.last ?? "-")"))
            }
            bench.join(alice, own, friends: Array(friends.prefix(had)), list: known)
            _ = bench.taken()
            bench.perform(.friendshipsRead(FriendshipReading(friends: Array(friends.prefix(left))), seenBy: own))
            #expect(ended(&bench) == had - left)
        }
    }

    @Test func `is remembered over a restart, so that what was taken back meanwhile stays so`() throws {
        for isInMatrix in [true, false] {
            var bench = try bench()
            let (alice, bob) = (try user("alice"), try user("bob"))
            bench.perform(.listReported(alice, other: bob, .friends, at: bench.now))
            bench.perform(.friendshipReported(try news(b, .accept, isOwn: true, at: bench.now), seenBy: try address(a)))
            try bench.restart()
            for (user, other, name, seen) in [(alice, bob, a, b), (bob, alice, b, a)] {
                bench.perform(.sessionOpened(try address(name)))
                bench.perform(.listRead(user, isInMatrix ? [:] : [other: .friends]))
                let reading = FriendshipReading(friends: isInMatrix ? [try address(seen)] : [])
                bench.perform(.friendshipsRead(reading, seenBy: try address(name)))
            }
            let acts = bench.taken()
            if isInMatrix {
                #expect(acts.contains(.actSocially(try address(a), .delete, towards: try address(b))))
            } else {
                #expect(acts.contains(.editList(alice, .delete, towards: bob)))
            }
        }
    }

    @Test func `that one side takes back while the other grants it is none, and that is said`() throws {
        var bench = try bench()
        let (alice, bob) = (try user("alice"), try user("bob"))
        bench.perform(.listReported(alice, other: bob, .requested(by: .first), at: bench.now))
        bench.perform(.actAnswered(try address(a), .request(message: nil), towards: try address(b)))
        bench.perform(.listReported(alice, other: bob, .nothing, at: bench.now))
        _ = bench.taken()
        bench.perform(.friendshipReported(try news(b, .accept, isOwn: false, at: bench.now), seenBy: try address(a)))
        let effects = bench.taken()
        #expect(
            effects.contains(
                .note(
                    .conflictDecided(
                        try address(a), try address(b), matrix: .nothing, social: .friends, decided: .nothing))))
    }

    @Test func `that is refused is left until a side changes`() throws {
        var bench = try bench()
        let (alice, ghost, other) = (try user("alice"), try user("_social_0xe"), try address(x))
        let act = BridgeEngine.Effect.actSocially(try address(a), .request(message: nil), towards: other)
        bench.perform(.listReported(alice, other: ghost, .requested(by: .first), at: bench.now))
        #expect(bench.taken() == [act])
        bench.perform(.actRefused(try address(a), .request(message: nil), towards: other, .tooManyRequests))
        bench.pass(.minutes(5))
        #expect(bench.taken().count == 1)
        bench.perform(.listReported(alice, other: ghost, .nothing, at: bench.now))
        bench.perform(.listReported(alice, other: ghost, .requested(by: .first), at: bench.now))
        #expect(bench.taken() == [act])
    }

    @Test func `whose order has no answer is ordered again, later and later, and then no more`() throws {
        var bench = try bench()
        let (alice, ghost) = (try user("alice"), try user("_social_0xe"))
        bench.perform(.listReported(alice, other: ghost, .requested(by: .first), at: bench.now))
        bench.pass(.minutes(90))
        let acts = bench.taken().count { if case .actSocially = $0 { true } else { false } }
        // A few more with each reading that is due.
        #expect((bench.engine.configuration.ordersPerChange...16).contains(acts))
    }

    @Test func `that ends with a block is blocked on the other side, or only ended where blocks are not carried`()
        throws
    {
        for carries in [true, false] {
            var bench = try BridgeBench { $0.carriesBlocks = carries }
            bench.join(try user("alice"), try address(a))
            bench.join(try user("bob"), try address(b))
            bench.perform(.listReported(try user("alice"), other: try user("bob"), .friends, at: bench.now))
            bench.perform(.friendshipReported(try news(b, .accept, isOwn: true, at: bench.now), seenBy: try address(a)))
            _ = bench.taken()
            bench.perform(
                .listReported(try user("alice"), other: try user("bob"), .blocked(by: .first), at: bench.now))
            #expect(
                bench.taken() == [.actSocially(try address(a), carries ? .block : .delete, towards: try address(b))])
        }
    }

    @Test func `past the limit is left alone`() throws {
        var bench = try BridgeBench { $0.pairsPerUser = 2 }
        let many = try (0..<5).map { try address("0xf\($0)") }
        bench.join(try user("alice"), try address(a), friends: many)
        #expect(bench.taken().count { if case .makeGhost = $0 { true } else { false } } == 2)
    }
}
