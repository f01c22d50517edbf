import FederationEngine
import PresenceModel
import PresenceTestKit
import Testing

private let online = Presence(state: .online, statusText: "secret")
private let busy = Presence(state: .busy)

@Suite struct `Why a server was told or not` {
    private let alice: UserID
    private let server: ServerName
    private var bench: FederationBench

    init() throws {
        (alice, server) = (try local("alice"), try there())
        bench = try FederationBench(FederationEngine.Configuration())
    }

    private func delivery(of user: UserID? = nil) -> FederationEngine.Delivery {
        bench.engine.explain(user ?? alice, to: server, at: bench.now).delivery
    }

    /// Someone there may see the user, and was told.
    private mutating func admit(_ user: UserID? = nil) {
        bench.perform(.localPublished(user ?? alice, online, .batched), .audienceAdded(user ?? alice, server))
    }

    @Test mutating func `nobody there may see the user, then they are told, and what was told holds`() throws {
        #expect(delivery() == .noAudience)
        #expect(bench.engine.explain(alice, to: server, at: bench.now).peer == nil)
        admit()
        let start = bench.now
        #expect(delivery() == .told(at: start))
        bench.pass(.minutes(2))
        let telling = bench.engine.explain(alice, to: server, at: bench.now)
        #expect(telling.delivery == .told(at: start) && telling.told == .online && telling.toldAt == start)
        #expect(telling.reach == .near && telling.promisedUntil == start + .minutes(65))
        #expect(telling.peer?.kind == .unheard && telling.peer?.lastSent == start)
        bench.perform(.audienceRemoved(alice, server))
        #expect(delivery() == .noAudience)
    }

    @Test mutating func `a change gathers, and one that leads back is cancelled out`() throws {
        admit()
        let told = bench.now
        bench.pass(.minutes(1))
        bench.perform(.localPublished(alice, busy, .batched))
        #expect(delivery() == .gathering(opened: bench.now, closes: bench.now + .seconds(10)))
        bench.pass(.seconds(1))
        bench.perform(.localPublished(alice, online, .batched))
        #expect(delivery() == .cancelledOut(toldAt: told))
        // Said again, it is no change.
        bench.pass(.minutes(1))
        bench.perform(.localPublished(alice, busy, .batched))
        bench.pass(.seconds(10))
        bench.perform(.localPublished(alice, busy, .batched))
        #expect(delivery() == .told(at: bench.now))
    }

    @Test mutating func `what is out, fails, and is tried again; what waits behind it`() throws {
        bench.deliversAtOnce = false
        admit()
        let start = bench.now
        #expect(delivery() == .underway(since: start))
        bench.pass(.seconds(5))
        let bob = try local("bob")
        admit(bob)
        #expect(delivery(of: bob) == .behind(since: start))
        bench.conclude(.unanswered(after: .minutes(1)))
        #expect(delivery() == .tryingAgain(at: bench.now + .minutes(1)))
        bench.pass(.minutes(1))
        bench.conclude(.refused)
        let retry = try #require(bench.engine.peer(server, at: bench.now)?.retryAt)
        #expect(delivery() == .backingOff(until: retry) && retry > bench.now)
    }

    @Test mutating func `a server that wants nothing is left alone`() throws {
        bench.deliversAtOnce = false
        admit()
        bench.conclude(.optedOut)
        guard case .optedOut(let until) = delivery() else {
            Issue.record("\(delivery())")
            return
        }
        #expect(until > bench.now && bench.engine.peer(server, at: bench.now)?.optedOutUntil == until)
    }

    @Test mutating func `a server that does not answer is silent`() throws {
        bench.hear("t1", from: server)
        admit()
        bench.deliversAtOnce = false
        bench.hear("t2", from: server, poll: [alice])
        let heard = bench.now
        #expect(bench.engine.peer(server, at: bench.now)?.silentDue == heard + .minutes(3))
        bench.pass(.minutes(4))
        bench.conclude(.unanswered(after: nil))
        #expect(delivery() == .silent(since: heard + .minutes(3)))
        let peer = try #require(bench.engine.peer(server, at: bench.now))
        #expect(peer.kind == .silent && peer.dialect == .capable && peer.shortDue == nil && peer.failures == 1)
    }

