import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

@Suite struct `Why somebody is seen or not` {
    private let lobby: RoomID
    private let excluded: RoomID
    private let (alice, bob, dave, server): (UserID, UserID, UserID, ServerName)
    private var bench: PresenceBench

    init() throws {
        lobby = try RoomID(parsing: "!lobby:here.example")
        excluded = try RoomID(parsing: "!excluded:here.example")
        (alice, bob, dave, server) = (try local("alice"), try local("bob"), try remote("dave"), try there())
        var configuration = PresenceEngine.Configuration()
        configuration.excludedRooms = [excluded]
        configuration.nearRoomLimit = 3
        bench = try PresenceBench(configuration)
        for user in [alice, bob] { bench.perform(.userKnown(user)) }
    }

    private func cause(_ user: UserID, to observer: UserID) -> PresenceEngine.Cause {
        bench.engine.explain(user, to: observer).cause
    }

    @Test func `without leave and without a room`() throws {
        #expect(cause(alice, to: bob) == .noLeave)
        #expect(cause(alice, to: dave) == .noLeave)
        #expect(cause(alice, to: alice) == .oneself)
        #expect(cause(try local("nobody"), to: bob) == .noSuchUser)
        #expect(cause(dave, to: try remote("erin")) == .notHere)
        #expect(bench.engine.explain(dave, to: try remote("erin")).isSeen == nil)
        #expect(cause(dave, to: alice) == .noLeave)
    }

    @Test mutating func `a request, its answer, and what a request would bring`() throws {
        #expect(bench.engine.explain(alice, to: bob).answerIfAsked == .requested)
        bench.perform(.listPolicyChosen(alice, .denyAll))
        #expect(bench.engine.explain(alice, to: bob).answerIfAsked == .blocked)
        bench.perform(.listPolicyChosen(alice, nil))
        bench.add(alice, to: bob)
        let asked = bench.engine.explain(alice, to: bob)
        #expect(asked.cause == .requested && asked.entry == .pending && asked.since == bench.now)
        bench.perform(.requestDenied(observed: alice, observer: bob))
        #expect(cause(alice, to: bob) == .entryDenied)
        bench.add(alice, to: bob)
        bench.pass(.seconds(60))
        bench.perform(.requestAccepted(observed: alice, observer: bob))
        let granted = bench.engine.explain(alice, to: bob)
        #expect(granted.cause == .granted && granted.since == bench.now && granted.answerIfAsked == nil)
        #expect(granted.isSeen == true && !granted.isAnsweredOnly)
        bench.perform(.entryRemoved(observer: bob, observed: alice))
        #expect(bench.engine.explain(alice, to: bob).isAnsweredOnly)
    }

    @Test mutating func `rooms, excluded rooms, and a block that goes before them`() throws {
        bench.gather([alice, bob], in: excluded)
        #expect(cause(alice, to: bob) == .excludedRooms)
        bench.gather([alice, bob], in: lobby)
        let shared = bench.engine.explain(alice, to: bob)
        #expect(shared.cause == .sharedRoom && shared.rooms.count == 2)
        // Those that count come first.
        #expect(shared.rooms.first.map(\.id) == [lobby, excluded])
        bench.perform(.userBlocked(by: alice, bob))
        let blocked = bench.engine.explain(alice, to: bob)
        #expect(blocked.cause == .blocked && blocked.isSeen == false && blocked.rooms.first.allSatisfy(\.isBlocked))
        #expect(cause(bob, to: alice) == .sharedRoom)
        for number in 0..<20 { bench.gather([alice, bob], in: try RoomID(parsing: "!r\(number):here.example")) }
        let rooms = bench.engine.explain(alice, to: bob).rooms
        #expect(rooms.count == 22 && rooms.first.count == PresenceEngine.SharedRooms.listLimit)
    }

    @Test mutating func `another server's user: asked, agreed, denied`() throws {
        bench.add(dave, to: alice)
        #expect(cause(dave, to: alice) == .entryPending)
        bench.perform(.permissionReceived(PermissionMessage(.accept, observed: dave, observer: alice)))
        #expect(cause(dave, to: alice) == .entryAccepted)
        bench.perform(.permissionReceived(PermissionMessage(.deny, observed: dave, observer: alice)))
        #expect(cause(dave, to: alice) == .entryDenied)
        bench.gather([alice, dave], in: lobby)
        #expect(cause(dave, to: alice) == .sharedRoom)
    }

    @Test mutating func `whether a wish to know counts, and why not`() throws {
        func attention() -> PresenceEngine.Attention? { bench.engine.explain(dave, to: alice).attention }
        bench.add(dave, to: alice)
        #expect(attention() == .notEntitled)
        bench.perform(.permissionReceived(PermissionMessage(.accept, observed: dave, observer: alice)))
        #expect(attention() == .noClient)
        // Who was never connected as little as who is not any more.
        bench.perform(.deviceSeen(try device("alice")))
        bench.pass(.minutes(1))
        #expect(attention() == .noClient)
        _ = bench.listen(on: try device("alice"))
        #expect(attention() == .counts)
        bench.perform(.interestSet(alice, .selected(groups: [], users: []), until: bench.now + .hours(1)))
        #expect(attention() == .notSelected)
        bench.perform(.statusChosen(try device("alice"), .hidden, text: nil))
        #expect(attention() == .away)
        #expect(bench.engine.explain(alice, to: bob).attention == nil)
    }

