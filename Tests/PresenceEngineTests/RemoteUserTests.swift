import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

@Suite struct `Permission between servers` {
    @Test func `a user of another server is asked, and shown when their server agrees`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        _ = bench.listen(on: try device("alice"))
        let asked = bench.add(bob, to: alice, note: "it is me")
        guard case .permission(let invite)? = asked.first(where: { if case .permission = $0 { true } else { false } })
        else { return #expect(Bool(false), "nothing was asked") }
        #expect(invite.kind == .invite && invite.note == "it is me" && invite.destination == bob.server)
        #expect(bench.entry(of: bob, on: alice) == .pending)
        bench.perform(.remoteReported(bob, Presence(state: .busy), goodUntil: nil))
        #expect(bench.engine.presence(of: bob, seenBy: alice) == .forbidden)
        #expect(bench.engine.changes(for: alice, after: nil).sightings.isEmpty)
        let accepted = bench.perform(
            .permissionReceived(
                PermissionMessage(.accept, observed: bob, observer: alice, request: invite.request)))
        #expect(accepted.contains(.interestBegan(bob, knows: true)))
        #expect(bench.engine.presence(of: bob, seenBy: alice) == .visible(.known(Presence(state: .busy))))
        #expect(bench.engine.changes(for: alice, after: nil).sightings.map(\.user) == [bob])
    }

    @Test func `the leave of one user is no leave for another of the same server`() throws {
        var bench = try PresenceBench()
        let bob = try remote("bob")
        bench.befriend(try local("alice"), bob)
        bench.add(bob, to: try local("carol"))
        bench.perform(.remoteReported(bob, Presence(state: .busy), goodUntil: nil))
        #expect(bench.engine.presence(of: bob, seenBy: try local("alice")) != .forbidden)
        #expect(bench.engine.presence(of: bob, seenBy: try local("carol")) == .forbidden)
    }

    @Test func `answers nobody asked for, to earlier requests, or again, change nothing`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        func answer(_ kind: PermissionMessage.Kind, _ request: Int64?) -> PresenceEngine.Event {
            .permissionReceived(PermissionMessage(kind, observed: bob, observer: alice, request: request))
        }
        for kind in [PermissionMessage.Kind.accept, .deny] { #expect(bench.perform(answer(kind, nil)).isEmpty) }
        bench.add(bob, to: alice)
        let first = try #require(bench.engine.list(of: alice).first?.entry.request)
        bench.perform(answer(.accept, first))
        #expect(bench.perform(answer(.accept, first)).isEmpty)
        bench.perform(answer(.deny, first))
        #expect(bench.entry(of: bob, on: alice) == .denied)
        // An answer without a number could be to any request; one with it is the latest word.
        #expect(bench.perform(answer(.accept, nil)).isEmpty)
        bench.perform(answer(.accept, first))
        #expect(bench.entry(of: bob, on: alice) == .accepted)
        bench.perform(answer(.deny, first))
        bench.add(bob, to: alice)
        let second = try #require(bench.engine.list(of: alice).first?.entry.request)
        #expect(second > first)
        // The answer to the first request comes late, or is played again.
        #expect(bench.perform(answer(.accept, first)).isEmpty && bench.perform(answer(.deny, first)).isEmpty)
        #expect(bench.entry(of: bob, on: alice) == .pending)
        bench.perform(answer(.accept, nil))
        #expect(bench.entry(of: bob, on: alice) == .accepted)
    }

