import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

/// A bench whose users are known to the server.
func bench(
    knowing names: [String], _ configuration: PresenceEngine.Configuration = PresenceEngine.Configuration()
) throws -> PresenceBench {
    var bench = try PresenceBench(configuration)
    for name in names { bench.perform(.userKnown(try local(name))) }
    bench.effects = []
    return bench
}

@Suite struct `A presence list` {
    @Test func `asks, and shows nothing before the answer`() throws {
        var bench = try bench(knowing: ["alice", "bob"])
        let (alice, bob) = (try local("alice"), try local("bob"))
        bench.perform(.deviceSeen(try device("alice")))
        bench.add(alice, to: bob, note: "it is me", acl: "acl:7")
        #expect(bench.entry(of: alice, on: bob) == .pending)
        #expect(bench.engine.requests(to: alice).map(\.user) == [bob])
        #expect(bench.engine.requests(to: alice).first?.note == "it is me")
        #expect(bench.engine.ownState(of: alice).waitingRequests == 1)
        #expect(bench.engine.list(of: bob).first?.entry.acl == "acl:7")
        #expect(bench.engine.list(of: bob).first?.knowledge == nil)
        #expect(bench.engine.presence(of: alice, seenBy: bob) == .forbidden)

        bench.perform(.requestAccepted(observed: alice, observer: bob))
        #expect(bench.entry(of: alice, on: bob) == .accepted)
        #expect(bench.engine.granted(by: alice) == [bob] && bench.engine.requests(to: alice).isEmpty)
        #expect(bench.engine.presence(of: alice, seenBy: bob) != .forbidden)
        // One way only.
        #expect(bench.engine.presence(of: bob, seenBy: alice) == .forbidden)
    }

    @Test func `is denied by who does not want, and may be asked again`() throws {
        var bench = try bench(knowing: ["alice", "bob"])
        let (alice, bob) = (try local("alice"), try local("bob"))
        bench.add(alice, to: bob)
        bench.perform(.requestDenied(observed: alice, observer: bob))
        #expect(bench.entry(of: alice, on: bob) == .denied)
        #expect(bench.engine.requests(to: alice).isEmpty && bench.saved.consents.isEmpty)
        bench.add(alice, to: bob, note: "please")
        #expect(bench.entry(of: alice, on: bob) == .pending)
        #expect(bench.engine.requests(to: alice).map(\.note) == ["please"])
    }

    @Test func `looks the same to who is denied, blocked, refused by policy, or asks for nobody`() throws {
        var configuration = PresenceEngine.Configuration()
        configuration.requestsPerUser = 1
        var bench = try bench(knowing: ["alice", "busy", "closed", "denies"], configuration)
        let bob = try local("bob")
        bench.perform(.userBlocked(by: try local("alice"), bob))
        bench.add(try local("busy"), to: try local("carol"))
        bench.perform(.listPolicyChosen(try local("closed"), .denyAll))
        for name in ["alice", "busy", "closed", "denies", "nobody"] {
            bench.add(try local(name), to: bob)
        }
        bench.perform(.requestDenied(observed: try local("denies"), observer: bob))
        let views = bench.engine.list(of: bob).map { ($0.entry.state, $0.knowledge) }
        #expect(views.count == 5 && views.allSatisfy { $0 == .denied && $1 == nil })
    }

    @Test func `is granted by itself where the one asked wants to see the asker`() throws {
        var bench = try bench(knowing: ["alice", "bob"])
        let (alice, bob) = (try local("alice"), try local("bob"))
        bench.add(alice, to: bob)
        bench.add(bob, to: alice)
        #expect(bench.entry(of: alice, on: bob) == .accepted && bench.entry(of: bob, on: alice) == .accepted)
        #expect(bench.engine.requests(to: alice).isEmpty && bench.engine.requests(to: bob).isEmpty)
    }

    @Test func `is not, where that is switched off`() throws {
        var configuration = PresenceEngine.Configuration()
        configuration.grantsMutually = false
        var bench = try bench(knowing: ["alice", "bob"], configuration)
        let (alice, bob) = (try local("alice"), try local("bob"))
        bench.add(alice, to: bob)
        bench.add(bob, to: alice)
        #expect(bench.entry(of: alice, on: bob) == .pending && bench.entry(of: bob, on: alice) == .pending)
    }

