import FederationEngine
import PresenceModel
import PresenceTestKit
import Testing

private let online = Presence(state: .online)
private let busy = Presence(state: .busy)

@Suite struct `What is asked` {
    @Test func `a user is polled when someone cares, and no longer a minute after nobody does`() throws {
        var bench = try FederationBench()
        let bob = try remote("bob")
        #expect(bench.perform(.interestBegan(bob)).map(\.polled) == [[bob]])
        bench.hear("t1", from: try there(), push: [(bob, online)])
        bench.perform(.interestEnded(bob))
        bench.effects = []
        #expect(bench.pass(.milliseconds(59_999)).isEmpty && bench.effects.isEmpty)
        bench.pass(.milliseconds(1))
        #expect(bench.effects.contains(.remoteLapsed(bob, .notAsked)))
        #expect(bench.pass(.seconds(10)).map(\.unpolled) == [[bob]])
        #expect(bench.pass(.hours(3)).isEmpty)
    }

    @Test func `whoever comes back within the grace needs no word`() throws {
        var bench = try FederationBench()
        let bob = try remote("bob")
        bench.perform(.interestBegan(bob))
        bench.hear("t1", from: try there(), push: [(bob, online)])
        bench.perform(.interestEnded(bob))
        bench.pass(.seconds(59))
        bench.perform(.interestBegan(bob))
        #expect(bench.pass(.minutes(5)).isEmpty)
        #expect(!bench.effects.contains(.remoteLapsed(bob, .notAsked)))
    }

    @Test func `whoever comes back after the grace is polled anew`() throws {
        var bench = try FederationBench()
        let bob = try remote("bob")
        bench.perform(.interestBegan(bob))
        bench.perform(.interestEnded(bob))
        bench.pass(.seconds(75))
        #expect(bench.sent.last?.unpolled == [bob])
        #expect(bench.perform(.interestBegan(bob)).map(\.polled) == [[bob]])
    }

    @Test func `a promise is renewed before it lapses`() throws {
        var bench = try FederationBench()
        let bob = try remote("bob")
        bench.perform(.interestBegan(bob))
        bench.hear("t1", from: try there(), push: [(bob, online)], promise: .minutes(30))
        #expect(bench.pass(.minutes(29) - .milliseconds(1)).isEmpty)
        #expect(bench.pass(.milliseconds(1)).map(\.polled) == [[bob]])
        bench.hear("t2", from: try there(), push: [(bob, online)], promise: .minutes(30))
        #expect(bench.pass(.minutes(28)).isEmpty)
        #expect(bench.pass(.minutes(1)).map(\.polled) == [[bob]])
    }

    @Test func `a push moves the renewal`() throws {
        var bench = try FederationBench()
        let bob = try remote("bob")
        bench.perform(.interestBegan(bob))
        for count in 0..<6 {
            bench.hear("t\(count)", from: try there(), push: [(bob, count % 2 == 0 ? online : busy)])
            #expect(bench.pass(.minutes(50)).isEmpty)
        }
    }

    @Test func `a legacy server is polled once and never again`() throws {
        var bench = try FederationBench()
        let bob = try remote("bob")
        #expect(bench.perform(.interestBegan(bob)).map(\.polled) == [[bob]])
        bench.hear("t1", from: try there(), push: [(bob, online)], isCapable: false)
        #expect(bench.pass(.hours(12)).isEmpty)
        bench.perform(.interestEnded(bob))
        #expect(bench.pass(.hours(1)).isEmpty)
        #expect(!bench.effects.contains(.remoteLapsed(bob, .notAsked)))
    }

    @Test func `once capable, always`() throws {
        var bench = try FederationBench()
        bench.hear("t1", from: try there())
        bench.effects = []
        bench.hear("t2", from: try there(), push: [(try remote("bob"), online)], isCapable: false)
        #expect(!bench.effects.contains(.save(.peer(try there(), .init(dialect: .legacy)))))
    }
}

@Suite struct `What is promised` {
    private func polled() throws -> FederationBench {
        var bench = try FederationBench()
        bench.perform(.audienceRestored(try local("alice"), try there()))
        bench.perform(.localPublished(try local("alice"), online, .batched))
        bench.pass(.minutes(1))
        bench.hear("t1", from: try there(), poll: [try local("alice")])
        return bench
    }

