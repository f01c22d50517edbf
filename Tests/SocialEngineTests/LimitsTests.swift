import PresenceModel
import Testing

@testable import SocialEngine

struct `Limits of the social service` {
    @Test func `hold for friends, of either`() {
        var bench = SocialBench {
            $0.friendsPerUser = 2
            $0.makesRooms = false
        }
        bench.befriend("ann", "bob")
        bench.act("cyd", .request(message: nil), "ann")
        bench.befriend("dan", "ann")
        #expect(bench.act("ann", .accept, "cyd") == .tooManyFriends)
        #expect(bench.act("ann", .request(message: nil), "eve") == .tooManyFriends)
        #expect(bench.act("eve", .request(message: nil), "ann") == nil)
        #expect(bench.engine.requests(of: address("ann")).incoming.count == 2)
        bench.act("ann", .delete, "bob")
        #expect(bench.act("ann", .accept, "cyd") == nil)
        bench.act("bob", .request(message: nil), "cyd")
        bench.befriend("cyd", "gus")
        #expect(bench.act("cyd", .accept, "bob") == .tooManyFriends)
    }

    @Test func `hold while friends are being written`() {
        var bench = SocialBench {
            $0.friendsPerUser = 1
            $0.makesRooms = false
        }
        bench.act("bob", .request(message: nil), "ann")
        bench.act("cyd", .request(message: nil), "ann")
        bench.holdsStores = true
        let first = bench.ask { .actionAsked($0, .accept, by: address("ann"), towards: address("bob")) }
        #expect(bench.act("ann", .accept, "cyd") == .tooManyFriends)
        bench.settle(failing: true)
        #expect(bench.answers[first] == .refused(.notStored))
        #expect(bench.act("ann", .accept, "cyd") == nil)
        bench.settle()
        #expect(bench.engine.friends(of: address("ann")) == [address("cyd")])
    }

    @Test func `hold for open requests, out and in`() {
        var bench = SocialBench {
            $0.requestsFromUser = 2
            $0.requestsToUser = 2
        }
        bench.act("ann", .request(message: nil), "x1")
        bench.act("ann", .request(message: nil), "x2")
        #expect(bench.act("ann", .request(message: nil), "x3") == .tooManyRequests)
        bench.act("ann", .cancel, "x1")
        #expect(bench.act("ann", .request(message: nil), "x3") == nil)
        bench.act("bob", .request(message: nil), "x3")
        #expect(bench.act("cyd", .request(message: nil), "x3") == .tooManyRequests)
        bench.act("x3", .reject, "ann")
        #expect(bench.act("cyd", .request(message: nil), "x3") == nil)
    }

