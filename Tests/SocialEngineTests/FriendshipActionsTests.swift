import PresenceModel
import Testing

@testable import SocialEngine

struct `What users do about each other` {
    /// Of each state, what each action comes to: by the one who asked (or blocks, or either), and by the other one.
    private static let table: [(state: String, action: FriendshipAction, mine: String, theirs: String)] = [
        ("none", .request(message: nil), "requested", "requested"),
        ("none", .accept, "unknownPair", "unknownPair"),
        ("none", .reject, "unknownPair", "unknownPair"),
        ("none", .cancel, "unknownPair", "unknownPair"),
        ("none", .delete, "unknownPair", "unknownPair"),
        ("none", .block, "none", "none"),
        ("none", .unblock, "unknownPair", "unknownPair"),
        ("requested", .request(message: nil), "transition", "friends"),
        ("requested", .accept, "actingUser", "friends"),
        ("requested", .reject, "actingUser", "ended"),
        ("requested", .cancel, "ended", "actingUser"),
        ("requested", .delete, "transition", "transition"),
        ("requested", .block, "ended", "ended"),
        ("requested", .unblock, "transition", "transition"),
        ("friends", .request(message: nil), "transition", "transition"),
        ("friends", .accept, "transition", "transition"),
        ("friends", .reject, "transition", "transition"),
        ("friends", .cancel, "transition", "transition"),
        ("friends", .delete, "ended", "ended"),
        ("friends", .block, "ended", "ended"),
        ("friends", .unblock, "transition", "transition"),
        ("ended", .request(message: nil), "requested", "requested"),
        ("ended", .accept, "transition", "transition"),
        ("ended", .reject, "transition", "transition"),
        ("ended", .cancel, "transition", "transition"),
        ("ended", .delete, "transition", "transition"),
        ("ended", .block, "ended", "ended"),
        ("ended", .unblock, "transition", "transition"),
        ("blocked", .request(message: nil), "blocked", "blocked"),
        ("blocked", .accept, "unknownPair", "unknownPair"),
        ("blocked", .reject, "unknownPair", "unknownPair"),
        ("blocked", .cancel, "unknownPair", "unknownPair"),
        ("blocked", .delete, "unknownPair", "unknownPair"),
        ("blocked", .block, "transition", "none"),
        ("blocked", .unblock, "none", "unknownPair"),
        ("ended, blocked", .request(message: nil), "blocked", "blocked"),
        ("ended, blocked", .accept, "transition", "transition"),
        ("ended, blocked", .delete, "transition", "transition"),
        ("ended, blocked", .block, "transition", "ended"),
        ("ended, blocked", .unblock, "ended", "transition"),
    ]

    /// By `low`.
    private static func friendship(_ state: String, by side: SocialPair.Side) throws -> Friendship {
        let now = Instant(millisecondsSinceEpoch: 1)
        let steps: [(FriendshipAction, SocialPair.Side)]
        switch state {
        case "requested": steps = [(.request(message: "hi"), side)]
        case "friends": steps = [(.request(message: nil), side), (.accept, side.opposite)]
        case "ended": steps = [(.request(message: nil), side), (.cancel, side)]
        case "blocked": steps = [(.block, side)]
        case "ended, blocked": steps = [(.request(message: nil), side), (.block, side)]
        default: steps = []
        }
        return try steps.reduce(Friendship()) { try $0.after($1.0, by: $1.1, at: now) }
    }

    private static func outcome(_ friendship: Friendship, _ action: FriendshipAction, _ side: SocialPair.Side) -> String
    {
        do throws(FriendshipRefusal) {
            let after = try friendship.after(action, by: side, at: Instant(millisecondsSinceEpoch: 2))
            #expect(after.revision == friendship.revision + 1 && after.actor == side)
            if case .requested(let asker) = after.state {
                #expect(asker == side)
                return "requested"
            }
            return "\(after.state)"
        } catch {
            if case .actingUser(let refused) = error {
                #expect(refused == action)
                return "actingUser"
            }
            return "\(error)"
        }
    }

    @Test(arguments: SocialPair.Side.allCases)
    func `follows the table, whoever of the two acts`(side: SocialPair.Side) throws {
        for row in Self.table {
            let friendship = try Self.friendship(row.state, by: side)
            let mine = Self.outcome(friendship, row.action, side)
            #expect(mine == row.mine, "\(row.state): \(row.action) by who began it")
            let theirs = Self.outcome(friendship, row.action, side.opposite)
            #expect(theirs == row.theirs, "\(row.state): \(row.action) by the other one")
        }
    }

    @Test func `is not done to oneself`() {
        var bench = SocialBench()
        #expect(bench.act("ann", .request(message: nil), "ANN") == .toOneself)
        #expect(bench.act("ann", .block, "ann") == .toOneself)
        #expect(bench.engine.counts.users == 0)
    }

    @Test func `leaves nothing behind where it was refused`() {
        var bench = SocialBench()
        for action in [FriendshipAction.accept, .reject, .cancel, .delete, .unblock] {
            #expect(bench.act("ann", action, "bob") == .unknownPair)
        }
        #expect(bench.engine.counts == SocialBench().engine.counts && bench.snapshot.friendships.isEmpty)
    }