    @Test func `an invitation waits for the user, and is answered with its number`() throws {
        var bench = try bench(knowing: ["alice"])
        let (alice, bob) = (try local("alice"), try remote("bob"))
        let invite = PermissionMessage(.invite, observed: alice, observer: bob, request: 7, note: "hi")
        bench.perform(.permissionReceived(invite))
        #expect(bench.engine.requests(to: alice).map(\.note) == ["hi"])
        var again = invite
        (again.request, again.note) = (9, "hello?")
        let repeated = bench.perform(.permissionReceived(again))
        #expect(repeated.allSatisfy { if case .permission = $0 { false } else { true } })
        #expect(bench.engine.requests(to: alice).map(\.note) == ["hello?"])
        let accepted = bench.perform(.requestAccepted(observed: alice, observer: bob))
        #expect(accepted.contains(.permission(PermissionMessage(.accept, observed: alice, observer: bob, request: 9))))
        #expect(accepted.contains(.audienceAdded(alice, bob.server)))
        // An earlier request that comes late is overtaken.
        #expect(bench.perform(.permissionReceived(invite)).isEmpty)
        // Whoever asks again is told again, and so is who did not hear of it.
        #expect(
            bench.perform(.permissionReceived(again)).contains(
                .permission(PermissionMessage(.accept, observed: alice, observer: bob, request: 9))))
        let revoked = bench.perform(.requestDenied(observed: alice, observer: bob))
        #expect(revoked.contains(.permission(PermissionMessage(.deny, observed: alice, observer: bob, request: 9))))
        #expect(revoked.contains(.audienceRemoved(alice, bob.server)))
    }

    @Test func `who is denied by a new policy does not wait any more`() throws {
        var bench = try bench(knowing: ["alice"])
        let (alice, bob, carol) = (try local("alice"), try remote("bob"), try local("carol"))
        let invite = PermissionMessage(.invite, observed: alice, observer: bob, request: 1)
        bench.perform(.permissionReceived(invite))
        bench.add(alice, to: carol)
        #expect(bench.engine.requests(to: alice).count == 2)
        bench.perform(.listPolicyChosen(alice, .denyAll))
        bench.perform(.permissionReceived(invite))
        bench.add(alice, to: carol)
        #expect(bench.engine.requests(to: alice).isEmpty && bench.entry(of: alice, on: carol) == .denied)
        #expect(bench.engine.refusal(of: .requestAccepted(observed: alice, observer: bob)) == .noSuchRequest)
    }

    @Test func `who asks for nobody is denied, and nothing is kept`() throws {
        var bench = try PresenceBench()
        for number in 0..<3 {
            let invite = PermissionMessage(
                .invite, observed: try local("nobody"), observer: try remote("user\(number)"), request: 1)
            var answer = invite
            answer.kind = .deny
            #expect(bench.perform(.permissionReceived(invite)) == [.permission(answer)])
            #expect(bench.engine.knowledge(of: invite.observer) == nil)
        }
    }

    @Test func `requests that cross become leave both ways`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        bench.add(bob, to: alice)
        let effects = bench.perform(.permissionReceived(PermissionMessage(.invite, observed: alice, observer: bob)))
        #expect(effects.contains(.permission(PermissionMessage(.accept, observed: alice, observer: bob))))
        #expect(bench.engine.granted(by: alice) == [bob])
        // And where the other side asked first.
        let (carol, dave) = (try local("carol"), try remote("dave"))
        bench.perform(.userKnown(carol))
        bench.perform(.permissionReceived(PermissionMessage(.invite, observed: carol, observer: dave)))
        let added = bench.add(dave, to: carol)
        #expect(added.contains(.permission(PermissionMessage(.accept, observed: carol, observer: dave))))
    }

    @Test func `an invitation that was not told yet need not be`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        bench.add(bob, to: alice)
        let removed = bench.perform(.entryRemoved(observer: alice, observed: bob))
        #expect(removed.contains { if case .permissionWithdrawn = $0 { true } else { false } })
        bench.befriend(alice, bob)
        let later = bench.perform(.entryRemoved(observer: alice, observed: bob))
        #expect(!later.contains { if case .permissionWithdrawn = $0 { true } else { false } })
    }

    @Test func `who blocks a user of another server tells it no more than a denial`() throws {
        var bench = try bench(knowing: ["alice"])
        let (alice, bob) = (try local("alice"), try remote("bob"))
        #expect(bench.perform(.userBlocked(by: alice, bob)).allSatisfy { if case .save = $0 { true } else { false } })
        let invite = PermissionMessage(.invite, observed: alice, observer: bob, request: 3)
        var denial = invite
        denial.kind = .deny
        #expect(bench.perform(.permissionReceived(invite)) == [.permission(denial)])
        bench.befriend(alice, try remote("carol"))
        let blocked = bench.perform(.userBlocked(by: alice, try remote("carol")))
        #expect(blocked.contains(.permission(PermissionMessage(.deny, observed: alice, observer: try remote("carol")))))
    }
}