    @Test func `forgets who is taken off, while the leave stays for another time`() throws {
        var bench = try bench(knowing: ["alice", "bob"])
        let (alice, bob) = (try local("alice"), try local("bob"))
        bench.add(alice, to: bob)
        bench.perform(.entryRemoved(observer: bob, observed: alice))
        #expect(bench.engine.list(of: bob).isEmpty && bench.engine.requests(to: alice).isEmpty)
        bench.add(alice, to: bob)
        bench.perform(.requestAccepted(observed: alice, observer: bob))
        bench.perform(.entryRemoved(observer: bob, observed: alice))
        #expect(bench.engine.granted(by: alice) == [bob])
        bench.add(alice, to: bob)
        #expect(bench.entry(of: alice, on: bob) == .accepted)
    }

    @Test func `is bounded, and takes a known entry again`() throws {
        var configuration = PresenceEngine.Configuration()
        configuration.listEntriesPerUser = 2
        var bench = try bench(knowing: ["bob", "carol", "dave"], configuration)
        let alice = try local("alice")
        for name in ["bob", "carol"] { bench.add(try local(name), to: alice) }
        let further = PresenceEngine.Event.entryAdded(observer: alice, observed: try local("dave"), note: nil, acl: nil)
        #expect(bench.engine.refusal(of: further) == .listFull(limit: 2))
        #expect(bench.perform(further).isEmpty && bench.engine.list(of: alice).count == 2)
        bench.add(try local("bob"), to: alice, note: "again")
        #expect(bench.engine.list(of: alice).first?.entry.note == "again")
        bench.perform(.entryRemoved(observer: alice, observed: try local("bob")))
        #expect(bench.engine.refusal(of: further) == nil)
    }

    @Test func `is not for oneself`() throws {
        var bench = try bench(knowing: ["alice"])
        let alice = try local("alice")
        let event = PresenceEngine.Event.entryAdded(observer: alice, observed: alice, note: nil, acl: nil)
        #expect(bench.engine.refusal(of: event) == .oneself && bench.perform(event).isEmpty)
    }
}

@Suite struct `The policy of a list` {
    @Test func `is the user's, and else the server's`() throws {
        var configuration = PresenceEngine.Configuration()
        configuration.listPolicy = .acceptAll
        var bench = try bench(knowing: ["alice", "bob"], configuration)
        let (alice, bob) = (try local("alice"), try local("bob"))
        bench.add(alice, to: bob)
        #expect(bench.entry(of: alice, on: bob) == .accepted)
        bench.perform(.listPolicyChosen(alice, .ask))
        bench.add(alice, to: try local("carol"))
        #expect(bench.entry(of: alice, on: try local("carol")) == .pending)
        bench.perform(.listPolicyChosen(alice, nil))
        bench.add(alice, to: try local("dave"))
        #expect(bench.entry(of: alice, on: try local("dave")) == .accepted)
    }

    @Test func `accepts those who share a room, if so chosen`() throws {
        var configuration = PresenceEngine.Configuration()
        let lobby = try RoomID(parsing: "!lobby:here.example")
        configuration.excludedRooms = [lobby]
        var bench = try bench(knowing: ["alice"], configuration)
        let alice = try local("alice")
        bench.perform(.listPolicyChosen(alice, .acceptSharedRoom))
        bench.gather([alice, try local("bob")], in: try RoomID(parsing: "!a:here.example"))
        bench.gather([alice, try local("carol")], in: lobby)
        for name in ["bob", "carol", "dave"] { bench.add(alice, to: try local(name)) }
        let states = try ["bob", "carol", "dave"].map { bench.entry(of: alice, on: try local($0)) }
        #expect(states == [.accepted, .pending, .pending])
    }

    @Test func `of the server denies whole servers, whatever the user picked`() throws {
        var configuration = PresenceEngine.Configuration()
        configuration.listPolicyByServer = [try there("spam.example"): .denyAll, try there("good.example"): .acceptAll]
        var bench = try bench(knowing: ["alice"], configuration)
        let alice = try local("alice")
        bench.perform(.listPolicyChosen(alice, .acceptAll))
        let spam = try remote("eve", at: "spam.example")
        let denied = bench.perform(.permissionReceived(PermissionMessage(.invite, observed: alice, observer: spam)))
        #expect(denied == [.permission(PermissionMessage(.deny, observed: alice, observer: spam))])
        bench.perform(.listPolicyChosen(alice, nil))
        for (server, kind) in [("good.example", PermissionMessage.Kind.accept), ("spam.example", .deny)] {
            let observer = try remote("mallory", at: server)
            let effects = bench.perform(
                .permissionReceived(PermissionMessage(.invite, observed: alice, observer: observer)))
            #expect(effects.contains(.permission(PermissionMessage(kind, observed: alice, observer: observer))))
        }
        bench.perform(.listPolicyChosen(alice, .ask))
        let friend = try remote("friend", at: "good.example")
        bench.perform(.permissionReceived(PermissionMessage(.invite, observed: alice, observer: friend)))
        #expect(bench.engine.requests(to: alice).map(\.user) == [friend])
    }
}