    @Test func `hold for requests in an hour, of a user and of a pair`() {
        var bench = SocialBench {
            $0.requestsPerHour = 5
            $0.requestsPerHourOfPair = 2
        }
        for _ in 0..<2 {
            #expect(bench.act("ann", .request(message: nil), "bob") == nil)
            bench.act("ann", .cancel, "bob")
        }
        #expect(bench.act("ann", .request(message: nil), "bob") == .tooOften)
        #expect(bench.act("bob", .request(message: nil), "ann") == .tooOften)
        for name in ["x1", "x2", "x3"] { #expect(bench.act("ann", .request(message: nil), name) == nil) }
        #expect(bench.act("ann", .request(message: nil), "x4") == .tooOften)
        bench.advance(by: .minutes(59))
        #expect(bench.act("ann", .request(message: nil), "x4") == .tooOften)
        bench.advance(by: .minutes(1))
        #expect(bench.act("ann", .request(message: nil), "x4") == nil)
        #expect(bench.act("bob", .request(message: nil), "ann") == nil)
    }

    @Test func `hold for messages by their bytes`() {
        var bench = SocialBench { $0.messageLimitBytes = 4 }
        #expect(bench.act("ann", .request(message: "ééé"), "bob") == .messageTooLong)
        #expect(bench.act("ann", .request(message: "éé"), "bob") == nil)
    }

    @Test func `hold for blocks, all and in an hour`() {
        var bench = SocialBench {
            $0.blocksPerUser = 2
            $0.blocksPerHour = 5
        }
        bench.act("ann", .block, "x1")
        bench.act("ann", .block, "x2")
        #expect(bench.act("ann", .block, "x3") == .tooManyBlocked)
        bench.act("ann", .unblock, "x1")
        #expect(bench.act("ann", .block, "x3") == nil)
        #expect(bench.act("ann", .unblock, "x3") == nil)
        #expect(bench.act("ann", .unblock, "x2") == .tooOften)
        bench.advance(by: .hours(1))
        #expect(bench.act("ann", .unblock, "x2") == nil)
    }

    /// Keys of wallets cost nothing; what they leave behind is kept for good.
    @Test func `hold for all newcomers together, and not for those who are known`() {
        var bench = SocialBench { $0.newcomersPerMinute = 3 }
        func choose(_ privacy: SocialPrivacy, _ user: String) -> SocialEngine.Answer? {
            let ticket = bench.ask { .privacyAsked($0, address(user), privacy) }
            return bench.answers[ticket]
        }
        #expect(bench.act("ann", .request(message: nil), "bob") == nil)
        #expect(bench.act("cyd", .block, "dan") == nil)
        #expect(choose(.hidden, "eve") == .done)
        #expect(bench.act("w1", .request(message: nil), "bob") == .tooOften)
        #expect(bench.act("w2", .block, "bob") == .tooOften)
        #expect(choose(.hidden, "w3") == .refused(.tooOften))
        #expect(bench.engine.counts.pairs == 2 && bench.snapshot.settings.count == 1)
        // What is there goes on: and whoever has to do with somebody may hide.
        #expect(bench.act("bob", .accept, "ann") == nil)
        #expect(choose(.hidden, "ann") == .done)
        #expect(choose(.full, "eve") == .done)
        bench.advance(by: .minutes(1))
        #expect(bench.act("w1", .request(message: nil), "bob") == nil)
    }

    @Test func `hold for choices of privacy in an hour, but who hides is never refused`() {
        var bench = SocialBench { $0.privaciesPerHour = 3 }
        func chosen() -> SocialPrivacy { bench.engine.settings(of: address("ann")).privacy }
        #expect(bench.choose("ann", .stateOnly) == nil)
        #expect(bench.choose("ann", .full) == nil)
        bench.advance(by: .minutes(30))
        #expect(bench.choose("ann", .stateOnly) == nil)
        #expect(bench.choose("ann", .full) == .tooOften)
        #expect(chosen() == .stateOnly)
        #expect(bench.choose("ann", .stateOnly) == nil)
        #expect(bench.choose("ann", .hidden) == nil)
        #expect(chosen() == .hidden)
        #expect(bench.choose("ann", .full) == .tooOften)
        #expect(bench.choose("bob", .stateOnly) == nil)
        bench.advance(by: .minutes(30))
        #expect(bench.choose("ann", .full) == nil)
        #expect(chosen() == .full)
    }

    @Test func `hold for subscriptions: the oldest ends`() {
        var bench = SocialBench { $0.subscriptionsPerUser = 2 }
        let ids = (0..<3).map { _ in bench.subscribePresence("ann", on: 1) }
        #expect(bench.ended == [ids[0]])
        let news = (0..<3).map { _ in bench.subscribeNews("ann", on: 1) }
        #expect(bench.ended == [ids[0], news[0]])
        bench.end(1)
        #expect(bench.ended.count == 6 && bench.engine.counts.users == 0 && bench.engine.counts.sessions == 0)
    }

    @Test func `hold for sessions: the one heard of longest ago lets go`() {
        var bench = SocialBench { $0.sessionsPerUser = 2 }
        for session in UInt64(1)...3 {
            bench.heartbeat("ann", on: session)
            bench.advance(by: .seconds(1))
        }
        #expect(bench.engine.counts.sessions == 2)
        bench.end(2)
        bench.end(3)
        bench.advance(by: .seconds(10))
        #expect(bench.comings == ["+ann", "-ann"] && bench.engine.counts.users == 0)
    }

    @Test func `hold for news that nobody takes: they are told in order, and the subscription ends`() {
        var bench = SocialBench {
            $0.newsPerSubscription = 3
            $0.batchLimit = 2
            $0.requestsPerHourOfPair = 100
        }
        let ann = bench.subscribeNews("ann", on: 1, ready: false)
        for _ in 0..<4 {
            bench.act("bob", .request(message: nil), "ann")
            bench.act("bob", .cancel, "ann")
        }
        #expect(bench.told(ann) == ["<request bob", "<cancel bob", "<request bob"])
        #expect(bench.ended == [ann] && bench.engine.counts.subscriptions == 0)
    }

    @Test func `hold for actions that wait for one another`() {
        var bench = SocialBench { $0.waitingPerPair = 2 }
        bench.holdsStores = true
        let tickets = [FriendshipAction.request(message: nil), .cancel, .request(message: nil), .cancel].map { action in
            bench.ask { .actionAsked($0, action, by: address("ann"), towards: address("bob")) }
        }
        #expect(bench.answers == [tickets[3]: .refused(.tooOften)])
        bench.settle()
        #expect(bench.answers.count == 4 && bench.engine.counts.changes == 0)
        #expect(bench.engine.requests(of: address("ann")).outgoing.count == 1)
    }

    @Test func `keep lists from costing what is long over`() throws {
        var bench = SocialBench { $0.requestsPerHour = 1000 }
        for number in 0..<50 {
            bench.act("ann", .request(message: nil), "user\(number)")
            bench.act("ann", number % 2 == 0 ? .cancel : .block, "user\(number)")
            bench.act("ann", .unblock, "user\(number)")
        }
        bench.act("ann", .request(message: nil), "bob")
        bench.act("ann", .block, "cyd")
        let ann = bench.engine.people[try #require(bench.engine.number(of: address("ann")))]
        #expect(ann.pairs.count == 52 && ann.requests.count == 1 && ann.blocks.count == 1)
        #expect(bench.engine.requests(of: address("ann")).outgoing.map(\.other) == [address("bob")])
        #expect(bench.engine.blocked(by: address("ann")) == [address("cyd")])
    }

    @Test func `keep heartbeats of strangers from filling the memory`() {
        var bench = SocialBench()
        for number in 0..<100 { bench.heartbeat("user\(number)", on: UInt64(number + 1)) }
        #expect(bench.engine.counts.users == 100)
        bench.advance(by: .minutes(3))
        #expect(bench.engine.counts == SocialBench().engine.counts)
    }
}
