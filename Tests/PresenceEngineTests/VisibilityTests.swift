import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

@Suite struct `Who may see whom` {
    @Test func `everyone sees themselves, and someone who may not be seen looks like no one`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try local("bob"))
        #expect(bench.engine.presence(of: alice, seenBy: alice) == .visible(.known(.neverActive)))
        bench.perform(.deviceSeen(try device("alice")))
        bench.add(alice, to: bob)
        let invisible = bench.engine.presence(of: alice, seenBy: bob)
        #expect(invisible == .forbidden)
        #expect(bench.engine.presence(of: try local("nobody"), seenBy: bob) == invisible)
    }

    @Test func `taking back the leave stops delivery at once, and nothing says goodbye`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try local("bob"))
        bench.befriend(alice, bob)
        let stream = bench.listen(on: try device("bob"))
        let position = bench.engine.changes(for: bob, after: nil).position
        bench.effects = []
        bench.perform(.requestDenied(observed: alice, observer: bob))
        #expect(!bench.effects.contains(.wake(stream)))
        bench.perform(.statusChosen(try device("alice"), .busy, text: "alone"))
        #expect(!bench.effects.contains(.wake(stream)))
        #expect(bench.engine.changes(for: bob, after: position).sightings.isEmpty)
        #expect(bench.engine.changes(for: bob, after: nil).sightings.isEmpty)
        #expect(bench.engine.presence(of: alice, seenBy: bob) == .forbidden)
        #expect(bench.entry(of: alice, on: bob) == .denied)
    }

    @Test func `who blocks is not seen by the blocked, not even in a room`() throws {
        var bench = try bench(knowing: ["alice", "bob"])
        let (alice, bob) = (try local("alice"), try local("bob"))
        bench.gather([alice, bob], in: try RoomID(parsing: "!a:here.example"))
        let stream = bench.listen(on: try device("bob"))
        let position = bench.engine.changes(for: bob, after: nil).position
        bench.perform(.userBlocked(by: alice, bob))
        bench.effects = []
        bench.perform(.statusChosen(try device("alice"), .busy, text: nil))
        #expect(!bench.effects.contains(.wake(stream)))
        #expect(bench.engine.changes(for: bob, after: position).sightings.isEmpty)
        #expect(bench.engine.presence(of: alice, seenBy: bob) == .forbidden)
        #expect(bench.engine.presence(of: bob, seenBy: alice) != .forbidden)
        // Until they are not blocked any more.
        bench.effects = []
        bench.perform(.userUnblocked(by: alice, bob))
        #expect(bench.effects.contains(.wake(stream)))
        #expect(bench.engine.changes(for: bob, after: position).sightings.map(\.user) == [alice])
    }

    @Test func `the consents of a user are bounded`() throws {
        var configuration = PresenceEngine.Configuration()
        configuration.consentsPerUser = 2
        configuration.requestsPerUser = 2
        var bench = try bench(knowing: ["alice"], configuration)
        let alice = try local("alice")
        for name in ["bob", "carol"] { bench.perform(.userBlocked(by: alice, try local(name))) }
        let third = PresenceEngine.Event.userBlocked(by: alice, try local("dave"))
        #expect(bench.engine.refusal(of: third) == .consentsFull(limit: 2) && bench.perform(third).isEmpty)
        #expect(bench.engine.refusal(of: .userBlocked(by: alice, alice)) == .oneself)
        // Whom she blocks takes nobody's place who asks.
        bench.perform(.listPolicyChosen(alice, .acceptAll))
        for name in ["erin", "frank", "grace"] { bench.add(alice, to: try local(name)) }
        let states = try ["erin", "frank", "grace"].map { bench.entry(of: alice, on: try local($0)) }
        #expect(states == [.accepted, .accepted, .denied])
    }

    @Test func `one other server alone cannot fill up what waits for a user`() throws {
        var configuration = PresenceEngine.Configuration()
        configuration.requestsPerServer = 3
        var bench = try bench(knowing: ["alice"], configuration)
        let alice = try local("alice")
        for number in 0..<5 {
            let spammer = try remote("spam\(number)")
            bench.perform(.permissionReceived(PermissionMessage(.invite, observed: alice, observer: spammer)))
        }
        #expect(bench.engine.requests(to: alice).count == 3)
        let friend = try remote("friend", at: "other.example")
        bench.perform(.permissionReceived(PermissionMessage(.invite, observed: alice, observer: friend)))
        bench.add(alice, to: try local("bob"))
        #expect(bench.engine.requests(to: alice).count == 5)
    }

    @Test func `a position does not tell what happens out of the observer's sight`() throws {
        var bench = try PresenceBench()
        let bob = try local("bob")
        _ = bench.listen(on: try device("bob"))
        let position = bench.engine.changes(for: bob, after: nil).position
        for state in [ChosenState.online, .busy, .offline] {
            bench.perform(.statusChosen(try device("alice"), state, text: nil))
            #expect(bench.engine.changes(for: bob, after: position).position == position)
        }
    }
}

