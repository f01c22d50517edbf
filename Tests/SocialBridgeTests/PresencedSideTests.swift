import BridgeEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime
import SocialEngine
import Testing

@testable import SocialBridge

@Suite struct `Matrix as presenced has it` {
    /// A side at work.
    private final class Bench: Sendable {
        let side: SideBench
        let matrix: PresencedSide
        let (alice, bob): (UserID, UserID)
        let friends: GroupName
        private let work: Task<Void, Never>

        init(policy: ListPolicy = .ask, ghosts: any GhostMaking = GhostsWithoutAccounts(), showsWorld: Bool = true)
            async throws
        {
            side = try await SideBench(policy: policy)
            (alice, bob) = (try SideBench.user("alice"), try SideBench.user("bob"))
            friends = try GroupName(parsing: "friends")
            var configuration = PresencedSide.Configuration()
            configuration.showsWorld = showsWorld
            let matrix = try PresencedSide(
                presence: side.runtime, watch: side.watch, ghosts: ghosts,
                ghostRule: GhostRule(server: side.server, prefix: "_social_"), configuration: configuration)
            self.matrix = matrix
            for user in [alice, bob] { await side.runtime.submit(.presence(.userKnown(user))) }
            work = Task { [ears = side.ears] in await matrix.run(telling: ears) }
        }

        deinit { work.cancel() }

        func becomes(_ bond: Bond, _ what: String) async throws {
            try await side.waitsToHear("\(what): \(bond)") { [alice, bob] _ in self.side.bond(alice, bob) == bond }
        }

        func perform(_ events: PresenceEngine.Event...) async throws {
            for event in events { try await side.runtime.perform(event) }
        }
    }

    @Test func `tells how local users are, from the start on`() async throws {
        let bench = try await Bench()
        let key = DeviceKey(user: bench.alice, device: try DeviceID(parsing: "phone"))
        try await bench.side.hears(.matrixReported(bench.bob, .visible(.offline, statusText: nil, .devices)))
        try await bench.side.runtime.choose(.online, text: "hi", on: key)
        try await bench.side.hears(.matrixReported(bench.alice, .visible(.online, statusText: "hi", .devices)))
        try await bench.side.runtime.choose(.hidden, text: "hi", on: key)
        try await bench.side.hears(.matrixReported(bench.alice, .hidden))
        await bench.side.runtime.submit(.presence(.userClosed(bench.alice)))
        try await bench.side.hears(.userGone(bench.alice))
    }

    @Test func `shows a friend as a device, and tells that it is no other`() async throws {
        let bench = try await Bench()
        bench.matrix.carryOut(.present(bench.alice, .visible(.online, statusText: "10,20 in main"), as: .world))
        try await bench.side.waits("shown") { [alice = bench.alice] engine in
            engine.knowledge(of: alice).map(Self.words) == "online 10,20 in main world"
        }
        try await bench.side.hears(.matrixReported(bench.alice, .visible(.online, statusText: nil, .worldAlone)))
        bench.matrix.carryOut(.present(bench.alice, .visible(.unavailable, statusText: nil), as: .world))
        try await bench.side.hears(.matrixReported(bench.alice, .visible(.unavailable, statusText: nil, .worldAlone)))
        bench.matrix.carryOut(.present(bench.alice, .unknown, as: .world))
        try await bench.side.waits("unknown") { [alice = bench.alice] engine in
            engine.knowledge(of: alice).map(Self.words) == "social_side_lost"
        }
        bench.matrix.carryOut(.present(bench.alice, .offline, as: .world))
        try await bench.side.waits("offline") { [alice = bench.alice] engine in
            engine.knowledge(of: alice).map(Self.words) == "offline - -"
        }
    }

