import FederationEngine
import PresenceModel
import PresenceTestKit
import Testing

private let online = Presence(state: .online)
private let busy = Presence(state: .busy)

/// Alice is watched by the other server, Bob and Carol there were watched here until a minute ago.
private func leaving() throws -> FederationBench {
    var configuration = FederationEngine.Configuration()
    configuration.longWatchdog = .hours(24 * 365 * 1000)
    var bench = try FederationBench(configuration)
    let (alice, bob, carol) = (try local("alice"), try remote("bob"), try remote("carol"))
    bench.perform(
        .localPublished(alice, online, .batched), .audienceRestored(alice, try there()), .interestBegan(bob),
        .interestBegan(carol))
    bench.hear("t1", from: try there(), poll: [alice], push: [(bob, online), (carol, online)])
    bench.perform(.interestEnded(bob), .interestEnded(carol))
    bench.pass(.seconds(55))
    bench.perform(.heard(from: try there()))
    bench.effects = []
    let sent = bench.pass(.seconds(20))
    try #require(sent.isEmpty, "nothing leaves while both only wait")
    return bench
}

/// Design: section 4, rule 6; decision 14.
@Suite struct `Where presence is exchanged anyway` {
    @Test func `nobody is let go before there is something to send`() throws {
        var bench = try leaving()
        let (bob, carol) = (try remote("bob"), try remote("carol"))
        #expect(!bench.effects.contains(.remoteLapsed(bob, .notAsked)))
        bench.perform(.localPublished(try local("alice"), busy, .batched))
        let sent = bench.pass(.seconds(10))
        #expect(try sent.map(\.pushed) == [[local("alice")]] && sent.map(\.unpolled) == [[bob, carol]])
        #expect(bench.effects.contains(.remoteLapsed(bob, .notAsked)))
        #expect(bench.pass(.seconds(59)).isEmpty)
    }

    @Test func `the reminder of the short watchdog says it at the latest, and counts without those let go`() throws {
        var bench = try leaving()
        let sent = bench.pass(.seconds(40))
        #expect(try sent.map(\.unpolled) == [[remote("bob"), remote("carol")]])
        let reminder = try #require(sent.first?.messages.compactMap(\.reminder).first)
        #expect(reminder.held?.count == 0 && reminder.promised.count == 1)
    }

    @Test func `whoever comes back before it was said needs no word`() throws {
        var bench = try leaving()
        #expect(bench.perform(.interestBegan(try remote("bob"))).isEmpty)
        #expect(try bench.pass(.seconds(40)).map(\.unpolled) == [[remote("carol")]])
        #expect(!bench.effects.contains(.remoteLapsed(try remote("bob"), .notAsked)))
    }

    @Test func `whoever costs the other side a push is let go within a window`() throws {
        var bench = try leaving()
        #expect(bench.hear("t2", from: try there(), push: [(try remote("bob"), busy)]).isEmpty)
        #expect(bench.effects.contains(.remoteLapsed(try remote("bob"), .notAsked)))
        #expect(!bench.effects.contains { if case .remoteReported = $0 { true } else { false } })
        #expect(try bench.pass(.seconds(10)).map(\.unpolled) == [[remote("bob"), remote("carol")]])
    }

    @Test func `it is said within a window once nothing else is exchanged any more`() throws {
        var bench = try leaving()
        bench.hear("t2", from: try there(), unpoll: [try local("alice")])
        #expect(try bench.pass(.seconds(10)).map(\.unpolled) == [[remote("bob"), remote("carol")]])
        #expect(bench.pass(.hours(3)).isEmpty)
    }

    @Test func `nobody waits of whom nothing was promised`() throws {
        var bench = try leaving()
        let eve = try remote("eve")
        bench.perform(.interestBegan(eve))
        bench.perform(.interestEnded(eve))
        bench.pass(.seconds(55))
        bench.perform(.heard(from: try there()))
        #expect(bench.pass(.milliseconds(14_999)).isEmpty)
        #expect(bench.pass(.milliseconds(1)).map(\.unpolled) == [[eve]])
    }
}
