import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

@Suite struct `Who may see whom` {
    @Test func `local users see each other when both want it`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try local("bob"))
        bench.perform(.deviceSeen(try device("alice")))
        bench.perform(.entryAdded(observer: bob, observed: alice))
        #expect(bench.engine.presence(of: alice, seenBy: bob) == .forbidden)
        #expect(bench.engine.presence(of: bob, seenBy: alice) == .forbidden)
        bench.perform(.entryAdded(observer: alice, observed: bob))
        #expect(bench.engine.presence(of: alice, seenBy: bob) != .forbidden)
        #expect(bench.engine.presence(of: bob, seenBy: alice) == .visible(.known(.neverActive)))
    }

    @Test func `someone who may not be seen looks like no one`() throws {
        var bench = try PresenceBench()
        let bob = try local("bob")
        bench.perform(.deviceSeen(try device("alice")))
        bench.perform(.entryAdded(observer: bob, observed: try local("alice")))
        let invisible = bench.engine.presence(of: try local("alice"), seenBy: bob)
        #expect(invisible == bench.engine.presence(of: try local("nobody"), seenBy: bob))
    }

    @Test func `everyone sees themselves`() throws {
        let bench = try PresenceBench()
        let alice = try local("alice")
        #expect(bench.engine.presence(of: alice, seenBy: alice) == .visible(.known(.neverActive)))
    }

    @Test func `removing an entry stops delivery at once`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try local("bob"))
        bench.befriend(alice, bob)
        let stream = bench.listen(on: try device("bob"))
        let position = bench.engine.changes(for: bob, after: nil).position
        bench.perform(.entryRemoved(observer: alice, observed: bob))
        let effects = bench.perform(.statusChosen(try device("alice"), .busy, text: "secret"))
        #expect(!effects.contains(.wake(stream)))
        #expect(bench.engine.changes(for: bob, after: position).sightings.isEmpty)
        #expect(bench.engine.presence(of: alice, seenBy: bob) == .forbidden)
    }

    @Test func `becoming visible is news for both`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try local("bob"))
        let streams = [bench.listen(on: try device("alice")), bench.listen(on: try device("bob"))]
        let position = bench.engine.version
        #expect(!bench.perform(.entryAdded(observer: alice, observed: bob)).contains(.wake(streams[0])))
        let effects = bench.perform(.entryAdded(observer: bob, observed: alice))
        for stream in streams { #expect(effects.contains(.wake(stream))) }
        #expect(bench.engine.changes(for: alice, after: position).sightings.map(\.user).contains(bob))
        #expect(bench.engine.changes(for: bob, after: position).sightings.map(\.user).contains(alice))
    }
}

@Suite struct `What is new for an observer` {
    @Test func `changes come in their order, each user once, and not again`() throws {
        var bench = try PresenceBench()
        let alice = try local("alice")
        for name in ["bob", "carol", "dave"] { bench.befriend(alice, try local(name)) }
        let position = bench.engine.changes(for: alice, after: nil).position
        for name in ["dave", "bob", "carol", "dave"] {
            bench.perform(.statusChosen(try device(name), .online, text: "\(bench.engine.version)"))
        }
        let changes = bench.engine.changes(for: alice, after: position)
        #expect(changes.sightings.map(\.user) == [try local("bob"), try local("carol"), try local("dave")])
        #expect(changes.position > position)
        #expect(bench.engine.changes(for: alice, after: changes.position).sightings.isEmpty)
        #expect(bench.engine.changes(for: alice, after: changes.position).position == changes.position)
    }

    @Test func `the first look shows everyone visible, oneself included, and nobody never heard of`() throws {
        var bench = try PresenceBench()
        let alice = try local("alice")
        bench.befriend(alice, try local("bob"))
        bench.befriend(alice, try remote("carol"))
        bench.perform(.entryAdded(observer: alice, observed: try local("stranger")))
        let shown = bench.engine.changes(for: alice, after: nil).sightings.map(\.user)
        #expect(Set(shown) == [alice, try local("bob")] && shown.count == 2)
        bench.perform(.remoteReported(try remote("carol"), Presence(state: .busy), goodUntil: nil))
        #expect(bench.engine.changes(for: alice, after: nil).sightings.map(\.user).contains(try remote("carol")))
    }

    @Test func `a change wakes every stream of every observer, and of the user`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try local("bob"))
        bench.befriend(alice, bob)
        let streams = [
            bench.listen(on: try device("bob", "phone")), bench.listen(on: try device("bob", "watch")),
            bench.listen(on: try device("alice")),
        ]
        let stranger = bench.listen(on: try device("carol"))
        let effects = bench.perform(.statusChosen(try device("alice"), .busy, text: nil))
        for stream in streams { #expect(effects.contains(.wake(stream))) }
        #expect(!effects.contains(.wake(stranger)))
    }
}

