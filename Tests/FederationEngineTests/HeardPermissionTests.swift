import FederationEngine
import PresenceModel
import PresenceTestKit
import Testing

@Suite struct `Permissions that are heard` {
    private func heard(_ bench: FederationBench) -> [PermissionMessage] {
        bench.effects.compactMap { if case .permissionReceived(let message) = $0 { message } else { nil } }
    }

    @Test func `count if they are the sender's to say and for this server, in their order`() throws {
        let (alice, bob) = (try local("alice"), try remote("bob"))
        let (carol, eve) = (try local("carol"), try remote("eve", at: "other.example"))
        let good = [
            PermissionMessage(.deny, observed: bob, observer: alice, request: 3),
            PermissionMessage(.invite, observed: carol, observer: bob, request: 2, note: "hi"),
            PermissionMessage(.accept, observed: bob, observer: carol),
            PermissionMessage(.invite, observed: alice, observer: bob),
        ]
        let foreign = [
            PermissionMessage(.invite, observed: alice, observer: eve),
            PermissionMessage(.invite, observed: bob, observer: alice),
            PermissionMessage(.accept, observed: alice, observer: bob),
            PermissionMessage(.deny, observed: eve, observer: alice),
            PermissionMessage(.invite, observed: eve, observer: bob),
            PermissionMessage(.accept, observed: bob, observer: eve),
            PermissionMessage(.accept, observed: bob, observer: bob),
            PermissionMessage(.invite, observed: alice, observer: alice),
        ]
        var bench = try FederationBench()
        bench.perform(.interestBegan(bob))
        let push = [(bob, Presence(state: .online))]
        bench.hear("t1", from: try there(), push: push, permissions: foreign + good + foreign)
        #expect(heard(bench) == good)
        #expect(bench.engine.tally.permissionsReceived == 4)
        #expect(bench.engine.tally.foreignPermissionsDropped == 16)
        // First what may be seen, then what is seen.
        let report = bench.effects.firstIndex { if case .remoteReported = $0 { true } else { false } }
        let last = bench.effects.lastIndex(of: .permissionReceived(good[3]))
        #expect(try #require(last) < (try #require(report)))
    }

    @Test func `a repeated transaction changes nothing`() throws {
        let message = PermissionMessage(.invite, observed: try local("alice"), observer: try remote("bob"))
        var bench = try FederationBench()
        bench.hear("t1", from: try there(), permissions: [message])
        bench.effects = []
        bench.hear("t1", from: try there(), permissions: [message])
        #expect(bench.effects.isEmpty && bench.engine.tally.permissionsReceived == 1)
        var configuration = FederationEngine.Configuration.unwatched
        configuration.canary = .acceptsOlderVersion
        var faulty = try FederationBench(configuration)
        for _ in 0..<2 { faulty.hear("t1", from: try there(), permissions: [message]) }
        #expect(heard(faulty) == [message, message])
    }

    @Test func `alone they tell that the sender takes part, if it says so`() throws {
        let message = PermissionMessage(.invite, observed: try local("alice"), observer: try remote("bob"))
        for isCapable in [true, false] {
            var bench = try FederationBench()
            bench.hear("t1", from: try there(), permissions: [message], isCapable: isCapable)
            #expect(bench.effects.contains(.save(.peer(try there(), .init(dialect: .capable)))) == isCapable)
            #expect(bench.engine.tally.messagesReceived == 0)
        }
        var bench = try FederationBench()
        bench.perform(.received(from: try there(), transaction: "t1", [], permissions: [message]))
        #expect(bench.effects == [.permissionReceived(message)])
    }
}