    @Test func `is told to both on all their connections, once and in order`() {
        var bench = SocialBench { $0.makesRooms = false }
        let (ann, annToo) = (bench.subscribeNews("ann", on: 1), bench.subscribeNews("ann", on: 2))
        let (bob, cyd) = (bench.subscribeNews("bob", on: 3), bench.subscribeNews("cyd", on: 4))
        bench.act("ann", .request(message: "hi"), "bob")
        bench.act("bob", .reject, "ann")
        bench.act("bob", .request(message: nil), "ann")
        bench.act("ann", .accept, "bob")
        bench.act("ann", .delete, "bob")
        let expected = [">request bob 'hi'", "<reject bob", "<request bob", ">accept bob", ">delete bob"]
        #expect(bench.told(ann) == expected)
        #expect(bench.told(annToo) == expected)
        #expect(bench.told(bob) == ["<request ann 'hi'", ">reject ann", ">request ann", "<accept ann", "<delete ann"])
        #expect(bench.told(cyd).isEmpty)
    }

    @Test func `makes friends of two who ask each other`() {
        var bench = SocialBench { $0.makesRooms = false }
        let (ann, bob) = (bench.subscribeNews("ann", on: 1), bench.subscribeNews("bob", on: 2))
        bench.act("ann", .request(message: "hi"), "bob")
        let ticket = bench.ask {
            .actionAsked($0, .request(message: "ho"), by: address("bob"), towards: address("ann"))
        }
        #expect(
            bench.answers[ticket]
                == .acted(FriendshipNews(other: address("ann"), isOwn: true, body: .acted(.accept, at: bench.now))))
        #expect(bench.engine.friends(of: address("ann")) == [address("bob")])
        #expect(bench.told(ann) == [">request bob 'hi'", "<accept bob"])
        #expect(bench.told(bob) == ["<request ann 'hi'", ">accept ann"])
        #expect(bench.events.map(\.action) == [.request(message: "hi"), .request(message: "ho"), .accept])
    }

    @Test func `as a block says nothing of it to the blocked one`() {
        var bench = SocialBench { $0.makesRooms = false }
        let (ann, bob) = (bench.subscribeNews("ann", on: 1), bench.subscribeNews("bob", on: 2))
        bench.act("ann", .block, "bob")
        #expect(bench.told(bob).isEmpty)
        #expect(bench.act("bob", .request(message: nil), "ann") == .blocked)
        #expect(bench.act("ann", .request(message: nil), "bob") == .blocked)
        bench.act("ann", .unblock, "bob")
        bench.act("bob", .request(message: nil), "ann")
        bench.act("ann", .block, "bob")
        bench.act("ann", .unblock, "bob")
        bench.act("ann", .request(message: nil), "bob")
        bench.act("ann", .block, "bob")
        bench.act("ann", .unblock, "bob")
        bench.befriend("ann", "bob")
        bench.act("ann", .block, "bob")
        bench.act("bob", .block, "ann")
        bench.act("ann", .unblock, "bob")
        #expect(bench.act("ann", .request(message: nil), "bob") == .blocked)
        #expect(
            bench.told(bob) == [
                ">request ann", "<reject ann", "<request ann", "<cancel ann", "<request ann", ">accept ann",
                "<delete ann", ">block ann",
            ])
        #expect(bench.told(ann).filter { $0.hasPrefix("<") } == ["<request bob", "<accept bob"])
        #expect(bench.engine.blocked(by: address("bob")) == [address("ann")])
        #expect(bench.engine.blocked(by: address("ann")).isEmpty)
        #expect(bench.engine.friends(of: address("ann")).isEmpty)
    }

    @Test func `is listed: friends, mutual friends, requests`() {
        var bench = SocialBench { $0.makesRooms = false }
        bench.befriend("ann", "cyd")
        bench.befriend("bob", "ann")
        bench.befriend("bob", "cyd")
        #expect(bench.engine.friends(of: address("ann")) == [address("bob"), address("cyd")])
        #expect(bench.engine.mutualFriends(of: address("ann"), and: address("bob")) == [address("cyd")])
        #expect(bench.engine.mutualFriends(of: address("ann"), and: address("zoe")).isEmpty)
        bench.act("ann", .request(message: "x"), "zoe")
        bench.now = bench.now.advanced(byMilliseconds: 5)
        bench.act("ann", .request(message: nil), "eve")
        bench.act("pia", .request(message: nil), "ann")
        let requests = bench.engine.requests(of: address("ann"))
        #expect(requests.outgoing.map(\.other) == [address("zoe"), address("eve")])
        #expect(requests.outgoing.map(\.message) == ["x", nil])
        #expect(requests.incoming.map(\.other) == [address("pia")])
        #expect(requests.incoming.map(\.createdAt) == [bench.now])
    }

    @Test func `are not told of one another's friends if one blocks the other`() {
        var bench = SocialBench { $0.makesRooms = false }
        bench.befriend("ann", "cyd")
        bench.befriend("bob", "cyd")
        bench.act("bob", .block, "ann")
        #expect(bench.engine.mutualFriends(of: address("ann"), and: address("bob")).isEmpty)
        #expect(bench.engine.mutualFriends(of: address("bob"), and: address("ann")).isEmpty)
        bench.act("bob", .unblock, "ann")
        #expect(bench.engine.mutualFriends(of: address("ann"), and: address("bob")) == [address("cyd")])
    }

    @Test func `is known again after a restart`() {
        var bench = SocialBench { $0.makesRooms = false }
        bench.befriend("ann", "bob")
        bench.act("ann", .request(message: "hi"), "cyd")
        bench.act("ann", .block, "dan")
        bench.choose("bob", .hidden)
        bench.restart()
        #expect(bench.engine.friends(of: address("bob")) == [address("ann")])
        #expect(bench.engine.requests(of: address("cyd")).incoming.map(\.message) == ["hi"])
        #expect(bench.engine.blocked(by: address("ann")) == [address("dan")])
        #expect(bench.engine.settings(of: address("bob")).privacy == .hidden)
        #expect(bench.act("dan", .request(message: nil), "ann") == .blocked)
        #expect(bench.act("cyd", .accept, "ann") == nil)
    }
}