@Suite struct `Users of other servers` {
    @Test func `interest begins with the first connected observer and ends with the last`() throws {
        var bench = try PresenceBench()
        let bob = try remote("bob")
        bench.perform(.entryAdded(observer: try local("alice"), observed: bob))
        bench.perform(.entryAdded(observer: try local("carol"), observed: bob))
        #expect(!bench.effects.contains(.interestBegan(bob)))
        #expect(bench.perform(.deviceSeen(try device("alice"))).contains(.interestBegan(bob)))
        bench.pass(.seconds(20))
        #expect(!bench.perform(.deviceSeen(try device("carol"))).contains(.interestBegan(bob)))
        #expect(!bench.pass(.seconds(29)).contains(.interestEnded(bob)))
        #expect(bench.pass(.seconds(1)).contains(.interestEnded(bob)))
    }

    @Test func `an entry begins and ends interest while the observer is connected`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        _ = bench.listen(on: try device("alice"))
        let added = bench.perform(.entryAdded(observer: alice, observed: bob))
        #expect(added.contains(.interestBegan(bob)) && added.contains(.audienceAdded(alice, bob.server)))
        let removed = bench.perform(.entryRemoved(observer: alice, observed: bob))
        #expect(removed.contains(.interestEnded(bob)) && removed.contains(.audienceRemoved(alice, bob.server)))
        #expect(bench.perform(.entryRemoved(observer: alice, observed: bob)).isEmpty)
    }

    @Test func `a server is an audience while it hosts one of the user's entries`() throws {
        var bench = try PresenceBench()
        let (alice, server) = (try local("alice"), try there())
        bench.perform(.entryAdded(observer: alice, observed: try remote("bob")))
        let second = bench.perform(.entryAdded(observer: alice, observed: try remote("carol")))
        #expect(!second.contains(.audienceAdded(alice, server)))
        let first = bench.perform(.entryRemoved(observer: alice, observed: try remote("bob")))
        #expect(!first.contains(.audienceRemoved(alice, server)))
        let last = bench.perform(.entryRemoved(observer: alice, observed: try remote("carol")))
        #expect(last.contains(.audienceRemoved(alice, server)))
    }

    @Test func `what a server says of its user is good until it said, then nothing is known`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        bench.perform(.entryAdded(observer: alice, observed: bob))
        let stream = bench.listen(on: try device("alice"))
        #expect(bench.engine.knowledge(of: bob) == .unknown(.neverHeard, since: .epoch))
        bench.perform(.remoteReported(bob, Presence(state: .busy), goodUntil: bench.now + .minutes(5)))
        bench.pass(.milliseconds(299_999))
        #expect(bench.state(of: bob) == .busy)
        #expect(bench.pass(.milliseconds(1)).contains(.wake(stream)))
        #expect(bench.engine.knowledge(of: bob) == .unknown(.promiseLapsed, since: bench.now))
    }

    @Test func `a report without an age keeps the old one, and one that says the same wakes nobody`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        bench.perform(.entryAdded(observer: alice, observed: bob))
        let stream = bench.listen(on: try device("alice"))
        let active = bench.now
        bench.perform(.remoteReported(bob, Presence(state: .busy, lastActive: active), goodUntil: nil))
        let effects = bench.perform(.remoteReported(bob, Presence(state: .busy), goodUntil: nil))
        #expect(!effects.contains(.wake(stream)))
        #expect(bench.presence(of: bob)?.lastActive == active)
    }

    @Test func `nothing is kept of someone whom nobody ever watched`() throws {
        var bench = try PresenceBench()
        #expect(bench.perform(.remoteReported(try remote("bob"), Presence(state: .busy), goodUntil: nil)).isEmpty)
        #expect(bench.engine.knowledge(of: try remote("bob")) == nil)
    }

    @Test func `a report about someone just taken off a list is there when they come back`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        bench.perform(.entryAdded(observer: alice, observed: bob))
        bench.perform(.entryRemoved(observer: alice, observed: bob))
        bench.perform(.remoteReported(bob, Presence(state: .busy), goodUntil: nil))
        bench.perform(.entryAdded(observer: alice, observed: bob))
        #expect(bench.state(of: bob) == .busy)
    }

    @Test func `a server cannot say what a local user is`() throws {
        var bench = try PresenceBench()
        bench.perform(.deviceSeen(try device("alice")))
        #expect(
            bench.perform(.remoteReported(try local("alice"), Presence(state: .busy), goodUntil: nil)).isEmpty)
        #expect(bench.state(of: try local("alice")) == .online)
    }
}