@Suite struct `Rooms` {
    private let room = try? RoomID(parsing: "!a:here.example")

    @Test func `make their members visible to each other while both are in`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try local("bob"))
        let room = try #require(room)
        let stream = bench.listen(on: try device("bob"))
        let position = bench.engine.changes(for: bob, after: nil).position
        bench.perform(.deviceSeen(try device("alice")))
        bench.perform(.roomJoined(bob, room))
        bench.effects = []
        bench.perform(.roomJoined(alice, room))
        #expect(bench.effects.contains(.wake(stream)))
        let changes = bench.engine.changes(for: bob, after: position)
        #expect(changes.sightings.map(\.user) == [alice])
        bench.perform(.roomLeft(alice, room))
        bench.effects = []
        bench.perform(.statusChosen(try device("alice"), .busy, text: nil))
        #expect(!bench.effects.contains(.wake(stream)))
        #expect(bench.engine.changes(for: bob, after: changes.position).sightings.isEmpty)
        #expect(bench.engine.presence(of: alice, seenBy: bob) == .forbidden)
    }

    @Test func `excluded ones make nobody visible`() throws {
        let room = try #require(room)
        var configuration = PresenceEngine.Configuration()
        configuration.excludedRooms = [room]
        var bench = try PresenceBench(configuration)
        let (alice, bob, carol) = (try local("alice"), try local("bob"), try remote("carol"))
        bench.gather([alice, bob, carol], in: room)
        #expect(bench.engine.presence(of: alice, seenBy: bob) == .forbidden)
        #expect(!bench.effects.contains(.audienceAdded(alice, carol.server)))
        #expect(bench.engine.members(of: room).count == 3)
    }

    @Test func `a join is news for those who did not see each other, and for nobody else`() throws {
        var bench = try PresenceBench()
        let room = try #require(room)
        let (alice, bob, carol) = (try local("alice"), try local("bob"), try local("carol"))
        bench.gather([alice, bob], in: room)
        bench.befriend(alice, carol)
        let streams = ["alice", "bob", "carol"].compactMap { name in (try? device(name)).map { bench.listen(on: $0) } }
        let positions = [alice, bob, carol].map { bench.engine.changes(for: $0, after: nil).position }
        bench.effects = []
        bench.perform(.roomJoined(carol, room))
        #expect(!bench.effects.contains(.wake(streams[0])))
        #expect(bench.effects.contains(.wake(streams[1])) && bench.effects.contains(.wake(streams[2])))
        let news = zip([alice, bob, carol], positions).map {
            bench.engine.changes(for: $0, after: $1).sightings.map(\.user)
        }
        #expect(news == [[], [carol], [bob]])
    }

    @Test func `a change of before a join is not missed by who reads on from before it`() throws {
        var bench = try PresenceBench()
        let room = try #require(room)
        let (alice, bob) = (try local("alice"), try local("bob"))
        bench.befriend(alice, bob)
        bench.perform(.roomJoined(bob, room))
        _ = bench.listen(on: try device("bob"))
        let position = bench.engine.changes(for: bob, after: nil).position
        bench.perform(.statusChosen(try device("alice"), .busy, text: nil))
        // Shown already, so her join is no arrival; then only the room shows her.
        bench.perform(.roomJoined(alice, room))
        bench.perform(.requestDenied(observed: alice, observer: bob))
        #expect(bench.engine.changes(for: bob, after: position).sightings.map(\.user) == [alice])
    }

    @Test func `who became visible while nobody listened is not missed by who comes back`() throws {
        for joins in [true, false] {
            var bench = try bench(knowing: ["alice", "bob"])
            let room = try #require(room)
            let (alice, bob) = (try local("alice"), try local("bob"))
            bench.perform(.roomJoined(bob, room))
            bench.add(alice, to: bob)
            let stream = bench.listen(on: try device("bob"), .offline)
            let position = bench.engine.changes(for: bob, after: nil).position
            bench.perform(.streamClosed(stream))
            if joins {
                bench.perform(.roomJoined(alice, room))
            } else {
                bench.perform(.requestAccepted(observed: alice, observer: bob))
            }
            _ = bench.listen(on: try device("bob"), .offline)
            #expect(bench.engine.changes(for: bob, after: position).sightings.map(\.user) == [alice])
        }
    }

    @Test func `an observer who misses too many arrivals gets everything anew`() throws {
        var configuration = PresenceEngine.Configuration()
        configuration.arrivalsPerUser = 3
        var bench = try PresenceBench(configuration)
        let room = try #require(room)
        let bob = try local("bob")
        _ = bench.listen(on: try device("bob"))
        bench.perform(.roomJoined(bob, room))
        let position = bench.engine.changes(for: bob, after: nil).position
        var names: [UserID] = []
        for number in 0..<10 {
            names.append(try local("user\(number)"))
            bench.perform(.roomJoined(names[number], room))
        }
        #expect(Set(bench.engine.changes(for: bob, after: position).sightings.map(\.user)) == Set(names))
    }

    @Test func `a client that touches no presence reads on between its polls, and learns nothing of strangers`() throws
    {
        var bench = try PresenceBench()
        let (alice, bob, eve) = (try local("alice"), try local("bob"), try local("eve"))
        bench.befriend(alice, bob)
        bench.befriend(bob, try local("carol"))
        func poll(_ user: String, _ position: PresenceEngine.Position?) throws -> PresenceEngine.Changes {
            let stream = bench.listen(on: try device(user), .offline)
            defer { bench.perform(.streamClosed(stream)) }
            return bench.engine.changes(for: try local(user), after: position)
        }
        var (bobs, eves) = (try poll("bob", nil).position, try poll("eve", nil).position)
        for text in ["1", "2", "3"] {
            bench.perform(.statusChosen(try device("alice"), .online, text: text))
            let (seen, guessed) = (try poll("bob", bobs), try poll("eve", eves))
            #expect(seen.sightings.map(\.user) == [alice] && !seen.isSnapshot)
            #expect(guessed.sightings.isEmpty && guessed.own == nil && guessed.position == eves)
            (bobs, eves) = (seen.position, guessed.position)
        }
        #expect(bench.engine.presence(of: alice, seenBy: eve) == .forbidden)
    }

    @Test func `whoever was away while somebody joined gets everything anew`() throws {
        var bench = try PresenceBench()
        let room = try #require(room)
        let (alice, bob) = (try local("alice"), try local("bob"))
        bench.gather([alice, bob], in: room)
        let first = bench.listen(on: try device("bob"))
        let position = bench.engine.changes(for: bob, after: nil).position
        bench.perform(.streamClosed(first))
        bench.pass(.minutes(1))
        let second = bench.listen(on: try device("bob"))
        #expect(bench.engine.changes(for: bob, after: position).sightings.isEmpty)
        bench.perform(.streamClosed(second))
        bench.pass(.minutes(1))
        let carol = try local("carol")
        bench.perform(.roomJoined(carol, room))
        _ = bench.listen(on: try device("bob"))
        let changes = bench.engine.changes(for: bob, after: position)
        #expect(changes.isSnapshot && Set(changes.sightings.map(\.user)) == [alice, carol])
        #expect(!bench.engine.changes(for: bob, after: changes.position).isSnapshot)
    }

    @Test func `a server with a member is an audience while one is there who is not blocked`() throws {
        var bench = try PresenceBench()
        let room = try #require(room)
        let (alice, carol, dave) = (try local("alice"), try remote("carol"), try remote("dave"))
        let server = carol.server
        bench.perform(.roomJoined(alice, room))
        #expect(bench.perform(.roomJoined(carol, room)).contains(.audienceAdded(alice, server)))
        #expect(!bench.perform(.roomJoined(dave, room)).contains(.audienceAdded(alice, server)))
        #expect(!bench.perform(.userBlocked(by: alice, carol)).contains(.audienceRemoved(alice, server)))
        #expect(bench.perform(.roomLeft(dave, room)).contains(.audienceRemoved(alice, server)))
        #expect(bench.perform(.userUnblocked(by: alice, carol)).contains(.audienceAdded(alice, server)))
        #expect(bench.perform(.roomForgotten(room)).contains(.audienceRemoved(alice, server)))
        #expect(bench.engine.members(of: room).isEmpty && bench.engine.allRooms.isEmpty)
    }

    @Test func `of one user are bounded`() throws {
        var configuration = PresenceEngine.Configuration()
        configuration.roomsPerUser = 1
        var bench = try PresenceBench(configuration)
        let (alice, room) = (try local("alice"), try #require(room))
        bench.perform(.roomJoined(alice, room))
        let second = PresenceEngine.Event.roomJoined(alice, try RoomID(parsing: "!b:here.example"))
        #expect(bench.engine.refusal(of: second) == .roomsFull(limit: 1) && bench.perform(second).isEmpty)
        #expect(bench.engine.refusal(of: .roomJoined(alice, room)) == nil)
    }
}

