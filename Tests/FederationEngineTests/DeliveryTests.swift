import FederationEngine
import PresenceModel
import PresenceTestKit
import Testing

private let online = Presence(state: .online)

/// A bench whose transactions are concluded by hand; alice is visible to the other server and has just appeared.
private func appearedBench(seed: UInt64 = 1) throws -> FederationBench {
    var bench = try FederationBench(seed: seed)
    bench.deliversAtOnce = false
    bench.perform(.audienceRestored(try local("alice"), try there()))
    bench.perform(.localPublished(try local("alice"), online, .atOnce))
    return bench
}

@Suite struct `Retries` {
    @Test func `one transaction is under way, and the rest waits for it`() throws {
        var bench = try appearedBench()
        bench.perform(.interestBegan(try remote("bob")))
        bench.perform(.localPublished(try local("alice"), Presence(state: .busy), .batched))
        bench.pass(.hours(1))
        #expect(bench.sent.count == 1)
        let next = bench.conclude()
        #expect(next.count == 1)
        #expect(next.first?.polled == [try remote("bob")])
        #expect(next.first?.pushed == [try local("alice")])
        #expect(next.first?.id != bench.sent.first?.id)
    }

    @Test func `a retry is the same value`() throws {
        var bench = try appearedBench()
        for _ in 0..<3 {
            bench.conclude(.unanswered(after: nil))
            bench.perform(.localPublished(try local("alice"), Presence(state: .busy), .batched))
            bench.pass(.minutes(2))
        }
        #expect(bench.sent.count == 4)
        #expect(Set(bench.sent).count == 1)
        #expect(bench.engine.tally.transactionsSent == 1 && bench.engine.tally.retries == 3)
    }

    @Test(arguments: UInt64(1)...5)
    func `waits double to 1 h, give or take a fifth, up to where a second begins`(
        seed: UInt64
    ) throws {
        var bench = try appearedBench(seed: seed)
        bench.pass(.milliseconds(337))
        var wanted = 10.0
        var waits: Set<Duration> = []
        for _ in 0..<12 {
            let failed = bench.now
            bench.conclude(.unanswered(after: nil))
            bench.pass(.hours(2))
            let again = try #require(bench.sentAt.last)
            let wait = again - failed
            #expect((wanted * 0.8 - 0.001...wanted * 1.2 + 1).contains(Double(wait.inMilliseconds) / 1000))
            #expect(again.millisecondsSinceEpoch % 1000 == 0)
            waits.insert(wait)
            wanted = min(wanted * 2, 3600)
        }
        #expect(waits.count == 12)
    }

    @Test func `a delivery begins the waits anew`() throws {
        var bench = try appearedBench()
        for _ in 0..<5 {
            bench.conclude(.unanswered(after: nil))
            bench.pass(.hours(1))
        }
        bench.conclude()
        bench.perform(.interestBegan(try remote("bob")))
        bench.conclude(.unanswered(after: nil))
        #expect(bench.pass(.seconds(12)).count == 1)
    }

    @Test func `a server that asks for a wait gets it, whatever else happens`() throws {
        var bench = try appearedBench()
        bench.conclude(.unanswered(after: .minutes(5)))
        bench.pass(.minutes(1))
        bench.perform(.localPublished(try local("alice"), Presence(state: .busy), .atOnce))
        bench.hear("t1", from: try there(), poll: [try local("alice")])
        bench.perform(.audienceRemoved(try local("alice"), try there()))
        bench.perform(.audienceAdded(try local("alice"), try there()))
        #expect(bench.pass(.milliseconds(239_999)).isEmpty && bench.sent.count == 1)
        #expect(bench.pass(.seconds(60)).count == 1)
    }

    @Test func `a wait asked for is an hour at most`() throws {
        var bench = try appearedBench()
        bench.conclude(.unanswered(after: .hours(100)))
        #expect(bench.pass(.minutes(59)).isEmpty)
        #expect(bench.pass(.minutes(1)).count == 1)
    }