    @Test mutating func `a server hears by leave, by small rooms, by large ones, or not`() throws {
        let erin = try remote("erin")
        #expect(bench.engine.explain(alice, at: server).reach == nil)
        #expect(!bench.engine.explain(try local("nobody"), at: server).isKnown)
        bench.gather([alice, bob, dave, erin], in: lobby)
        bench.gather([alice, dave], in: excluded)
        bench.perform(.userBlocked(by: alice, erin))
        let wide = bench.engine.explain(alice, at: server)
        #expect(wide.reach == .wide && wide.blockedCount == 1 && wide.nearRoomLimit == 3 && wide.isKnown)
        #expect(wide.rooms.count == 2 && wide.rooms.first[0].members == 4 && wide.rooms.first[0].membersThere == 2)
        #expect(wide.rooms.first.map(\.isExcluded) == [false, true])
        bench.perform(.permissionReceived(PermissionMessage(.invite, observed: alice, observer: dave)))
        #expect(bench.engine.explain(alice, at: server).requestedCount == 1)
        bench.perform(.requestAccepted(observed: alice, observer: dave))
        let near = bench.engine.explain(alice, at: server)
        #expect(near.reach == .near && near.granted == [dave] && near.grantedCount == 1)
    }

    @Test mutating func `what a user is, and by what`() throws {
        #expect(bench.engine.localCondition(of: try local("nobody"), at: bench.now) == nil)
        let fresh = try #require(bench.engine.localCondition(of: alice, at: bench.now))
        #expect(fresh.published == .offline && fresh.devices == 0 && fresh.lastSeen == nil && fresh.nextLook == nil)
        bench.perform(.statusChosen(try device("alice"), .hidden, text: "secret"))
        let hidden = try #require(bench.engine.localCondition(of: alice, at: bench.now))
        #expect(hidden.effective == .hidden && hidden.published == .offline && hidden.devices == 1)
        #expect(hidden.lastSeen == bench.now && hidden.nextLook != nil)
        bench.pass(.minutes(1))
        #expect(bench.engine.localCondition(of: alice, at: bench.now)?.devices == 0)
    }

    @Test mutating func `what is known of another server's user, and for how long`() throws {
        #expect(bench.engine.remoteCondition(of: dave).unknown == .neverHeard)
        bench.gather([alice, dave], in: lobby)
        _ = bench.listen(on: try device("alice"))
        let until = bench.now + .minutes(5)
        bench.perform(.remoteReported(dave, Presence(state: .busy, statusText: "secret"), goodUntil: until))
        let known = bench.engine.remoteCondition(of: dave)
        #expect(known.published == .busy && known.goodUntil == until && known.unknown == nil)
        #expect(known.interested == 1 && known.listed == 0 && known.rooms == 1)
        bench.pass(.minutes(6))
        let lapsed = bench.engine.remoteCondition(of: dave)
        #expect(lapsed.published == nil && lapsed.unknown == .promiseLapsed && lapsed.unknownSince == until)
    }

    /// Whatever came about, the explanation is of what the engine does.
    @Test(arguments: UInt64(1)...30) func `who is seen by the explanation is seen`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let users = [alice, bob, try local("carol"), dave, try remote("erin")]
        let rooms = [lobby, excluded]
        var bench = bench
        for name in ["carol"] { bench.perform(.userKnown(try local(name))) }
        func one() -> UserID { users[Int.random(in: users.indices, using: &generator)] }
        func localOne() -> UserID { users[Int.random(in: 0..<3, using: &generator)] }
        for step in 0..<300 {
            let event: PresenceEngine.Event =
                switch Int.random(in: 0..<9, using: &generator) {
                case 0, 1: .roomJoined(one(), rooms[Int.random(in: 0...1, using: &generator)])
                case 2, 3: .roomLeft(one(), rooms[Int.random(in: 0...1, using: &generator)])
                case 4: .entryAdded(observer: localOne(), observed: one(), note: nil, acl: nil)
                case 5: .requestAccepted(observed: localOne(), observer: one())
                case 6: .requestDenied(observed: localOne(), observer: one())
                case 7: .userBlocked(by: localOne(), one())
                default: .userUnblocked(by: localOne(), one())
                }
            bench.perform(event)
            for observer in users.prefix(3) {
                for user in users {
                    let isSeen = bench.engine.presence(of: user, seenBy: observer) != .forbidden
                    let explanation = bench.engine.explain(user, to: observer)
                    try #require(
                        explanation.isSeen == isSeen, "\(user) to \(observer): \(explanation.cause), step \(step)")
                }
            }
        }
    }
}