@Suite struct `Interest` {
    @Test func `begins with the first connected observer and ends with the last`() throws {
        var bench = try PresenceBench()
        let bob = try remote("bob")
        for name in ["alice", "carol"] { bench.befriend(try local(name), bob) }
        #expect(!bench.effects.contains(.interestBegan(bob, knows: false)))
        #expect(bench.perform(.deviceSeen(try device("alice"))).contains(.interestBegan(bob, knows: false)))
        bench.pass(.seconds(20))
        #expect(!bench.perform(.deviceSeen(try device("carol"))).contains(.interestBegan(bob, knows: false)))
        #expect(!bench.pass(.seconds(29)).contains(.interestEnded(bob)))
        #expect(bench.pass(.seconds(1)).contains(.interestEnded(bob)))
    }

    @Test func `is not counted before there is leave, nor after the entry is gone`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        _ = bench.listen(on: try device("alice"))
        #expect(!bench.add(bob, to: alice).contains(.interestBegan(bob, knows: false)))
        bench.befriend(alice, bob)
        #expect(bench.effects.contains(.interestBegan(bob, knows: false)))
        #expect(bench.perform(.entryRemoved(observer: alice, observed: bob)).contains(.interestEnded(bob)))
        #expect(bench.perform(.entryRemoved(observer: alice, observed: bob)).isEmpty)
    }

    @Test(arguments: [ChosenState.hidden, .offline])
    func `a user who hides or is offline by choice causes none, unless the operator says so`(state: ChosenState) throws
    {
        for cares in [false, true] {
            var configuration = PresenceEngine.Configuration()
            configuration.hiddenUsersCare = cares
            var bench = try PresenceBench(configuration)
            let bob = try remote("bob")
            bench.befriend(try local("alice"), bob)
            _ = bench.listen(on: try device("alice"))
            bench.effects = []
            bench.perform(.statusChosen(try device("alice"), state, text: nil))
            #expect(bench.effects.contains(.interestEnded(bob)) == !cares)
            bench.perform(.statusChosen(try device("alice"), .online, text: nil))
            #expect(bench.effects.contains(.interestBegan(bob, knows: false)) == !cares)
        }
    }

    @Test func `goes to members of a room while somebody in it cares`() throws {
        var bench = try PresenceBench()
        let (alice, bob, carol) = (try local("alice"), try remote("bob"), try remote("carol"))
        let room = try RoomID(parsing: "!a:here.example")
        bench.gather([alice, bob, try local("dave")], in: room)
        let began = PresenceEngine.Effect.interestBegan(bob, knows: false)
        #expect(bench.perform(.deviceSeen(try device("alice"))).contains(began))
        #expect(!bench.perform(.deviceSeen(try device("dave"))).contains(began))
        #expect(bench.perform(.roomJoined(carol, room)).contains(.interestBegan(carol, knows: false)))
        #expect(bench.perform(.roomLeft(carol, room)).contains(.interestEnded(carol)))
        #expect(!bench.perform(.statusChosen(try device("alice"), .hidden, text: nil)).contains(.interestEnded(bob)))
        #expect(bench.perform(.roomLeft(try local("dave"), room)).contains(.interestEnded(bob)))
        #expect(bench.perform(.statusChosen(try device("alice"), .online, text: nil)).contains(began))
        #expect(bench.pass(.minutes(1)).contains(.interestEnded(bob)))
    }

    @Test func `is what was asked for expressly while that holds, with or without a client`() throws {
        var bench = try PresenceBench()
        let (alice, bob, carol) = (try local("alice"), try remote("bob"), try remote("carol"))
        let friends = try GroupName(parsing: "friends")
        for user in [bob, carol] { bench.befriend(alice, user) }
        bench.perform(.groupAdded(alice, friends))
        bench.perform(.memberAdded(alice, friends, bob))
        // Without a client.
        let until = bench.now + .minutes(10)
        let asked = bench.perform(.interestSet(alice, .selected(groups: [friends], users: []), until: until))
        #expect(asked == [.interestBegan(bob, knows: false)])
        // A client narrows what it implies.
        #expect(!bench.perform(.deviceSeen(try device("alice"))).contains(.interestBegan(carol, knows: false)))
        _ = bench.listen(on: try device("alice"))
        let widened = bench.perform(.interestSet(alice, nil, until: until))
        #expect(widened.contains(.interestBegan(carol, knows: false)) && !widened.contains(.interestEnded(bob)))
        let nobody = bench.perform(.interestSet(alice, .selected(groups: [], users: []), until: until))
        #expect(nobody.contains(.interestEnded(bob)) && nobody.contains(.interestEnded(carol)))
        // And its end is the end.
        let over = bench.pass(.minutes(10))
        #expect(over.contains(.interestBegan(bob, knows: false)) && over.contains(.interestBegan(carol, knows: false)))
        #expect(bench.engine.interest(of: alice) == nil)
    }

    @Test func `follows the group it names`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        let friends = try GroupName(parsing: "friends")
        bench.befriend(alice, bob)
        bench.perform(.groupAdded(alice, friends))
        bench.perform(.interestSet(alice, .selected(groups: [friends], users: []), until: bench.now + .minutes(10)))
        #expect(bench.perform(.memberAdded(alice, friends, bob)).contains(.interestBegan(bob, knows: false)))
        #expect(bench.perform(.memberRemoved(alice, friends, bob)).contains(.interestEnded(bob)))
    }

    @Test func `goes to who shares a room, if named, and is refused for strangers and missing groups`() throws {
        var bench = try PresenceBench()
        let (alice, zoe) = (try local("alice"), try remote("zoe"))
        let room = try RoomID(parsing: "!a:here.example")
        let named = PresenceEngine.Event.interestSet(
            alice, .selected(groups: [], users: [zoe]), until: bench.now + .minutes(10))
        #expect(bench.engine.refusal(of: named) == .notVisible && bench.perform(named).isEmpty)
        bench.gather([alice, zoe], in: room)
        #expect(bench.perform(named).contains(.interestBegan(zoe, knows: false)))
        #expect(bench.perform(.roomLeft(zoe, room)).contains(.interestEnded(zoe)))
        let group = PresenceEngine.Event.interestSet(
            alice, .selected(groups: [try GroupName(parsing: "gone")], users: []), until: bench.now)
        #expect(bench.engine.refusal(of: group) == .noSuchGroup)
    }

    @Test func `is cut to the longest time`() throws {
        var bench = try PresenceBench()
        let alice = try local("alice")
        bench.perform(.interestSet(alice, .wholeList, until: bench.now + .hours(100)))
        #expect(bench.engine.interest(of: alice)?.until == bench.now + .hours(1))
    }
}