    @Test func `does not show in the world whom somebody else shows there`() async throws {
        let bench = try await Bench(showsWorld: false)
        let ghost = try SideBench.user("_social_0xa")
        bench.matrix.carryOut(.present(bench.alice, .visible(.online, statusText: nil), as: .world))
        bench.matrix.carryOut(.makeGhost(ghost, for: try SideBench.address("0xa")))
        try await bench.side.hears(.ghostMade(try SideBench.address("0xa")))
        bench.matrix.carryOut(.present(ghost, .visible(.online, statusText: "here"), as: .ghost))
        try await bench.side.waits("ghost") { $0.knowledge(of: ghost).map(Self.words) == "online here world" }
        let devices = await bench.side.runtime.read { [alice = bench.alice] engine, now in
            engine.devices(of: alice, at: now)
        }
        #expect(devices.isEmpty)
    }

    @Test func `carries a friendship over, whatever the policy says`() async throws {
        for policy in ListPolicy.allCases {
            let bench = try await Bench(policy: policy)
            let (alice, bob) = (bench.alice, bench.bob)
            bench.matrix.carryOut(.readList(alice))
            try await bench.side.hears(.listRead(alice, [:]))
            bench.matrix.carryOut(.editList(bob, .request(message: "hi"), towards: alice))
            try await bench.becomes(.requested(by: .second), "\(policy)")
            bench.matrix.carryOut(.editList(alice, .accept, towards: bob))
            try await bench.becomes(.friends, "\(policy)")
            let seen = await bench.side.runtime.read { engine, _ in
                [engine.granted(by: alice), engine.granted(by: bob)]
            }
            #expect(seen == [[bob], [alice]])
            bench.matrix.carryOut(.editList(bob, .delete, towards: alice))
            try await bench.becomes(.nothing, "\(policy)")
            let left = await bench.side.runtime.read { engine, _ in
                engine.granted(by: alice) + engine.granted(by: bob)
            }
            #expect(left.isEmpty)
            #expect(bench.side.refused == 0)
        }
    }

    @Test func `does every act of the table, and refuses what does not apply`() async throws {
        let bench = try await Bench()
        let (alice, bob) = (bench.alice, bench.bob)
        bench.matrix.carryOut(.readList(alice))
        func act(_ user: UserID, _ action: FriendshipAction, _ other: UserID, _ bond: Bond) async throws {
            bench.matrix.carryOut(.editList(user, action, towards: other))
            try await bench.becomes(bond, "\(action)")
        }
        try await act(alice, .request(message: nil), bob, .requested(by: .first))
        try await act(alice, .cancel, bob, .nothing)
        try await act(alice, .request(message: nil), bob, .requested(by: .first))
        try await act(bob, .reject, alice, .nothing)
        try await act(bob, .request(message: nil), alice, .requested(by: .second))
        try await act(alice, .block, bob, .blocked(by: .first))
        try await act(bob, .block, alice, .blocked(by: [.first, .second]))
        try await act(bob, .unblock, alice, .blocked(by: .first))
        try await act(alice, .unblock, bob, .nothing)
        #expect(bench.side.refused == 0)
        for action in [FriendshipAction.accept, .reject, .cancel, .delete, .unblock] {
            bench.matrix.carryOut(.editList(alice, action, towards: bob))
            try await bench.side.hears(.editRefused(alice, action, towards: bob))
        }
    }

    @Test func `refuses what a full list has no room for`() async throws {
        let bench = try await Bench()
        for number in 0..<64 {
            try await bench.perform(.groupAdded(bench.alice, try GroupName(parsing: "group \(number)")))
        }
        bench.matrix.carryOut(.editList(bench.alice, .request(message: nil), towards: bench.bob))
        try await bench.side.hears(.editRefused(bench.alice, .request(message: nil), towards: bench.bob))
    }