    @Test func `a sign of life ends the waiting`() throws {
        var bench = try appearedBench()
        for _ in 0..<6 {
            bench.conclude(.unanswered(after: nil))
            bench.pass(.hours(1))
        }
        bench.conclude(.unanswered(after: nil))
        #expect(bench.pass(.seconds(30)).isEmpty)
        #expect(bench.hear("t1", from: try there()).count == 1)
    }

    @Test func `a repeated transaction is no sign of life`() throws {
        var bench = try appearedBench()
        bench.hear("t1", from: try there())
        bench.conclude(.unanswered(after: nil))
        #expect(bench.hear("t1", from: try there()).isEmpty)
    }

    @Test func `a refused transaction is composed anew`() throws {
        var bench = try appearedBench()
        bench.perform(.interestBegan(try remote("bob")))
        bench.conclude()
        bench.pass(.seconds(11))
        bench.perform(.localPublished(try local("alice"), Presence(state: .busy), .atOnce))
        bench.conclude()
        let before = try #require(bench.sent.last)
        bench.perform(.localPublished(try local("alice"), online, .batched))
        bench.conclude(.refused)
        let again = bench.pass(.seconds(12))
        #expect(again.count == 1 && again.first?.id != before.id)
        #expect(again.first?.presence(of: try local("alice")) == online)
    }

    @Test func `what a refused transaction said is said again`() throws {
        var bench = try appearedBench()
        bench.conclude(.refused)
        #expect(bench.pass(.seconds(12)).map(\.pushed) == [[try local("alice")]])
    }

    @Test func `what a refused transaction asked is asked again while it is wanted`() throws {
        var bench = try FederationBench()
        bench.deliversAtOnce = false
        bench.perform(.interestBegan(try remote("bob")), .interestBegan(try remote("carol")))
        bench.perform(.interestEnded(try remote("carol")))
        bench.pass(.minutes(2))
        bench.conclude(.refused)
        let again = bench.pass(.seconds(12))
        #expect(again.map(\.polled) == [[try remote("bob")]])
    }

    @Test func `the outcome of another transaction changes nothing`() throws {
        var bench = try appearedBench()
        bench.perform(.delivered(to: try there(), transaction: "pd-0-9"))
        bench.perform(.deliveryFailed(to: try there(), transaction: "pd-0-9", .refused))
        bench.perform(.delivered(to: try there("other.example"), transaction: "pd-1-1"))
        bench.perform(.interestBegan(try remote("bob")))
        #expect(bench.sent.count == 1)
    }

    @Test func `withdrawing stops a retry that waits`() throws {
        var bench = try appearedBench()
        bench.perform(.interestBegan(try remote("bob")))
        bench.conclude(.unanswered(after: nil))
        bench.perform(.audienceRemoved(try local("alice"), try there()))
        let sent = bench.pass(.hours(1))
        #expect(sent.count == 1 && sent.first?.id != bench.sent.first?.id)
        #expect(sent.first?.pushed == [])
        #expect(sent.first?.polled == [try remote("bob")])
    }

    @Test func `withdrawing while a transaction is under way stops its retry`() throws {
        var bench = try appearedBench()
        bench.perform(.audienceRemoved(try local("alice"), try there()))
        bench.conclude(.unanswered(after: nil))
        #expect(bench.pass(.hours(3)).isEmpty)
    }

    @Test func `transactions are numbered within a start, for each server by itself`() throws {
        var bench = try FederationBench(boot: 7)
        bench.perform(.interestBegan(try remote("bob")), .interestBegan(try remote("bob", at: "other.example")))
        bench.conclude()
        bench.perform(.interestBegan(try remote("carol", at: "other.example")))
        let ids = bench.sent.map { "\($0.destination) \($0.id)" }
        #expect(ids.prefix(2).sorted() == ["other.example pd-7-1", "there.example pd-7-1"])
        #expect(Set(ids).count == ids.count)
    }
}