@Suite struct `Users of other servers` {
    @Test func `what a server says of its user is good until it said, then nothing is known`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        bench.befriend(alice, bob)
        let stream = bench.listen(on: try device("alice"))
        #expect(bench.engine.knowledge(of: bob) == .unknown(.neverHeard, since: .epoch))
        bench.perform(.remoteReported(bob, Presence(state: .busy), goodUntil: bench.now + .minutes(5)))
        bench.pass(.milliseconds(299_999))
        #expect(bench.state(of: bob) == .busy)
        #expect(bench.pass(.milliseconds(1)).contains(.wake(stream)))
        let unknown = Knowledge.unknown(.promiseLapsed, since: bench.now)
        #expect(bench.engine.knowledge(of: bob) == unknown)
        #expect(bench.engine.changes(for: alice, after: nil).sightings.map(\.knowledge) == [unknown])
        #expect(bench.engine.list(of: alice).map(\.knowledge) == [unknown])
    }

    @Test func `a server that was told it need not report leaves nothing known, and says why`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        bench.befriend(alice, bob)
        bench.perform(.remoteReported(bob, Presence(state: .busy), goodUntil: bench.now + .minutes(5)))
        bench.perform(.remoteLapsed(bob, .notAsked))
        #expect(bench.engine.knowledge(of: bob) == .unknown(.notAsked, since: bench.now))
    }

    @Test func `a report without an age keeps the old one, and one that says the same wakes nobody`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        bench.befriend(alice, bob)
        let stream = bench.listen(on: try device("alice"))
        let active = bench.now
        bench.perform(.remoteReported(bob, Presence(state: .busy, lastActive: active), goodUntil: nil))
        let effects = bench.perform(.remoteReported(bob, Presence(state: .busy), goodUntil: nil))
        #expect(!effects.contains(.wake(stream)))
        #expect(bench.presence(of: bob)?.lastActive == active)
    }

    @Test func `nothing is kept of who is on no list and in no room`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        #expect(bench.perform(.remoteReported(bob, Presence(state: .busy), goodUntil: nil)).isEmpty)
        bench.befriend(alice, bob)
        bench.perform(.remoteReported(bob, Presence(state: .busy), goodUntil: nil))
        #expect(bench.saved.remotes.map(\.user) == [bob])
        bench.perform(.entryRemoved(observer: alice, observed: bob))
        #expect(bench.saved.remotes.isEmpty)
        #expect(bench.state(of: bob) == nil)
        #expect(bench.perform(.remoteReported(bob, Presence(state: .busy), goodUntil: nil)).isEmpty)
        let room = try RoomID(parsing: "!a:here.example")
        bench.gather([alice, bob], in: room)
        bench.perform(.remoteReported(bob, Presence(state: .busy), goodUntil: nil))
        #expect(bench.state(of: bob) == .busy)
        bench.perform(.roomLeft(bob, room))
        #expect(bench.state(of: bob) == nil)
    }

    @Test func `names that nobody has to do with any more do not fill the memory`() throws {
        var bench = try bench(knowing: ["alice"])
        let (alice, friend) = (try local("alice"), try remote("friend"))
        bench.befriend(alice, friend)
        let room = try RoomID(parsing: "!a:here.example")
        for number in 0..<100 {
            let (bob, carol) = (try remote("bob\(number)"), try local("nobody\(number)"))
            bench.add(bob, to: alice)
            bench.perform(.userBlocked(by: alice, bob))
            bench.perform(.permissionReceived(PermissionMessage(.invite, observed: alice, observer: bob)))
            bench.perform(.userUnblocked(by: alice, bob))
            bench.perform(.permissionReceived(PermissionMessage(.invite, observed: alice, observer: bob)))
            bench.perform(.requestDenied(observed: alice, observer: bob))
            bench.gather([alice, bob], in: room)
            bench.perform(.roomForgotten(room))
            bench.perform(.entryRemoved(observer: alice, observed: bob))
            bench.add(carol, to: alice)
            bench.perform(.entryRemoved(observer: alice, observed: carol))
            #expect(bench.engine.knowledge(of: bob) == nil && bench.engine.knowledge(of: carol) == nil)
        }
        #expect(bench.engine.userCount == 2)
        #expect(bench.engine.granted(by: alice) == [friend] && bench.entry(of: friend, on: alice) == .accepted)
    }

    @Test func `a server cannot say what a local user is`() throws {
        var bench = try PresenceBench()
        bench.perform(.deviceSeen(try device("alice")))
        #expect(
            bench.perform(.remoteReported(try local("alice"), Presence(state: .busy), goodUntil: nil)).isEmpty)
        #expect(bench.state(of: try local("alice")) == .online)
    }
}
