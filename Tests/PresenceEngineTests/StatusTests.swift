import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

@Suite struct `What a user says` {
    @Test func `going offline by time-out keeps the text`() throws {
        var bench = try PresenceBench()
        bench.perform(.statusChosen(try device("alice"), .online, text: "tea"))
        bench.pass(.minutes(1))
        #expect(bench.presence(of: try local("alice"))?.state == .offline)
        #expect(bench.presence(of: try local("alice"))?.statusText == "tea")
    }

    @Test func `picking a state without a text clears it`() throws {
        var bench = try PresenceBench()
        bench.perform(.statusChosen(try device("alice"), .online, text: "tea"))
        bench.perform(.statusChosen(try device("alice"), .online, text: nil))
        #expect(bench.presence(of: try local("alice"))?.statusText == nil)
        #expect(bench.engine.chosen(by: try local("alice")).statusText == nil)
    }

    @Test func `saying the same again is silent`() throws {
        var bench = try PresenceBench()
        _ = bench.listen(on: try device("alice"))
        bench.perform(.statusChosen(try device("alice"), .busy, text: "tea"))
        let version = bench.engine.version
        bench.pass(.seconds(5))
        #expect(bench.perform(.statusChosen(try device("alice"), .busy, text: "tea")).isEmpty)
        #expect(bench.engine.version == version)
    }

    @Test func `a choice that others do not see is saved all the same`() throws {
        var bench = try PresenceBench()
        bench.perform(.statusChosen(try device("alice"), .hidden, text: nil))
        let effects = bench.perform(.statusChosen(try device("alice"), .hidden, text: "tea"))
        #expect(effects.count == 1)
        guard case .save(.status(_, let status))? = effects.first else { return #expect(Bool(false), "not saved") }
        #expect(status.chosen == .hidden && status.statusText == "tea")
    }

    @Test func `who comes and goes hidden is saved as having come and gone`() throws {
        var bench = try PresenceBench()
        bench.perform(.statusChosen(try device("alice"), .hidden, text: nil))
        #expect(bench.saved.statuses.first?.status.isConnected == true)
        bench.pass(.minutes(1))
        #expect(bench.saved.statuses.first?.status.isConnected == false)
        bench.perform(.deviceSeen(try device("alice")))
        #expect(bench.saved.statuses.first?.status.isConnected == true)
    }
}

@Suite struct `Hidden users` {
    @Test func `a hidden user is offline without a text, and still sees what was chosen`() throws {
        var bench = try PresenceBench()
        let alice = try local("alice")
        bench.perform(.statusChosen(try device("alice"), .hidden, text: "tea"))
        #expect(bench.presence(of: alice) == .neverActive)
        #expect(bench.engine.chosen(by: alice).state == .hidden)
        #expect(bench.engine.chosen(by: alice).statusText == "tea")
    }

    @Test(arguments: [ChosenState.hidden, .offline])
    func `what a user does while offline to others moves no age and causes no word`(state: ChosenState) throws {
        var bench = try PresenceBench()
        let alice = try local("alice")
        _ = bench.listen(on: try device("alice"))
        bench.perform(.statusChosen(try device("alice"), state, text: nil))
        let left = bench.now
        bench.effects = []
        for _ in 0..<20 {
            bench.pass(.minutes(1))
            bench.perform(.deviceActed(try device("alice")))
            bench.perform(.deviceSeen(try device("alice", "watch")))
        }
        let words = bench.effects.filter { if case .save = $0 { false } else { true } }
        #expect(words.isEmpty)
        #expect(bench.presence(of: alice)?.lastActive == left)
    }