    @Test mutating func `a server that takes part and has not asked is told nothing`() throws {
        bench.hear("t1", from: server)
        admit()
        bench.hear("t2", from: server, unpoll: [alice])
        bench.perform(.localPublished(alice, busy, .batched))
        #expect(delivery() == .notWanted)
        #expect(bench.engine.peer(server, at: bench.now)?.counts[.notWanted] == 1)
    }

    @Test mutating func `a server that cannot subscribe is not told of members of large rooms`() throws {
        bench.hear("t1", from: server, push: [(try remote("bob"), online)], isCapable: false)
        bench.perform(
            .localPublished(alice, online, .batched), .audienceAdded(alice, server), .reachChanged(alice, server, .wide)
        )
        bench.perform(.localPublished(alice, busy, .batched))
        #expect(bench.pass(.minutes(1)).isEmpty)
        let telling = bench.engine.explain(alice, to: server, at: bench.now)
        #expect(telling.delivery == .largeRooms && telling.reach == .wide && telling.told == nil)
    }

    @Test func `what leaves at once, and what holds from before the restart`() throws {
        var engine = FederationEngine(server: try here(), boot: 1, seed: 1)
        let now = bench.now
        _ = engine.handle(.audienceRestored(alice, server), at: now)
        #expect(engine.explain(alice, to: server, at: now).delivery == .unchanged)
        _ = engine.handle(.localPublished(alice, online, .atOnce), at: now)
        #expect(engine.explain(alice, to: server, at: now).delivery == .leaving)
    }
}

@Suite struct `What a server was asked` {
    private let bob: UserID
    private let server: ServerName
    private var bench: FederationBench

    init() throws {
        (bob, server) = (try remote("bob"), try there())
        bench = try FederationBench(FederationEngine.Configuration())
    }

    private var state: FederationEngine.Asking.State { bench.engine.explainAsking(of: bob, at: bench.now).state }

    @Test mutating func `nothing, a question on its way, no answer, a promise, nobody cares`() throws {
        #expect(state == .notAsked)
        bench.deliversAtOnce = false
        bench.perform(.interestBegan(bob))
        #expect(state == .underway)
        bench.conclude()
        #expect(state == .unanswered)
        bench.hear("t1", from: server, push: [(bob, online)], promise: .minutes(30))
        let asking = bench.engine.explainAsking(of: bob, at: bench.now)
        #expect(asking.state == .promised && asking.promisedUntil == bench.now + .minutes(30) && asking.isHeld)
        #expect(asking.peer?.promisesHeld == 1 && asking.peer?.wanted == 1 && asking.peer?.kind == .capable)
        bench.perform(.interestEnded(bob))
        #expect(state == .fading && bench.engine.peer(server, at: bench.now)?.wanted == 0)
        bench.pass(.minutes(1))
        #expect(state == .notAsked)
    }

    @Test mutating func `a question that waits, one that is not answered, and a server that knows none`() throws {
        bench.deliversAtOnce = false
        let carol = try remote("carol")
        bench.perform(.interestBegan(carol))
        bench.perform(.interestBegan(bob))
        #expect(state == .waiting)
        bench.conclude()
        bench.hear("t1", from: server, push: [(carol, online)])
        bench.pass(.minutes(5))
        #expect(state == .silent)

        bench.hear("t2", from: try there("legacy.example"), push: [(bob, online)], isCapable: false)
        let dave = try remote("dave", at: "legacy.example")
        bench.hear("t3", from: dave.server, push: [(dave, online)], isCapable: false)
        bench.perform(.interestBegan(dave))
        #expect(bench.engine.explainAsking(of: dave, at: bench.now).state == .legacy)
    }

    @Test mutating func `servers come in pages, in the order of their names`() throws {
        for number in [3, 1, 4, 2, 5] {
            bench.hear("t\(number)", from: try there("s\(number).example"))
        }
        let first = bench.engine.peers(limit: 2, at: bench.now)
        #expect(first.peers.map(\.server.text) == ["s1.example", "s2.example"] && first.total == 5)
        let second = bench.engine.peers(from: first.next, limit: 2, at: bench.now)
        #expect(second.peers.map(\.server.text) == ["s3.example", "s4.example"])
        let last = bench.engine.peers(from: second.next, limit: 2, at: bench.now)
        #expect(last.peers.map(\.server.text) == ["s5.example"] && last.next == nil)
        #expect(first.peers[0].kind == .capable && first.peers[0].lastHeard == bench.now)
        #expect(first.peers[0].counts.transactionsReceived == 1)
    }
}