    @Test func `changes are pushed while a promise holds, and not after`() throws {
        var bench = try polled()
        bench.pass(.minutes(64))
        bench.perform(.localPublished(try local("alice"), busy, .batched))
        #expect(bench.pass(.seconds(10)).count == 1)
        // That push was a promise again.
        bench.pass(.minutes(65))
        bench.perform(.localPublished(try local("alice"), online, .batched))
        #expect(bench.pass(.hours(1)).isEmpty)
    }

    @Test func `an unpoll ends a promise at once`() throws {
        var bench = try polled()
        bench.hear("t2", from: try there(), unpoll: [try local("alice")])
        #expect(bench.effects.contains(.save(.promiseGivenEnded(try local("alice"), to: try there()))))
        bench.perform(.localPublished(try local("alice"), busy, .batched))
        #expect(bench.pass(.hours(1)).isEmpty)
    }

    @Test func `a promise counts from when it was delivered, and what was missed meanwhile is told`() throws {
        var bench = try FederationBench()
        bench.deliversAtOnce = false
        bench.perform(.audienceRestored(try local("alice"), try there()))
        bench.perform(.localPublished(try local("alice"), online, .batched))
        bench.hear("t1", from: try there(), poll: [try local("alice")])
        for _ in 0..<4 {
            bench.conclude(.unanswered(after: nil))
            bench.pass(.minutes(20))
        }
        // The promise ran out on the way; this change went by unsaid.
        bench.perform(.localPublished(try local("alice"), busy, .batched))
        bench.conclude()
        let sent = bench.pass(.minutes(1))
        #expect(sent.count == 1)
        #expect(sent.first?.presence(of: try local("alice")) == busy)
        bench.conclude()
        bench.pass(.minutes(64))
        bench.perform(.localPublished(try local("alice"), online, .batched))
        #expect(bench.pass(.minutes(1)).count == 1)
    }

    @Test func `a promise is saved when a quarter of it has passed`() throws {
        var bench = try polled()
        bench.effects = []
        for count in 0..<20 {
            bench.perform(.localPublished(try local("alice"), count % 2 == 0 ? busy : online, .batched))
            bench.pass(.minutes(1))
        }
        let saves = bench.effects.filter { if case .save(.promiseGiven) = $0 { true } else { false } }
        #expect(saves.count == 1)
    }
}

@Suite struct `After a restart of the engine` {
    @Test func `who holds a promise, and who forgets, is told again what holds, and nobody else`() throws {
        let start = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
        var snapshot = FederationEngine.Snapshot()
        let (holder, lapsed, other) = (try there("a.example"), try there("b.example"), try there("c.example"))
        let legacy = try there("d.example")
        snapshot.peers =
            [holder, lapsed, other].map { ($0, .init(dialect: .capable)) } + [(legacy, .init(dialect: .legacy))]
        snapshot.given = [(try local("alice"), holder, start + .minutes(1)), (try local("alice"), lapsed, start)]
        var bench = try FederationBench(from: snapshot, boot: 2, at: start)
        for server in [holder, lapsed, other, legacy] { bench.perform(.audienceRestored(try local("alice"), server)) }
        #expect(bench.perform(.localPublished(try local("alice"), busy, .restated)).isEmpty)
        let sent = bench.pass(.seconds(60))
        #expect(sent.map(\.destination) == [holder, legacy])
        #expect(sent.first?.presence(of: try local("alice")) == busy)
        #expect(sent.first?.id == "pd-2-1")
    }

    @Test func `what was asked is asked anew if someone cares, else let go after the grace`() throws {
        let start = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
        var snapshot = FederationEngine.Snapshot()
        let (bob, carol) = (try remote("bob"), try remote("carol"))
        snapshot.asked = [(bob, start + .hours(1)), (carol, nil)]
        snapshot.peers = [(try there(), .init(dialect: .capable))]
        var bench = try FederationBench(from: snapshot, boot: 2, at: start)
        #expect(bench.perform(.interestBegan(bob)).map(\.polled) == [[bob]])
        let sent = bench.pass(.minutes(2))
        #expect(sent.map(\.unpolled) == [[carol]])
        #expect(bench.effects.contains(.remoteLapsed(carol, .notAsked)))
        #expect(!bench.effects.contains(.remoteLapsed(bob, .notAsked)))
    }

    @Test func `promises about other servers' users are not taken from disk`() throws {
        let start = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
        var snapshot = FederationEngine.Snapshot()
        snapshot.given = [(try remote("bob"), try there(), start + .hours(1))]
        snapshot.asked = [(try local("alice"), nil)]
        var bench = try FederationBench(from: snapshot, at: start)
        #expect(bench.pass(.hours(2)).isEmpty && bench.effects.isEmpty)
    }
}
