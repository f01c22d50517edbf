import FederationEngine
import PresenceModel
import PresenceTestKit
import Testing

private let online = Presence(state: .online, statusText: "tea")

@Suite struct `What is too much` {
    @Test func `of the many things that one transaction says of a user the last counts`() throws {
        var bench = try FederationBench()
        let bob = try remote("bob")
        let states = (0..<1000).map { PublishedState.allCases[$0 % 5] }
        var first = PresenceMessage()
        first.push = states.map { PresenceMessage.Report(user: bob, presence: Presence(state: $0)) }
        var second = PresenceMessage()
        second.push = [PresenceMessage.Report(user: bob, presence: Presence(state: .busy))]
        bench.effects = []
        bench.perform(.received(from: try there(), transaction: "t1", [first, second]))
        var reported: [PublishedState] = []
        for case .remoteReported(_, let presence, _) in bench.effects { reported.append(presence.state) }
        #expect(reported == [.busy])
    }

    @Test func `who comes and goes all the time is told of like every change`() throws {
        var bench = try FederationBench()
        let alice = try local("alice")
        bench.perform(.audienceAdded(alice, try there()))
        bench.conclude()
        let before = bench.sent.count
        for _ in 0..<50 {
            bench.perform(.localPublished(alice, Presence(state: .online), .atOnce))
            bench.perform(.localPublished(alice, Presence(state: .offline), .batched))
        }
        bench.perform(.localPublished(alice, Presence(state: .online), .atOnce))
        #expect(bench.sent.count == before)
        bench.pass(.seconds(11))
        #expect(bench.sent.count == before + 1)
        #expect(bench.sent.last?.presence(of: alice)?.state == .online)
    }

    @Test func `a server that is known not to understand is asked nothing`() throws {
        var bench = try FederationBench()
        bench.hear("t1", from: try there(), push: [(try remote("bob"), Presence(state: .busy))], isCapable: false)
        bench.perform(.interestBegan(try remote("carol"), knows: false))
        #expect(bench.sent.isEmpty)
    }
}

@Suite struct `First appearances and answers` {
    @Test func `a first appearance is one transaction for each server, with push and poll`() throws {
        var bench = try FederationBench()
        let (alice, one, two) = (try local("alice"), try there("one.example"), try there("two.example"))
        let friends = [
            try remote("bob", at: "one.example"), try remote("carol", at: "one.example"),
            try remote("dave", at: "two.example"),
        ]
        bench.perform(.audienceRestored(alice, one), .audienceRestored(alice, two))
        let sent = bench.perform(
            .localPublished(alice, online, .atOnce), .interestBegan(friends[0]), .interestBegan(friends[1]),
            .interestBegan(friends[2]))
        #expect(sent.map(\.destination) == [one, two])
        #expect(sent.map(\.pushed) == [[alice], [alice]])
        #expect(sent.map(\.polled) == [[friends[0], friends[1]], [friends[2]]])
        #expect(sent.allSatisfy { $0.messages.count == 1 && $0.composed == bench.now })
        let message = try #require(sent.first?.messages.first)
        #expect(message.promise == .minutes(65) && message.speaksExtension)
    }

    @Test func `the answer is one message with every visible user who was polled`() throws {
        var bench = try FederationBench()
        let server = try there()
        for name in ["alice", "bob", "carol"] {
            bench.perform(
                .localPublished(try local(name), online, .batched), .audienceRestored(try local(name), server))
        }
        bench.perform(.localPublished(try local("dave"), online, .batched))
        let polled = try ["dave", "carol", "alice", "nobody"].map { try local($0) }
        let sent = bench.hear("t1", from: server, poll: polled)
        #expect(sent.map(\.messages.count) == [1])
        #expect(sent.first?.pushed == [try local("alice"), try local("carol")])
        #expect(bench.engine.tally.pollsUnanswered == 2)
    }

    @Test func `users who may not be seen and users who do not exist are answered alike`() throws {
        var bench = try FederationBench()
        let server = try there()
        bench.perform(.localPublished(try local("alice"), online, .atOnce))
        bench.perform(.localPublished(try local("carol"), online, .atOnce))
        bench.perform(.audienceRestored(try local("carol"), server))
        bench.effects = []
        var invisible = bench
        var nobody = bench
        for word in ["poll", "query", "watch"] {
            for (name, keyed) in [("alice", true), ("nobody", false)] {
                let users = [try local(name), try local("carol")]
                var other = keyed ? invisible : nobody
                other.hear(
                    word, from: server, poll: word == "poll" ? users : [], query: word == "query" ? users : [],
                    watch: word == "watch" ? users : [])
                other.pass(.hours(3))
                if keyed { invisible = other } else { nobody = other }
            }
        }
        #expect(invisible.effects == nobody.effects)
        #expect(invisible.sentAt == nobody.sentAt)
        #expect(!invisible.effects.isEmpty)
    }

    @Test func `a poll for no one visible is answered with nothing at all`() throws {
        var bench = try FederationBench()
        bench.perform(.localPublished(try local("alice"), online, .atOnce))
        #expect(bench.hear("t1", from: try there(), poll: [try local("alice"), try local("nobody")]).isEmpty)
        #expect(bench.pass(.hours(2)).isEmpty)
    }