@Suite struct `What is new for an observer` {
    @Test func `changes come in their order, each user once, and not again`() throws {
        var bench = try PresenceBench()
        let alice = try local("alice")
        for name in ["bob", "carol", "dave"] { bench.befriend(alice, try local(name)) }
        _ = bench.listen(on: try device("alice"))
        let position = bench.engine.changes(for: alice, after: nil).position
        for name in ["dave", "bob", "carol", "dave"] {
            bench.perform(.statusChosen(try device(name), .online, text: "\(bench.engine.version)"))
        }
        let changes = bench.engine.changes(for: alice, after: position)
        #expect(changes.sightings.map(\.user) == [try local("bob"), try local("carol"), try local("dave")])
        #expect(changes.position.version > position.version && changes.own == nil)
        let later = bench.engine.changes(for: alice, after: changes.position)
        #expect(later.sightings.isEmpty && later.own == nil && later.position == changes.position)
    }

    @Test func `the first look shows everyone visible and the observer, and nobody never heard of`() throws {
        var bench = try PresenceBench()
        let alice = try local("alice")
        bench.befriend(alice, try local("bob"))
        bench.befriend(alice, try remote("carol"))
        bench.add(try local("stranger"), to: alice)
        let first = bench.engine.changes(for: alice, after: nil)
        #expect(first.sightings.map(\.user) == [try local("bob")] && first.own != nil)
        bench.perform(.remoteReported(try remote("carol"), Presence(state: .busy), goodUntil: nil))
        #expect(bench.engine.changes(for: alice, after: nil).sightings.map(\.user).contains(try remote("carol")))
    }