    @Test func `tells what users themselves do, and mends what one of them leaves of a friendship`() async throws {
        for end in 0..<4 {
            let bench = try await Bench()
            let (alice, bob, friends) = (bench.alice, bench.bob, bench.friends)
            for user in [alice, bob] {
                bench.matrix.carryOut(.readList(user))
                try await bench.side.hears(.listRead(user, [:]))
            }
            // Alice asks bob with her own client, and he agrees with his.
            try await bench.perform(
                .groupAdded(alice, friends), .entryAdded(observer: alice, observed: bob, note: nil, acl: nil),
                .memberAdded(alice, friends, bob))
            try await bench.becomes(.requested(by: .first), "asked")
            try await bench.perform(
                .requestAccepted(observed: bob, observer: alice), .groupAdded(bob, friends),
                .entryAdded(observer: bob, observed: alice, note: nil, acl: nil), .memberAdded(bob, friends, alice))
            try await bench.becomes(.friends, "agreed")
            switch end {
            case 0: try await bench.perform(.memberRemoved(alice, friends, bob))
            case 1: try await bench.perform(.requestDenied(observed: bob, observer: alice))
            case 2: try await bench.perform(.groupRemoved(bob, friends))
            default: try await bench.perform(.entryRemoved(observer: alice, observed: bob))
            }
            try await bench.becomes(.nothing, "ended by \(end)")
            // Nothing is left that would ask again, or let one see the other.
            try await bench.side.waits("mended") { engine in
                engine.granted(by: alice).isEmpty && engine.granted(by: bob).isEmpty
                    && engine.tie(of: alice, with: bob, in: friends) == PresenceEngine.Tie()
            }
        }
    }

    @Test func `takes leave that is given to somebody of the social side who asked for an acceptance`() async throws {
        let bench = try await Bench()
        let (alice, ghost) = (bench.alice, try SideBench.user("_social_0xa"))
        bench.matrix.carryOut(.makeGhost(ghost, for: try SideBench.address("0xa")))
        bench.matrix.carryOut(.readList(alice))
        try await bench.side.hears(.listRead(alice, [:]))
        bench.matrix.carryOut(.editList(ghost, .request(message: "hi"), towards: alice))
        try await bench.side.waitsToHear("asked") { _ in bench.side.bond(alice, ghost) == .requested(by: .second) }
        try await bench.perform(.requestAccepted(observed: alice, observer: ghost))
        try await bench.side.waitsToHear("accepted") { _ in bench.side.bond(alice, ghost) == .friends }
        try await bench.side.waits("seen") { engine in engine.grants(ghost, to: alice) }
    }

    @Test func `hears of somebody of the social side who is asked before they have a ghost`() async throws {
        let bench = try await Bench()
        let (alice, ghost, friends) = (bench.alice, try SideBench.user("_social_0xb"), bench.friends)
        bench.matrix.carryOut(.readList(alice))
        try await bench.side.hears(.listRead(alice, [:]))
        try await bench.perform(
            .groupAdded(alice, friends), .entryAdded(observer: alice, observed: ghost, note: nil, acl: nil),
            .memberAdded(alice, friends, ghost))
        try await bench.side.waitsToHear("asked") { _ in bench.side.bond(alice, ghost) == .requested(by: .first) }
        // They agreed, and have a ghost now.
        bench.matrix.carryOut(.makeGhost(ghost, for: try SideBench.address("0xb")))
        bench.matrix.carryOut(.editList(ghost, .accept, towards: alice))
        try await bench.side.waitsToHear("agreed") { _ in bench.side.bond(alice, ghost) == .friends }
    }

    @Test func `leaves lists alone of two of whom one has nothing to do with the bridge`() async throws {
        let bench = try await Bench()
        let (alice, bob, friends) = (bench.alice, bench.bob, bench.friends)
        bench.matrix.carryOut(.readList(alice))
        try await bench.side.hears(.listRead(alice, [:]))
        for (user, other) in [(alice, bob), (bob, alice)] {
            try await bench.perform(
                .groupAdded(user, friends), .entryAdded(observer: user, observed: other, note: nil, acl: nil),
                .memberAdded(user, friends, other))
            try await bench.perform(.requestAccepted(observed: other, observer: user))
        }
        try await bench.becomes(.friends, "friends")
        try await bench.perform(.memberRemoved(bob, friends, alice))
        try await bench.becomes(.requested(by: .first), "moved to another group")
        #expect(await bench.side.runtime.read { engine, _ in engine.granted(by: alice) } == [bob])
        #expect(await bench.side.runtime.read { engine, _ in engine.granted(by: bob) } == [alice])
    }

