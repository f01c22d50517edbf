import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

@Suite struct `By what a user can be seen elsewhere` {
    private static func bench(roomLimit: Int) throws -> PresenceBench {
        var configuration = PresenceEngine.Configuration()
        configuration.nearRoomLimit = roomLimit
        configuration.excludedRooms = [try RoomID(parsing: "!excluded:here.example")]
        var bench = try PresenceBench(configuration)
        for name in ["alice", "bob", "carol"] { bench.perform(.userKnown(try local(name))) }
        return bench
    }

    @Test func `a large room is wide, which is said right after that there is an audience`() throws {
        var bench = try Self.bench(roomLimit: 2)
        let (alice, lobby) = (try local("alice"), try RoomID(parsing: "!lobby:here.example"))
        bench.gather([alice, try local("bob"), try local("carol")], in: lobby)
        let effects = bench.perform(.roomJoined(try remote("dave"), lobby))
        let place = try #require(effects.firstIndex(of: .audienceAdded(alice, try there())))
        #expect(effects[place + 1] == .reachChanged(alice, try there(), .wide))
        // Said before, and not again.
        #expect(!bench.perform(.roomJoined(try remote("erin"), lobby)).contains { $0.isReach })
    }

    @Test func `a room that grows past the limit turns wide, and near when it shrinks to it`() throws {
        var bench = try Self.bench(roomLimit: 2)
        let (alice, lobby) = (try local("alice"), try RoomID(parsing: "!lobby:here.example"))
        bench.gather([alice, try remote("dave")], in: lobby)
        #expect(!bench.effects.contains { $0.isReach })
        #expect(
            bench.perform(.roomJoined(try remote("erin"), lobby)).filter(\.isReach) == [
                .reachChanged(alice, try there(), .wide)
            ])
        #expect(
            bench.perform(.roomLeft(try remote("erin"), lobby)).filter(\.isReach) == [
                .reachChanged(alice, try there(), .near)
            ])
    }

    @Test func `leave brings near, and its end far; after the audience nothing is said`() throws {
        var bench = try Self.bench(roomLimit: 0)
        let (alice, dave, server) = (try local("alice"), try remote("dave"), try there())
        bench.gather([alice, dave], in: try RoomID(parsing: "!lobby:here.example"))
        bench.effects = []
        bench.perform(.permissionReceived(PermissionMessage(.invite, observed: alice, observer: dave, request: 1)))
        bench.perform(.requestAccepted(observed: alice, observer: dave))
        #expect(bench.effects.filter(\.isReach) == [.reachChanged(alice, server, .near)])
        #expect(
            bench.perform(.requestDenied(observed: alice, observer: dave)).filter(\.isReach) == [
                .reachChanged(alice, server, .wide)
            ])
        let end = bench.perform(.userBlocked(by: alice, dave))
        #expect(end.contains(.audienceRemoved(alice, server)) && !end.contains { $0.isReach })
    }

    /// What was said, held as a server that hears it would.
    private struct Told {
        var reach: [Pair: Reach] = [:]

        struct Pair: Hashable {
            var user: UserID
            var server: ServerName
        }

        /// False: something was said that was no news, or out of turn.
        mutating func hear(_ effects: [PresenceEngine.Effect]) -> Bool {
            var isInTurn = true
            for effect in effects {
                switch effect {
                case .audienceAdded(let user, let server), .audienceRestored(let user, let server):
                    isInTurn = reach.updateValue(.near, forKey: Pair(user: user, server: server)) == nil && isInTurn
                case .audienceRemoved(let user, let server):
                    isInTurn = reach.removeValue(forKey: Pair(user: user, server: server)) != nil && isInTurn
                case .reachChanged(let user, let server, let new):
                    let before = reach.updateValue(new, forKey: Pair(user: user, server: server))
                    isInTurn = before != nil && before != new && isInTurn
                default: break
                }
            }
            return isInTurn
        }
    }

    /// Made up of few, so that limits are crossed all the time.
    private struct Cast {
        let locals: [UserID]
        let remotes: [UserID]
        let rooms: [RoomID]

        init() throws {
            locals = try ["alice", "bob", "carol"].map { try local($0) }
            remotes = try ["one.example", "two.example"].flatMap {
                [try remote("dave", at: $0), try remote("erin", at: $0)]
            }
            rooms = try ["lobby", "hall", "excluded"].map { try RoomID(parsing: "!\($0):here.example") }
        }

        func draw(_ generator: inout SeededGenerator) -> PresenceEngine.Event {
            let mine = locals[Int.random(in: locals.indices, using: &generator)]
            let theirs = remotes[Int.random(in: remotes.indices, using: &generator)]
            let room = rooms[Int.random(in: rooms.indices, using: &generator)]
            let anyone = Bool.random(using: &generator) ? mine : theirs
            switch Int.random(in: 0..<100, using: &generator) {
            case ..<45: return .roomJoined(anyone, room)
            case ..<70: return .roomLeft(anyone, room)
            case ..<72: return .roomForgotten(room)
            case ..<80: return .permissionReceived(PermissionMessage(.invite, observed: mine, observer: theirs))
            case ..<88: return .requestAccepted(observed: mine, observer: theirs)
            case ..<92: return .requestDenied(observed: mine, observer: theirs)
            case ..<96: return .userBlocked(by: mine, theirs)
            default: return .userUnblocked(by: mine, theirs)
            }
        }

        /// From the words of the rule, by the engine's lists.
        func reach(of user: UserID, at server: ServerName, _ engine: PresenceEngine) -> Reach? {
            if engine.granted(by: user).contains(where: { $0.isHosted(by: server) }) { return .near }
            let blocked = engine.blocked(by: user)
            let shared = engine.rooms(of: user).filter { room in
                !engine.configuration.excludedRooms.contains(room)
                    && engine.members(of: room).contains { $0.isHosted(by: server) && !blocked.contains($0) }
            }
            if shared.isEmpty { return nil }
            let limit = engine.configuration.nearRoomLimit
            return shared.contains { engine.members(of: $0).count <= limit } ? .near : .wide
        }
    }

    @Test(arguments: UInt64(1)...60)
    func `what was said is what a count from the beginning finds, after every event and a restart`(seed: UInt64) throws
    {
        var generator = SeededGenerator(seed: seed)
        let cast = try Cast()
        var bench = try Self.bench(roomLimit: Int.random(in: 0...5, using: &generator))
        var told = Told()
        for step in 0..<400 {
            let event = cast.draw(&generator)
            let isInTurn = told.hear(bench.perform(event))
            #expect(isInTurn, "\(event), step \(step)")
            if step == 200 {
                var again = try PresenceBench(bench.engine.configuration, from: bench.saved)
                told = Told()
                let isInTurn = told.hear(again.effects)
                #expect(isInTurn)
                again.effects = bench.effects.filter { if case .save = $0 { true } else { false } }
                bench = again
            }
            for user in cast.locals {
                for server in [try there("one.example"), try there("two.example")] {
                    let expected = cast.reach(of: user, at: server, bench.engine)
                    try #require(
                        told.reach[Told.Pair(user: user, server: server)] == expected,
                        "\(user) at \(server), step \(step), \(event)")
                }
            }
        }
    }
}

extension PresenceEngine.Effect {
    fileprivate var isReach: Bool { if case .reachChanged = self { true } else { false } }
}