    @Test func `a change wakes every stream of every observer once, and of the user`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try local("bob"))
        bench.befriend(alice, bob)
        bench.gather([alice, bob], in: try RoomID(parsing: "!a:here.example"))
        let streams = [
            bench.listen(on: try device("bob", "phone")), bench.listen(on: try device("bob", "watch"), .offline),
        ]
        let own = bench.listen(on: try device("alice"))
        let stranger = bench.listen(on: try device("carol"))
        let effects = bench.perform(.statusChosen(try device("alice"), .busy, text: nil))
        for stream in streams { #expect(effects.filter { $0 == .wake(stream) }.count == 1) }
        #expect(effects.contains(.wake(own)) && !effects.contains(.wake(stranger)))
    }

    @Test func `what a user picks is told to all their devices, also where others see no difference`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try local("bob"))
        bench.befriend(alice, bob)
        let watch = bench.listen(on: try device("alice", "watch"))
        let other = bench.listen(on: try device("bob"))
        bench.perform(.statusChosen(try device("alice"), .hidden, text: nil))
        let (mine, theirs) = (
            bench.engine.changes(for: alice, after: nil).position, bench.engine.changes(for: bob, after: nil).position
        )
        bench.effects = []
        bench.perform(.statusChosen(try device("alice"), .hidden, text: "secret"))
        #expect(bench.effects.contains(.wake(watch)) && !bench.effects.contains(.wake(other)))
        let own = bench.engine.changes(for: alice, after: mine).own
        #expect(own?.effective == .hidden && own?.effectiveText == "secret")
        // Not even the number of the position moves for others.
        #expect(bench.engine.changes(for: bob, after: theirs).position == theirs)
    }

    @Test func `a request is told to the devices of who is asked`() throws {
        var bench = try bench(knowing: ["alice"])
        let stream = bench.listen(on: try device("alice"))
        let position = bench.engine.changes(for: try local("alice"), after: nil).position
        let effects = bench.add(try local("alice"), to: try local("bob"))
        #expect(effects.contains(.wake(stream)))
        #expect(bench.engine.changes(for: try local("alice"), after: position).own?.waitingRequests == 1)
    }
}
