import FederationEngine
import PresenceModel
import PresenceTestKit
import Testing

/// A bench where `names` are visible to the other server, which polled them all.
private func polledBench(
    _ names: [String], _ configuration: FederationEngine.Configuration = FederationEngine.Configuration.unwatched
) throws -> FederationBench {
    var bench = try FederationBench(configuration)
    for name in names {
        bench.perform(
            .localPublished(try local(name), Presence(state: .online), .batched),
            .audienceRestored(try local(name), try there()))
    }
    bench.hear("first", from: try there(), poll: try names.map { try local($0) })
    bench.pass(.minutes(2))
    return bench
}

private func text(_ text: String) -> Presence { Presence(state: .online, statusText: text) }

@Suite struct `Batches` {
    @Test func `changes wait for their window, and the latest state of each leaves`() throws {
        var bench = try polledBench(["alice", "bob"])
        let start = bench.now
        bench.perform(.localPublished(try local("alice"), text("1"), .batched))
        bench.pass(.seconds(4))
        bench.perform(.localPublished(try local("bob"), text("2"), .batched))
        bench.perform(.localPublished(try local("alice"), text("3"), .batched))
        #expect(bench.pass(.milliseconds(9_999)).isEmpty)
        let sent = bench.pass(.milliseconds(1))
        #expect(bench.now - start == .seconds(14))
        #expect(sent.map(\.pushed) == [[try local("alice"), try local("bob")]])
        #expect(sent.first?.presence(of: try local("alice")) == text("3"))
    }

    @Test func `a lone change leaves after ten seconds`() throws {
        var bench = try polledBench(["alice"])
        bench.perform(.localPublished(try local("alice"), text("1"), .batched))
        #expect(bench.pass(.milliseconds(9_999)).isEmpty)
        #expect(bench.pass(.milliseconds(1)).count == 1)
        #expect(bench.pass(.minutes(5)).isEmpty)
    }

    @Test func `a window stretches to a minute and no further`() throws {
        var bench = try polledBench(["alice"])
        let start = bench.now
        var left: [Instant] = []
        for count in 0..<20 {
            bench.perform(.localPublished(try local("alice"), text("\(count)"), .batched))
            if !bench.pass(.seconds(5)).isEmpty, let at = bench.sentAt.last { left.append(at) }
        }
        #expect(left.first == start + .seconds(60))
    }

    @Test func `there and back again is nothing`() throws {
        var bench = try polledBench(["alice"])
        let before = bench.engine.tally.transactionsSent
        bench.perform(.localPublished(try local("alice"), text("1"), .batched))
        bench.pass(.seconds(5))
        bench.perform(.localPublished(try local("alice"), Presence(state: .online, lastActive: bench.now), .batched))
        #expect(bench.pass(.minutes(5)).isEmpty)
        #expect(bench.engine.tally.transactionsSent == before)
        #expect(bench.engine.tally.statesCancelledOut == 1)
    }

    @Test func `what cancelled out or was withdrawn leaves no window behind`() throws {
        var bench = try polledBench(["alice", "bob"])
        bench.perform(.localPublished(try local("alice"), text("1"), .batched))
        bench.perform(.audienceRemoved(try local("alice"), try there()))
        bench.pass(.minutes(5))
        bench.perform(.localPublished(try local("bob"), text("2"), .batched))
        #expect(bench.pass(.milliseconds(9_999)).isEmpty)
        #expect(bench.pass(.milliseconds(1)).count == 1)
    }

    @Test func `a lead leaves at once after a quiet minute, what follows waits`() throws {
        var configuration = FederationEngine.Configuration.unwatched
        configuration.batchLead = .immediate
        var bench = try polledBench(["alice"], configuration)
        #expect(bench.perform(.localPublished(try local("alice"), text("1"), .batched)).count == 1)
        bench.pass(.seconds(50))
        #expect(bench.perform(.localPublished(try local("alice"), text("2"), .batched)).isEmpty)
        #expect(bench.pass(.milliseconds(9_999)).isEmpty)
        #expect(bench.pass(.milliseconds(1)).count == 1)
        bench.pass(.seconds(60))
        #expect(bench.perform(.localPublished(try local("alice"), text("3"), .batched)).count == 1)
    }

    @Test func `an appearance takes along what waits`() throws {
        var bench = try polledBench(["alice", "bob"])
        bench.perform(.localPublished(try local("alice"), text("1"), .batched))
        bench.pass(.seconds(3))
        let sent = bench.perform(.localPublished(try local("bob"), text("2"), .atOnce))
        #expect(sent.map(\.pushed) == [[try local("alice"), try local("bob")]])
        #expect(bench.pass(.minutes(5)).isEmpty)
    }

    @Test func `messages hold at most 50 states, transactions at most what messages hold`() throws {
        var configuration = FederationEngine.Configuration.unwatched
        configuration.edusPerTransaction = 2
        let names = (0..<230).map { "u\(1000 + $0)" }
        var bench = try polledBench(names, configuration)
        for name in names { bench.perform(.localPublished(try local(name), text("1"), .batched)) }
        let sent = bench.pass(.seconds(60))
        #expect(sent.map { $0.messages.map(\.push.count) } == [[50, 50], [50, 50], [30]])
        #expect(Set(sent.flatMap(\.pushed)).count == 230)
    }

    @Test func `long lists of polls leave in parts`() throws {
        var configuration = FederationEngine.Configuration.unwatched
        configuration.pollsPerEDU = 2
        var bench = try FederationBench(configuration)
        bench.deliversAtOnce = false
        for name in ["a", "b", "c"] { bench.perform(.interestBegan(try remote(name))) }
        bench.conclude()
        #expect(bench.sent.map(\.polled.count) == [1, 2])
    }

    @Test func `a change is told to nobody without a promise, unless the server is not known to take part`() throws {
        var bench = try FederationBench()
        let (alice, capable, legacy) = (try local("alice"), try there("capable.example"), try there("old.example"))
        bench.hear("t1", from: capable)
        bench.hear("t1", from: legacy, push: [(try remote("bob", at: "old.example"), text(""))], isCapable: false)
        bench.perform(.audienceRestored(alice, capable), .audienceRestored(alice, legacy))
        bench.perform(.localPublished(alice, text("1"), .batched))
        #expect(bench.pass(.seconds(10)).map(\.destination) == [legacy])
    }

    @Test func `withdrawing stops what was about to leave`() throws {
        var bench = try polledBench(["alice"])
        bench.perform(.localPublished(try local("alice"), text("1"), .batched))
        bench.pass(.seconds(5))
        bench.perform(.audienceRemoved(try local("alice"), try there()))
        #expect(bench.pass(.hours(1)).isEmpty)
        #expect(bench.hear("t2", from: try there(), poll: [try local("alice")]).isEmpty)
    }
}

@Suite struct `Device types` {
    @Test func `another type is a change, and the way back is none`() throws {
        var bench = try FederationBench()
        let alice = try local("alice")
        let phone = Presence(state: .online, deviceType: try DeviceType(parsing: "mobile"))
        let desk = Presence(state: .online, deviceType: try DeviceType(parsing: "desktop"))
        bench.perform(.audienceRestored(alice, try there()))
        bench.perform(.localPublished(alice, phone, .atOnce))
        bench.perform(.localPublished(alice, desk, .batched))
        #expect(bench.pass(.minutes(1)).map { $0.presence(of: alice) } == [desk])
        bench.perform(.localPublished(alice, phone, .batched), .localPublished(alice, desk, .batched))
        #expect(bench.pass(.minutes(1)).isEmpty)
        #expect(bench.engine.tally.statesCancelledOut == 1)
    }
}