    @Test func `says again how somebody is whose list is read`() async throws {
        let bench = try await Bench()
        let key = DeviceKey(user: bench.alice, device: try DeviceID(parsing: "phone"))
        try await bench.side.runtime.choose(.online, text: nil, on: key)
        let online = BridgeEngine.Event.matrixReported(bench.alice, .visible(.online, statusText: nil, .devices))
        try await bench.side.hears(online)
        bench.matrix.carryOut(.readList(bench.alice))
        try await bench.side.waitsToHear("again") { heard in heard.count { $0 == online } == 2 }
    }

    @Test func `a block takes out what was asked before it`() async throws {
        let bench = try await Bench()
        let (alice, bob, friends) = (bench.alice, bench.bob, bench.friends)
        for user in [alice, bob] { bench.matrix.carryOut(.readList(user)) }
        bench.matrix.carryOut(.editList(alice, .request(message: nil), towards: bob))
        try await bench.becomes(.requested(by: .first), "asked")
        try await bench.perform(.userBlocked(by: alice, bob))
        try await bench.becomes(.blocked(by: .first), "blocked")
        try await bench.perform(.userUnblocked(by: alice, bob))
        try await bench.becomes(.nothing, "unblocked")
        let ties = await bench.side.runtime.read { engine, _ in engine.ties(of: alice, in: friends).map(\.other) }
        #expect(ties.isEmpty)
    }

    @Test func `ghosts are asked for, and see nothing before they are friends`() async throws {
        let bench = try await Bench(policy: .acceptAll)
        let (address, ghost) = (try SideBench.address("0xa"), try SideBench.user("_social_0xa"))
        bench.matrix.carryOut(.makeGhost(ghost, for: address))
        try await bench.side.hears(.ghostMade(address))
        bench.matrix.carryOut(.readList(bench.alice))
        try await bench.perform(.entryAdded(observer: bench.alice, observed: ghost, note: nil, acl: nil))
        bench.matrix.carryOut(.present(ghost, .visible(.online, statusText: nil), as: .ghost))
        try await bench.side.waits("ghost") { $0.knowledge(of: ghost).map(Self.words) == "online - world" }
        let isSeen = await bench.side.runtime.read { [alice = bench.alice] engine, _ in
            engine.presence(of: ghost, seenBy: alice) != .forbidden
        }
        #expect(!isSeen)
        #expect(bench.side.bond(bench.alice, ghost) ?? .nothing == .nothing)
        try await bench.perform(
            .groupAdded(bench.alice, bench.friends), .memberAdded(bench.alice, bench.friends, ghost))
        // What changes in a group changes an entry.
        try await bench.side.waitsToHear("asked") { _ in bench.side.bond(bench.alice, ghost) == .requested(by: .first) }
        bench.matrix.carryOut(.editList(ghost, .accept, towards: bench.alice))
        try await bench.side.waitsToHear("friends") { _ in bench.side.bond(bench.alice, ghost) == .friends }
    }

    @Test func `a ghost that cannot be made is told of`() async throws {
        struct Refused: GhostMaking, Error {
            func make(_ user: UserID, for address: SocialAddress) async throws { throw self }
        }
        let bench = try await Bench(ghosts: Refused())
        let address = try SideBench.address("0xa")
        bench.matrix.carryOut(.makeGhost(try SideBench.user("_social_0xa"), for: address))
        try await bench.side.hears(.ghostFailed(address))
    }

    private static func words(_ knowledge: Knowledge) -> String {
        switch knowledge {
        case .known(let presence):
            "\(presence.state.rawValue) \(presence.statusText ?? "-") \(presence.deviceType?.text ?? "-")"
        case .unknown(let reason, _): reason.rawValue
        }
    }
}