    @Test func `a restart does not show what a hidden user did`() throws {
        var bench = try PresenceBench()
        let alice = try local("alice")
        bench.perform(.statusChosen(try device("alice"), .online, text: nil))
        bench.pass(.minutes(10))
        let left = try #require(bench.presence(of: alice)?.lastActive)
        bench.perform(.statusChosen(try device("alice"), .hidden, text: nil))
        bench.pass(.minutes(10))
        bench.perform(.statusChosen(try device("alice"), .hidden, text: "secret"))
        let again = try PresenceBench(from: bench.saved, at: bench.now)
        #expect(again.presence(of: alice) == Presence(state: .offline, lastActive: left))
        for case .localPublished(_, let presence, _) in again.effects { #expect(presence.lastActive == left) }
    }
}

@Suite struct `Bounds` {
    @Test func `past the bound the device seen longest ago is forgotten`() throws {
        var configuration = PresenceEngine.Configuration()
        configuration.devicesPerUser = 2
        var bench = try PresenceBench(configuration)
        // The first is idle soon, the others keep the user awake only while they are held.
        for name in ["one", "two", "three"] {
            bench.perform(.deviceSeen(try device("alice", name)))
            bench.pass(.seconds(1))
        }
        bench.perform(.deviceRevoked(try device("alice", "three")))
        #expect(bench.state(of: try local("alice")) == .online)
        bench.perform(.deviceRevoked(try device("alice", "two")))
        #expect(bench.state(of: try local("alice")) == .offline)
    }

    @Test func `who streams is not forgotten before who does not`() throws {
        var configuration = PresenceEngine.Configuration()
        configuration.devicesPerUser = 2
        var bench = try PresenceBench(configuration)
        let stream = bench.listen(on: try device("alice", "one"))
        bench.pass(.seconds(1))
        bench.perform(.deviceSeen(try device("alice", "two")))
        bench.pass(.seconds(1))
        bench.perform(.deviceSeen(try device("alice", "three")))
        bench.pass(.minutes(1))
        #expect(bench.engine.isOpen(stream))
        #expect(bench.state(of: try local("alice")) == .online)
    }

    @Test func `a forgotten device loses its streams`() throws {
        var configuration = PresenceEngine.Configuration()
        configuration.devicesPerUser = 1
        var bench = try PresenceBench(configuration)
        let stream = bench.listen(on: try device("alice", "one"))
        let effects = bench.perform(.deviceSeen(try device("alice", "two")))
        #expect(effects.contains(.wake(stream)))
        #expect(!bench.engine.isOpen(stream))
        bench.perform(.streamClosed(stream))
        bench.pass(.minutes(1))
        #expect(bench.state(of: try local("alice")) == .offline)
    }

    @Test func `a full watch list refuses another entry, and takes a known one`() throws {
        var configuration = PresenceEngine.Configuration()
        configuration.watchEntriesPerUser = 2
        var bench = try PresenceBench(configuration)
        let alice = try local("alice")
        for name in ["bob", "carol"] { bench.perform(.entryAdded(observer: alice, observed: try local(name))) }
        #expect(
            bench.engine.refusal(addingEntryOf: try local("dave"), for: alice) == .tooManyEntries(limit: 2))
        #expect(bench.engine.refusal(addingEntryOf: try local("bob"), for: alice) == nil)
        #expect(bench.perform(.entryAdded(observer: alice, observed: try local("dave"))).isEmpty)
        #expect(bench.engine.watchList(of: alice) == [try local("bob"), try local("carol")])
        bench.perform(.entryRemoved(observer: alice, observed: try local("bob")))
        #expect(bench.engine.refusal(addingEntryOf: try local("dave"), for: alice) == nil)
    }

    @Test func `nobody puts themself on their own list`() throws {
        var bench = try PresenceBench()
        let alice = try local("alice")
        #expect(bench.engine.refusal(addingEntryOf: alice, for: alice) == .oneself)
        #expect(bench.perform(.entryAdded(observer: alice, observed: alice)).isEmpty)
    }

    @Test func `a revoked device loses its streams, and no other does`() throws {
        var bench = try PresenceBench()
        let phone = bench.listen(on: try device("alice", "phone"))
        let watch = bench.listen(on: try device("alice", "watch"))
        let effects = bench.perform(.deviceRevoked(try device("alice", "phone")))
        #expect(effects.contains(.wake(phone)))
        #expect(!bench.engine.isOpen(phone) && bench.engine.isOpen(watch))
        #expect(bench.state(of: try local("alice")) == .online)
    }
}