@Suite struct `Groups` {
    @Test func `are made, renamed, filled and taken away, and the list stays`() throws {
        var bench = try bench(knowing: ["bob", "carol"])
        let (alice, bob, carol) = (try local("alice"), try local("bob"), try local("carol"))
        let (work, play) = (try GroupName(parsing: "work"), try GroupName(parsing: "play"))
        for user in [bob, carol] { bench.add(user, to: alice) }
        bench.perform(.groupAdded(alice, work))
        bench.perform(.groupAdded(alice, play))
        bench.perform(.memberAdded(alice, work, bob))
        bench.perform(.memberAdded(alice, play, bob))
        bench.perform(.memberAdded(alice, play, carol))
        #expect(bench.engine.groups(of: alice).map(\.name) == [play, work])
        #expect(bench.engine.groups(of: alice).map(\.members) == [[bob, carol], [bob]])
        #expect(bench.engine.list(of: alice, group: play).map(\.user) == [bob, carol])
        let zoo = try GroupName(parsing: "zoo")
        bench.perform(.groupRenamed(alice, play, to: zoo))
        #expect(bench.engine.groups(of: alice).map(\.members) == [[bob], [bob, carol]])
        bench.perform(.memberRemoved(alice, zoo, bob))
        #expect(bench.engine.list(of: alice, group: zoo).map(\.user) == [carol])
        bench.perform(.groupRemoved(alice, zoo))
        #expect(bench.engine.list(of: alice).map(\.user) == [bob, carol])
        #expect(bench.engine.list(of: alice, group: zoo).isEmpty)
        // A new group takes the free place, and nobody is in it by that.
        bench.perform(.groupAdded(alice, play))
        #expect(bench.engine.list(of: alice, group: play).isEmpty)
        bench.perform(.entryRemoved(observer: alice, observed: bob))
        #expect(bench.engine.groups(of: alice).map(\.members) == [[], []])
    }

    @Test func `refuse what cannot be`() throws {
        var configuration = PresenceEngine.Configuration()
        configuration.groupsPerUser = 2
        var bench = try bench(knowing: ["bob"], configuration)
        let (alice, bob) = (try local("alice"), try local("bob"))
        let names = try ["a", "b", "c"].map { try GroupName(parsing: $0) }
        for name in names { bench.perform(.groupAdded(alice, name)) }
        let engine = bench.engine
        #expect(engine.groups(of: alice).map(\.name) == Array(names.prefix(2)))
        #expect(engine.refusal(of: .groupAdded(alice, names[2])) == .groupsFull(limit: 2))
        #expect(engine.refusal(of: .groupAdded(alice, names[0])) == nil)
        #expect(engine.refusal(of: .groupRenamed(alice, names[0], to: names[1])) == .groupExists)
        #expect(engine.refusal(of: .groupRenamed(alice, names[2], to: names[1])) == .noSuchGroup)
        #expect(engine.refusal(of: .groupRemoved(alice, names[2])) == .noSuchGroup)
        #expect(engine.refusal(of: .memberAdded(alice, names[0], bob)) == .noSuchEntry)
        #expect(engine.refusal(of: .memberAdded(alice, names[2], bob)) == .noSuchGroup)
        for event in [
            PresenceEngine.Event.memberAdded(alice, names[0], bob), .groupRenamed(alice, names[0], to: names[1]),
        ] {
            #expect(bench.perform(event).isEmpty)
        }
    }