    @Test func `a query is answered once and promises nothing`() throws {
        var bench = try FederationBench()
        let alice = try local("alice")
        bench.perform(.localPublished(alice, online, .batched), .audienceRestored(alice, try there()))
        #expect(bench.hear("t1", from: try there(), query: [alice]).map(\.pushed) == [[alice]])
        bench.perform(.localPublished(alice, Presence(state: .busy), .batched))
        #expect(bench.pass(.minutes(5)).isEmpty)
    }

    @Test func `a watch promises without an answer unless something is new`() throws {
        var bench = try FederationBench()
        let alice = try local("alice")
        bench.perform(.localPublished(alice, online, .batched), .audienceRestored(alice, try there()))
        bench.hear("t1", from: try there(), poll: [alice])
        #expect(bench.hear("t2", from: try there(), watch: [alice]).isEmpty)
        #expect(bench.pass(.minutes(2)).isEmpty)
        bench.perform(.localPublished(alice, Presence(state: .busy), .batched))
        #expect(bench.pass(.seconds(10)).map(\.pushed) == [[alice]])
    }

    @Test func `someone who becomes visible is told at once, whoever asked before`() throws {
        var bench = try FederationBench()
        let alice = try local("alice")
        bench.perform(.localPublished(alice, online, .atOnce))
        #expect(bench.hear("t1", from: try there(), poll: [alice]).isEmpty)
        let sent = bench.perform(.audienceAdded(alice, try there()))
        #expect(sent.map(\.pushed) == [[alice]])
        #expect(sent.first?.presence(of: alice) == online)
        bench.perform(.localPublished(alice, Presence(state: .busy), .batched))
        #expect(bench.pass(.seconds(10)).map(\.pushed) == [[alice]])
    }
}

@Suite struct `Trust` {
    @Test func `a push about another server's user is dropped and counted`() throws {
        var bench = try FederationBench()
        let users = [try remote("bob"), try remote("carol", at: "other.example"), try local("alice")]
        bench.perform(.interestBegan(users[0]), .interestBegan(users[1]))
        bench.hear("t1", from: try there(), push: users.map { ($0, online) })
        var reported: [UserID] = []
        for case .remoteReported(let user, _, _) in bench.effects { reported.append(user) }
        #expect(reported == [users[0]])
        #expect(bench.engine.tally.foreignStatesDropped == 2)
        #expect(bench.engine.tally.statesReceived == 1)
    }

    @Test func `a repeated transaction changes nothing`() throws {
        var bench = try FederationBench()
        let alice = try local("alice")
        bench.perform(.localPublished(alice, online, .batched), .audienceRestored(alice, try there()))
        let push = [(try remote("bob"), online)]
        #expect(!bench.hear("t1", from: try there(), poll: [alice], push: push).isEmpty)
        bench.effects = []
        #expect(bench.hear("t1", from: try there(), poll: [alice], push: push).isEmpty)
        #expect(bench.effects.isEmpty)
        #expect(bench.engine.tally.transactionsRepeated == 1)
        // Another server's transaction of the same name is another one.
        #expect(bench.engine.tally.transactionsReceived == 1)
        bench.hear("t1", from: try there("other.example"), poll: [alice])
        #expect(bench.engine.tally.transactionsReceived == 2)
    }

    @Test func `past the bound the oldest transaction is forgotten`() throws {
        var configuration = FederationEngine.Configuration.unwatched
        configuration.transactionsRemembered = 2
        var bench = try FederationBench(configuration)
        for id in ["a", "b", "b", "c", "a"] { bench.hear(id, from: try there()) }
        #expect(bench.engine.tally.transactionsReceived == 4)
        #expect(bench.engine.tally.transactionsRepeated == 1)
    }

    @Test func `a promise is believed for a day at most`() throws {
        var bench = try FederationBench()
        bench.perform(.interestBegan(try remote("bob")))
        bench.hear("t1", from: try there(), push: [(try remote("bob"), online)], promise: .hours(1000))
        #expect(
            bench.effects.contains(
                .remoteReported(try remote("bob"), online, goodUntil: bench.now + .hours(24))))
    }

    @Test func `a server without our keys is believed for half an hour, and its offline for good`() throws {
        var bench = try FederationBench()
        let (bob, carol) = (try remote("bob"), try remote("carol"))
        bench.hear("t1", from: try there(), push: [(bob, online), (carol, .neverActive)], isCapable: false)
        #expect(bench.effects.contains(.remoteReported(bob, online, goodUntil: bench.now + .minutes(30))))
        #expect(bench.effects.contains(.remoteReported(carol, .neverActive, goodUntil: nil)))
        #expect(bench.effects.contains(.save(.peer(try there(), .init(dialect: .legacy)))))
    }

    @Test func `its own name is no other server`() throws {
        var bench = try FederationBench()
        bench.perform(.localPublished(try local("alice"), online, .atOnce))
        #expect(bench.hear("t1", from: try here(), poll: [try local("alice")]).isEmpty)
        #expect(bench.effects.isEmpty)
    }
}
