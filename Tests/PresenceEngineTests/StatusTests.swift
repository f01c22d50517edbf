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
        #expect(bench.engine.ownState(of: try local("alice")).statusText == nil)
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
        #expect(effects.count == 1, "\(effects)")
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
        #expect(bench.engine.ownState(of: alice).effective == .hidden)
        #expect(bench.engine.ownState(of: alice).effectiveText == "tea")
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
        #expect(words.isEmpty, "\(words)")
        #expect(bench.presence(of: alice)?.lastActive == left)
    }

    @Test func `a restart does not show what a hidden user did`() throws {
        var bench = try PresenceBench()
        let alice = try local("alice")
        bench.perform(.statusChosen(try device("alice"), .online, text: nil))
        bench.pass(.minutes(10))
        let left = try #require(bench.presence(of: alice)?.lastActive)
        bench.perform(.statusChosen(try device("alice"), .hidden, text: nil))
        #expect(bench.presence(of: alice)?.lastActive == left)
        bench.pass(.minutes(10))
        bench.perform(.statusChosen(try device("alice"), .hidden, text: "secret"))
        let again = try PresenceBench(from: bench.saved, at: bench.now)
        #expect(again.presence(of: alice) == Presence(state: .offline, lastActive: left))
        #expect(again.engine.ownState(of: alice).effectiveText == "secret")
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

    @Test func `a revoked device loses its streams, and no other does`() throws {
        var bench = try PresenceBench()
        let phone = bench.listen(on: try device("alice", "phone"))
        let watch = bench.listen(on: try device("alice", "watch"))
        let effects = bench.perform(.deviceRevoked(try device("alice", "phone")))
        #expect(effects.contains(.wake(phone)))
        #expect(!bench.engine.isOpen(phone) && bench.engine.isOpen(watch))
        #expect(bench.state(of: try local("alice")) == .online)
    }

    @Test func `past the bound the oldest stream ends`() throws {
        var configuration = PresenceEngine.Configuration()
        configuration.streamsPerUser = 2
        var bench = try PresenceBench(configuration)
        let streams = [
            bench.listen(on: try device("alice", "one")), bench.listen(on: try device("alice", "one"), .offline),
        ]
        #expect(bench.engine.isOpen(streams[0]) && bench.engine.isOpen(streams[1]))
        let third = bench.listen(on: try device("alice", "two"))
        #expect(bench.effects.contains(.wake(streams[0])) && !bench.engine.isOpen(streams[0]))
        #expect(bench.engine.isOpen(streams[1]) && bench.engine.isOpen(third))
    }
}

@Suite struct `The last activity` {
    @Test func `is on disk at most five minutes late while the user is active`() throws {
        var bench = try PresenceBench()
        let alice = try local("alice")
        _ = bench.listen(on: try device("alice"))
        for _ in 0..<60 {
            bench.pass(.seconds(20))
            bench.perform(.deviceActed(try device("alice")))
            let saved = bench.saved.statuses.first?.status.lastActive
            #expect(bench.now - (saved ?? .epoch) <= .minutes(5))
        }
        bench.pass(.seconds(30))
        let active = bench.presence(of: alice)?.lastActive
        let again = try PresenceBench(from: bench.saved, at: bench.now)
        // Active by memory, whatever the age: a restart makes nobody idle.
        #expect(again.state(of: alice) == .online)
        #expect((active ?? .epoch) - (again.presence(of: alice)?.lastActive ?? .epoch) <= .minutes(5))
    }

    @Test func `is told of who is offline through any number of restarts`() throws {
        var bench = try PresenceBench()
        let alice = try local("alice")
        bench.perform(.deviceActed(try device("alice")))
        let active = bench.now
        bench.pass(.minutes(2))
        let kept = bench.saved
        for days in 1...3 {
            let again = try PresenceBench(from: kept, at: bench.now + .hours(24 * days))
            #expect(again.presence(of: alice) == Presence(state: .offline, lastActive: active))
            // Nothing of it was written anew: what was kept is still what holds.
            #expect(again.saved.statuses.isEmpty)
        }
    }
}