    @Test func `take the rules that name them along to a new name`() throws {
        var bench = try bench(knowing: ["bob"])
        let (alice, bob) = (try local("alice"), try remote("bob"))
        let (old, new) = (try GroupName(parsing: "old"), try GroupName(parsing: "new"))
        bench.befriend(alice, bob)
        bench.perform(.groupAdded(alice, old))
        bench.perform(.memberAdded(alice, old, bob))
        var policy = ContactPolicy()
        policy.offline = .group(old)
        bench.perform(.contactPolicyChosen(alice, policy))
        bench.perform(.interestSet(alice, .selected(groups: [old], users: []), until: bench.now + .minutes(5)))
        let renamed = bench.perform(.groupRenamed(alice, old, to: new))
        #expect(!renamed.contains(.interestEnded(bob)))
        #expect(bench.engine.contactPolicy(of: alice).offline == .group(new))
        #expect(bench.engine.mayContact(from: bob, to: alice) == true)
        // Who takes the old name later inherits nothing; nor who takes the name of one that is gone.
        bench.perform(.groupAdded(alice, old))
        #expect(bench.engine.contactPolicy(of: alice).offline == .group(new))
        bench.perform(.groupRemoved(alice, new))
        #expect(bench.engine.contactPolicy(of: alice).offline == .nobody)
    }

    @Test func `are at most sixty-four`() throws {
        var configuration = PresenceEngine.Configuration()
        configuration.groupsPerUser = 1000
        var bench = try bench(knowing: ["bob"], configuration)
        let (alice, bob) = (try local("alice"), try local("bob"))
        bench.add(bob, to: alice)
        for number in 0..<70 { bench.perform(.groupAdded(alice, try GroupName(parsing: "g\(number)"))) }
        #expect(bench.engine.groups(of: alice).count == 64)
        for group in bench.engine.groups(of: alice) { bench.perform(.memberAdded(alice, group.name, bob)) }
        #expect(bench.engine.list(of: alice).first?.groups.count == 64)
    }
}

@Suite struct `Who may open a chat` {
    @Test func `depends on the state that can be seen, and on list and group`() throws {
        var bench = try bench(knowing: ["alice", "bob", "carol", "dave"])
        let (alice, bob, carol, dave) = (try local("alice"), try local("bob"), try local("carol"), try local("dave"))
        for user in [bob, carol] { bench.add(user, to: alice) }
        let vips = try GroupName(parsing: "vips")
        bench.perform(.groupAdded(alice, vips))
        bench.perform(.memberAdded(alice, vips, carol))
        var policy = ContactPolicy()
        policy.busy = .group(vips)
        policy.unavailable = .nobody
        bench.perform(.contactPolicyChosen(alice, policy))
        let expected: [(ChosenState, [Bool])] = [
            (.freeForChat, [true, true, true]), (.online, [true, true, false]), (.busy, [false, true, false]),
            (.unavailable, [false, false, false]), (.offline, [true, true, false]), (.hidden, [true, true, false]),
        ]
        _ = bench.listen(on: try device("alice"))
        for (state, allowed) in expected {
            bench.perform(.statusChosen(try device("alice"), state, text: nil))
            #expect([bob, carol, dave].map { bench.engine.mayContact(from: $0, to: alice) } == allowed, "\(state)")
        }
        // Idleness is no choice.
        bench.perform(.statusChosen(try device("alice"), .freeForChat, text: nil))
        bench.pass(.minutes(6))
        #expect(bench.state(of: alice) == .unavailable)
        #expect(bench.engine.mayContact(from: dave, to: alice) == true)
    }

    @Test func `is nobody who is blocked, and nobody at all where there is no one`() throws {
        var bench = try bench(knowing: ["alice"])
        let (alice, bob) = (try local("alice"), try local("bob"))
        bench.perform(.statusChosen(try device("alice"), .freeForChat, text: nil))
        #expect(bench.engine.mayContact(from: bob, to: alice) == true)
        bench.perform(.userBlocked(by: alice, bob))
        #expect(bench.engine.mayContact(from: bob, to: alice) == false)
        #expect(bench.engine.mayContact(from: alice, to: alice) == true)
        #expect(bench.engine.mayContact(from: alice, to: try local("nobody")) == false)
        #expect(bench.engine.mayContact(from: alice, to: try remote("zoe")) == nil)
    }

    @Test func `is nobody of a group that is gone, and nobody who was denied`() throws {
        var bench = try bench(knowing: ["alice", "closed"])
        let (alice, closed) = (try local("alice"), try local("closed"))
        bench.perform(.listPolicyChosen(closed, .denyAll))
        bench.add(closed, to: alice)
        _ = bench.listen(on: try device("alice"))
        #expect(bench.engine.mayContact(from: closed, to: alice) == false)
        var policy = ContactPolicy()
        policy.online = .group(try GroupName(parsing: "gone"))
        #expect(bench.engine.refusal(of: .contactPolicyChosen(alice, policy)) == .noSuchGroup)
        #expect(bench.perform(.contactPolicyChosen(alice, policy)).isEmpty)
    }
}
