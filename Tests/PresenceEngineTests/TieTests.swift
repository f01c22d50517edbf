import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

@Suite struct `What is between two local users` {
    private let alice: UserID
    private let bob: UserID
    private let friends: GroupName

    init() throws {
        alice = try local("alice")
        bob = try local("bob")
        friends = try GroupName(parsing: "friends")
    }

    private func tie(_ wants: Bool, _ isWanted: Bool, _ blocks: Bool = false, _ isBlocked: Bool = false)
        -> PresenceEngine.Tie
    {
        var tie = PresenceEngine.Tie()
        (tie.wants, tie.isWanted, tie.blocks, tie.isBlocked) = (wants, isWanted, blocks, isBlocked)
        return tie
    }

    private func bench(_ policy: ListPolicy = .ask) throws -> PresenceBench {
        var configuration = PresenceEngine.Configuration()
        configuration.listPolicy = policy
        var bench = try PresenceBench(configuration)
        for user in [alice, bob] { bench.perform(.userKnown(user)) }
        return bench
    }

    private func ask(_ user: UserID, _ other: UserID, in bench: inout PresenceBench) {
        bench.perform(.groupAdded(user, friends))
        bench.perform(.requestRelayed(observer: user, observed: other, note: "hello"))
        bench.perform(.memberAdded(user, friends, other))
    }

    @Test func `is what the group, denials and blocks say, seen from either`() throws {
        var bench = try bench()
        bench.add(bob, to: alice)
        #expect(bench.engine.tie(of: alice, with: bob, in: friends) == tie(false, false))
        ask(alice, bob, in: &bench)
        #expect(bench.engine.tie(of: alice, with: bob, in: friends) == tie(true, false))
        #expect(bench.engine.tie(of: bob, with: alice, in: friends) == tie(false, true))
        #expect(bench.engine.ties(of: bob, in: friends).map(\.other) == [alice])
        bench.perform(.requestDenied(observed: bob, observer: alice))
        #expect(bench.engine.tie(of: alice, with: bob, in: friends) == tie(false, false))
        #expect(bench.engine.ties(of: bob, in: friends).isEmpty && bench.engine.ties(of: alice, in: friends).isEmpty)
        bench.perform(.userBlocked(by: bob, alice))
        #expect(bench.engine.tie(of: alice, with: bob, in: friends) == tie(false, false, false, true))
        #expect(bench.engine.ties(of: alice, in: friends).map(\.tie) == [tie(false, false, false, true)])
        #expect(bench.engine.ties(of: bob, in: friends).map(\.tie) == [tie(false, false, true, false)])
    }

    @Test func `begins with who is kept a name for, before they are known, by users of this server alone`() throws {
        var configuration = PresenceEngine.Configuration()
        configuration.reservedPrefixes = ["_social_"]
        configuration.listPolicy = .acceptAll
        var bench = try PresenceBench(configuration)
        bench.perform(.userKnown(alice))
        let (ghost, nobody) = (try local("_social_0xa"), try local("nobody"))
        for other in [ghost, nobody] { ask(alice, other, in: &bench) }
        #expect(bench.engine.tie(of: alice, with: ghost, in: friends) == tie(true, false))
        #expect(!bench.engine.grants(ghost, to: alice), "whoever stands for them answers, no policy")
        #expect(bench.engine.tie(of: alice, with: nobody, in: friends) == tie(false, false))
        let carol = try UserID(parsing: "@carol:elsewhere.example")
        bench.perform(.permissionReceived(PermissionMessage(.invite, observed: ghost, observer: carol, request: 1)))
        #expect(bench.engine.requests(to: ghost).map(\.user) == [alice])
        bench.perform(.userKnown(ghost))
        bench.perform(.consentRelayed(observed: ghost, observer: alice))
        #expect(bench.engine.grants(ghost, to: alice))
    }

    @Test func `has nothing to do with other servers`() throws {
        var bench = try bench()
        let carol = try remote("carol")
        bench.add(carol, to: alice)
        bench.perform(.groupAdded(alice, friends))
        bench.perform(.memberAdded(alice, friends, carol))
        #expect(bench.engine.ties(of: alice, in: friends).isEmpty)
        #expect(bench.engine.tie(of: alice, with: carol, in: friends) == tie(false, false))
    }

    @Test func `is asked from elsewhere whatever the policy says, but not past a block or a limit`() throws {
        for policy in ListPolicy.allCases {
            var bench = try bench(policy)
            ask(alice, bob, in: &bench)
            #expect(bench.entry(of: bob, on: alice) == (policy == .acceptAll ? .accepted : .pending), "\(policy)")
            #expect(bench.engine.requests(to: bob).map(\.note) == (policy == .acceptAll ? [] : ["hello"]), "\(policy)")
        }
        var blocked = try bench()
        blocked.perform(.userBlocked(by: bob, alice))
        ask(alice, bob, in: &blocked)
        #expect(blocked.entry(of: bob, on: alice) == .denied)
        blocked.perform(.consentRelayed(observed: bob, observer: alice))
        #expect(blocked.entry(of: bob, on: alice) == .denied && blocked.engine.blocked(by: bob) == [alice])
        var stranger = try bench()
        ask(alice, try local("nobody"), in: &stranger)
        #expect(stranger.entry(of: try local("nobody"), on: alice) == .denied)
    }

    @Test func `is granted from elsewhere, asked or not`() throws {
        var bench = try bench(.denyAll)
        bench.perform(.consentRelayed(observed: bob, observer: alice))
        #expect(bench.engine.granted(by: bob) == [alice])
        ask(alice, bob, in: &bench)
        #expect(bench.entry(of: bob, on: alice) == .accepted)
        var full = PresenceEngine.Configuration()
        full.consentsPerUser = 0
        var none = try PresenceBench(full)
        for user in [alice, bob] { none.perform(.userKnown(user)) }
        #expect(none.engine.refusal(of: .consentRelayed(observed: bob, observer: alice)) == .consentsFull(limit: 0))
        none.perform(.consentRelayed(observed: bob, observer: alice))
        #expect(none.engine.granted(by: bob).isEmpty)
    }

    @Test func `keeps the pointer and the note of an entry that is there`() throws {
        var bench = try bench()
        bench.add(bob, to: alice, note: "me", acl: "acl:7")
        bench.perform(.requestRelayed(observer: alice, observed: bob, note: nil))
        let entry = try #require(bench.engine.list(of: alice).first?.entry)
        #expect(entry.acl == "acl:7" && entry.note == "me")
    }
}
