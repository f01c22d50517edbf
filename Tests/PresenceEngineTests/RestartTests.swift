import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

@Suite struct `After a restart` {
    @Test func `who was connected is held for one lease and no longer`() throws {
        var bench = try PresenceBench()
        _ = bench.listen(on: try device("alice"))
        bench.perform(.statusChosen(try device("alice"), .freeForChat, text: "tea"))
        var again = try PresenceBench(from: bench.saved, at: bench.now + .minutes(2))
        #expect(again.presence(of: try local("alice"))?.state == .freeForChat)
        #expect(again.presence(of: try local("alice"))?.statusText == "tea")
        again.pass(.milliseconds(29_999))
        #expect(again.state(of: try local("alice")) == .freeForChat)
        again.pass(.milliseconds(1))
        #expect(again.state(of: try local("alice")) == .offline)
    }

    @Test func `who was not connected is not there, and keeps text and age`() throws {
        var bench = try PresenceBench()
        bench.perform(.statusChosen(try device("alice"), .online, text: "tea"))
        let active = bench.now
        bench.pass(.minutes(2))
        let again = try PresenceBench(from: bench.saved, at: bench.now)
        #expect(
            again.presence(of: try local("alice"))
                == Presence(state: .offline, statusText: "tea", lastActive: active))
    }

    @Test func `whoever comes back in time was never away`() throws {
        var bench = try PresenceBench()
        bench.perform(.statusChosen(try device("alice"), .online, text: nil))
        var again = try PresenceBench(from: bench.saved, at: bench.now)
        again.pass(.seconds(20))
        _ = again.listen(on: try device("alice"))
        again.effects = []
        #expect(again.pass(.minutes(4)).allSatisfy { if case .localPublished = $0 { false } else { true } })
    }

    @Test func `lists, visibility and what other servers said are as before`() throws {
        var bench = try PresenceBench()
        let (alice, bob, carol) = (try local("alice"), try local("bob"), try remote("carol"))
        bench.befriend(alice, bob)
        bench.befriend(alice, carol)
        bench.perform(.remoteReported(carol, Presence(state: .busy), goodUntil: bench.now + .minutes(10)))
        let lapsed = try remote("dave")
        bench.befriend(alice, lapsed)
        bench.perform(.remoteReported(lapsed, Presence(state: .busy), goodUntil: bench.now + .minutes(1)))
        var again = try PresenceBench(from: bench.saved, at: bench.now + .minutes(5))
        #expect(again.engine.watchList(of: alice) == [bob, carol, lapsed].sorted())
        #expect(again.engine.presence(of: bob, seenBy: alice) != .forbidden)
        #expect(again.state(of: carol) == .busy)
        #expect(again.engine.knowledge(of: lapsed) == .unknown(.promiseLapsed, since: bench.now + .minutes(1)))
        again.pass(.minutes(5))
        #expect(again.state(of: carol) == nil)
    }

    @Test func `every local user is told anew, no audience is new, and interest begins with who is held`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        bench.befriend(alice, bob)
        bench.befriend(try local("carol"), try remote("dave"))
        bench.perform(.statusChosen(try device("alice"), .busy, text: nil))
        let again = try PresenceBench(from: bench.saved, at: bench.now)
        #expect(again.effects.contains(.audienceRestored(alice, bob.server)))
        #expect(!again.effects.contains(.audienceAdded(alice, bob.server)))
        #expect(again.effects.contains(.interestBegan(bob)))
        #expect(!again.effects.contains(.interestBegan(try remote("dave"))))
        var occasions: [UserID: PresenceEngine.Occasion] = [:]
        for case .localPublished(let user, _, let occasion) in again.effects { occasions[user] = occasion }
        #expect(occasions == [alice: .restarted, try local("carol"): .restarted])
    }

    @Test func `busy goes on from when the user was last seen`() throws {
        var bench = try PresenceBench()
        bench.perform(.statusChosen(try device("alice"), .busy, text: nil))
        bench.pass(.minutes(30))
        var again = try PresenceBench(from: bench.saved, at: bench.now)
        again.pass(.minutes(29))
        #expect(again.state(of: try local("alice")) == .busy)
        again.pass(.minutes(1))
        #expect(again.state(of: try local("alice")) == .offline)
    }
}
