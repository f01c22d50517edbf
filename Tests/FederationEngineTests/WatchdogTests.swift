import FederationEngine
import PresenceModel
import PresenceTestKit
import Testing

private let online = Presence(state: .online)
private let busy = Presence(state: .busy, statusText: "in a meeting")

/// Defaults, but for a long watchdog that does not bark within the test.
private var shortOnly: FederationEngine.Configuration {
    var configuration = FederationEngine.Configuration()
    configuration.longWatchdog = .hours(24 * 365 * 1000)
    return configuration
}

/// Alice is watched by the other server, and Bob there is watched here.
private func exchanging(_ configuration: FederationEngine.Configuration = shortOnly) throws -> FederationBench {
    var bench = try FederationBench(configuration)
    let (alice, bob) = (try local("alice"), try remote("bob"))
    bench.perform(
        .localPublished(alice, online, .batched), .audienceRestored(alice, try there()), .interestBegan(bob))
    bench.hear("t1", from: try there(), poll: [alice], push: [(bob, busy)])
    return bench
}

private func reminders(_ sent: [OutgoingTransaction]) -> [PresenceMessage.Reminder] {
    sent.flatMap { $0.messages.compactMap(\.reminder) }
}

extension FederationBench {
    fileprivate mutating func hear(
        _ id: String, from server: ServerName, _ reminder: PresenceMessage.Reminder, poll: [UserID] = []
    ) -> [OutgoingTransaction] {
        var message = PresenceMessage()
        message.reminder = reminder
        message.poll = poll
        message.promise = .minutes(65)
        message.speaksExtension = true
        return perform(.received(from: server, transaction: id, [message]))
    }
}

@Suite struct `The short watchdog` {
    @Test func `reminds a minute after the last sign of life, and not before`() throws {
        var bench = try exchanging()
        #expect(bench.pass(.milliseconds(59_999)).isEmpty)
        let sent = bench.pass(.milliseconds(1))
        let reminder = try #require(reminders(sent).first)
        #expect(sent.count == 1 && sent[0].pushed.isEmpty && sent[0].polled.isEmpty)
        #expect(reminder.promised.count == 1 && reminder.held?.count == 1 && !reminder.isComplete)
    }

    @Test func `is reset by anything authenticated, and by a 200 to what was sent`() throws {
        var bench = try exchanging()
        bench.pass(.seconds(50))
        bench.perform(.heard(from: try there()))
        #expect(bench.pass(.milliseconds(59_999)).isEmpty)
        bench.hear("t2", from: try there(), push: [])
        #expect(bench.pass(.milliseconds(59_999)).isEmpty)
        // A repeated one tells as well that it is there.
        bench.hear("t2", from: try there(), push: [])
        #expect(bench.pass(.milliseconds(59_999)).isEmpty)
        bench.perform(.localPublished(try local("alice"), busy, .batched))
        #expect(bench.pass(.seconds(10)).count == 1)
        #expect(bench.pass(.seconds(60)).count == 1)
    }

    @Test func `rides along with what leaves anyway, once a minute`() throws {
        var bench = try exchanging()
        for count in 0..<12 {
            bench.perform(.localPublished(try local("alice"), count % 2 == 0 ? busy : online, .batched))
            let sent = bench.pass(.seconds(20))
            #expect(sent.count == 1)
            #expect(reminders(sent).count == (count > 0 && count % 3 == 0 ? 1 : 0), "\(count)")
        }
    }

    @Test func `takes along the changes that wait, and counts them as said`() throws {
        var bench = try exchanging()
        bench.pass(.seconds(55))
        bench.perform(.localPublished(try local("alice"), busy, .batched))
        let sent = bench.pass(.seconds(5))
        #expect(sent.map(\.pushed) == [[try local("alice")]])
        #expect(reminders(sent).first?.promised.count == 1)
        #expect(bench.pass(.seconds(59)).isEmpty)
    }

    @Test func `sleeps for who is legacy, unheard, or of no interest any more`() throws {
        var bench = try FederationBench(shortOnly)
        bench.perform(.interestBegan(try remote("bob", at: "unheard.example")))
        bench.perform(.interestBegan(try remote("bob", at: "legacy.example")))
        bench.hear(
            "t", from: try there("legacy.example"), push: [(try remote("bob", at: "legacy.example"), online)],
            isCapable: false)
        #expect(reminders(bench.pass(.hours(1))).isEmpty)
        bench = try exchanging()
        bench.hear("t2", from: try there(), unpoll: [try local("alice")])
        bench.perform(.interestEnded(try remote("bob")))
        #expect(reminders(bench.pass(.hours(3))).count <= 1)
        let bob = try remote("bob")
        #expect(bench.sent.last?.unpolled == [bob])
    }

    @Test func `is taken back with the transaction that it rode on, once nobody is interested`() throws {
        var bench = try exchanging()
        bench.deliversAtOnce = false
        bench.pass(.seconds(60))
        bench.hear("t2", from: try there(), unpoll: [try local("alice")])
        bench.perform(.interestEnded(try remote("bob")))
        bench.conclude(.refused)
        bench.deliversAtOnce = true
        let sent = bench.pass(.hours(3))
        #expect(try sent.flatMap(\.unpolled) == [remote("bob")])
        #expect(reminders(sent).isEmpty)
    }
}

@Suite struct `Reminders` {
    /// What an engine says that promises the same of users of its own.
    private func summary(_ told: [(String, Presence)]) throws -> PresenceMessage.Reminder.Summary {
        var other = try FederationBench(shortOnly)
        for (name, presence) in told {
            let user = try local(name)
            other.perform(.localPublished(user, presence, .batched), .audienceRestored(user, try there()))
        }
        other.hear("t1", from: try there(), poll: try told.map { try local($0.0) })
        return try #require(reminders(other.pass(.minutes(1))).first).promised
    }

    /// Both sides of one wire: this engine's view of users that another engine serves.
    private func viewer(of told: [(String, Presence)]) throws -> FederationBench {
        var bench = try FederationBench(shortOnly, from: FederationEngine.Snapshot())
        for (name, _) in told { bench.perform(.interestBegan(try remote(name))) }
        bench.hear("t1", from: try there(), push: try told.map { (try remote($0.0), $0.1) })
        return bench
    }

    @Test func `that agree are not answered, and renew what is under half of its time`() throws {
        var bench = try viewer(of: [("bob", busy), ("carol", online)])
        let held = try #require(reminders(bench.pass(.minutes(1))).first?.held)
        #expect(held.count == 2)
        bench.pass(.minutes(30))
        bench.effects = []
        #expect(bench.hear("r1", from: try there(), .init(promised: held)).isEmpty)
        #expect(!bench.effects.contains { if case .remoteRenewed = $0 { true } else { false } })
        bench.pass(.minutes(2))
        bench.effects = []
        #expect(bench.hear("r2", from: try there(), .init(promised: held)).isEmpty)
        let until = bench.now + .minutes(65)
        #expect(bench.effects.contains(.remoteRenewed(try remote("bob"), goodUntil: until)))
        #expect(bench.effects.contains(.remoteRenewed(try remote("carol"), goodUntil: until)))
    }

    @Test func `that differ are answered by a poll of everything, at most three times in a row`() throws {
        var bench = try viewer(of: [("bob", busy), ("carol", online)])
        bench.pass(.seconds(20))
        for count in 1...5 {
            let sent = bench.hear("r\(count)", from: try there(), .init(promised: .init(count: 7, digest: 7)))
            #expect(sent.map(\.polled) == (count <= 3 ? [[try remote("bob"), try remote("carol")]] : []), "\(count)")
            #expect(reminders(sent).map(\.isComplete) == (count <= 3 ? [true] : []))
            bench.pass(.seconds(20))
        }
        #expect(bench.engine.tally.mismatches == 3)
    }

    @Test func `that hold something else than was said are answered with every state, once a minute`() throws {
        var bench = try exchanging()
        bench.pass(.seconds(20))
        let wrong = PresenceMessage.Reminder(promised: .init(), held: .init(count: 1, digest: 1))
        let sent = bench.hear("r1", from: try there(), wrong)
        #expect(sent.map(\.pushed) == [[try local("alice")]])
        #expect(reminders(sent).map(\.held) == [nil])
        bench.pass(.seconds(20))
        #expect(bench.hear("r2", from: try there(), wrong).flatMap(\.pushed).isEmpty)
    }

    @Test func `that are complete let go what they do not name`() throws {
        var bench = try exchanging()
        bench.perform(
            .localPublished(try local("anna"), online, .batched), .audienceRestored(try local("anna"), try there()))
        bench.hear("t2", from: try there(), poll: [try local("anna")])
        bench.effects = []
        var complete = PresenceMessage.Reminder(promised: .init())
        complete.isComplete = true
        let sent = bench.hear("r1", from: try there(), complete, poll: [try local("anna")])
        #expect(sent.flatMap(\.pushed) == [try local("anna")])
        #expect(bench.effects.contains(.save(.promiseGivenEnded(try local("alice"), to: try there()))))
        bench.perform(.localPublished(try local("alice"), busy, .batched))
        #expect(bench.pass(.minutes(5)).flatMap(\.pushed).isEmpty)
    }

    @Test func `that name all who are wanted let go of who is about to be, who is then asked for anew`() throws {
        var bench = try viewer(of: [("bob", busy), ("carol", online)])
        bench.pass(.seconds(20))
        bench.perform(.interestEnded(try remote("carol")))
        let wrong = PresenceMessage.Reminder(promised: .init(count: 7, digest: 7))
        #expect(bench.hear("r1", from: try there(), wrong).map(\.polled) == [[try remote("bob")]])
        #expect(bench.perform(.interestBegan(try remote("carol"))).map(\.polled) == [[try remote("carol")]])
    }

    @Test func `tell states, texts and users apart, and not their order`() throws {
        let (a, b) = (("a", online), ("b", busy))
        #expect(try summary([a, b]) == summary([b, a]))
        let others: [[(String, Presence)]] = [
            [a], [b], [("a", busy), ("b", online)], [a, ("b", Presence(state: .busy))],
            [a, ("b", Presence(state: .unavailable, statusText: "in a meeting"))], [a, ("c", busy)],
        ]
        for other in others { #expect(try summary([a, b]) != summary(other)) }
    }

    @Test func `that agree again after a poll let go of whom the other side does not count any more`() throws {
        var bench = try viewer(of: [("bob", busy), ("carol", online)])
        bench.pass(.seconds(20))
        let onlyBob = try #require(reminders(try viewer(of: [("bob", busy)]).passed(.minutes(1))).first?.held)
        #expect(bench.hear("r1", from: try there(), .init(promised: onlyBob)).flatMap(\.polled).count == 2)
        bench.hear("t2", from: try there(), push: [(try remote("bob"), busy)])
        bench.pass(.seconds(20))
        bench.effects = []
        #expect(bench.hear("r2", from: try there(), .init(promised: onlyBob)).isEmpty)
        #expect(bench.effects.contains(.remoteLapsed(try remote("carol"), .promiseLapsed)))
        #expect(!bench.effects.contains(.remoteLapsed(try remote("bob"), .promiseLapsed)))
    }
}

extension FederationBench {
    fileprivate func passed(_ duration: Duration) -> [OutgoingTransaction] {
        var copy = self
        return copy.pass(duration)
    }
}

@Suite struct `The long watchdog` {
    @Test func `exchanges everything anew, first anywhere in its hour, then every hour, off by 5 % at most`() throws {
        var configuration = FederationEngine.Configuration()
        configuration.shortWatchdog = .hours(24 * 365)
        var bench = try exchanging(configuration)
        let start = bench.now
        bench.pass(.hours(10))
        let full = zip(bench.sent, bench.sentAt).filter { !reminders([$0.0]).isEmpty }
        #expect(full.allSatisfy { reminders([$0.0]).first?.isComplete == true })
        #expect(full.allSatisfy { $0.0.pushed.count == 1 && $0.0.polled.count == 1 })
        let times = full.map { $0.1 }
        #expect(times[0] > start && times[0] <= start + .hours(1))
        for (earlier, later) in zip(times, times.dropFirst()) {
            #expect(later - earlier >= .minutes(57) && later - earlier <= .minutes(63))
        }
        #expect(times.count >= 9)
    }

    @Test func `more than one transaction takes is exchanged in several, and then it ends`() throws {
        var configuration = FederationEngine.Configuration()
        configuration.shortWatchdog = .hours(24 * 365)
        configuration.edusPerTransaction = 2
        configuration.statesPerEDU = 2
        configuration.pollsPerEDU = 2
        var bench = try FederationBench(configuration)
        let names = (0..<9).map { "user\($0)" }
        for name in names {
            bench.perform(
                .localPublished(try local(name), online, .batched), .audienceRestored(try local(name), try there()),
                .interestBegan(try remote(name)))
        }
        bench.hear("t1", from: try there(), poll: try names.map { try local($0) })
        bench.pass(.minutes(1))
        let count = bench.sent.count
        bench.pass(.minutes(59))
        let sent = bench.sent[count...]
        #expect(sent.flatMap(\.pushed) == (try names.map { try local($0) }))
        #expect(sent.flatMap(\.polled) == (try names.map { try remote($0) }))
        #expect(reminders(Array(sent)).map(\.isComplete) == [false])
        #expect(sent.count == 5)
    }

    @Test func `starts at another time for every server`() throws {
        var configuration = FederationEngine.Configuration()
        configuration.shortWatchdog = .hours(24 * 365)
        var quarters: [Int64: Int] = [:]
        for count in 0..<200 {
            var bench = try FederationBench(configuration)
            let server = try there("s\(count).example")
            bench.perform(.interestBegan(try remote("bob", at: server.text)))
            let start = bench.now
            bench.hear("t1", from: server)
            bench.pass(.hours(1))
            let at = try #require(bench.sentAt.last)
            quarters[(at.milliseconds(since: start) - 1) / 900_000, default: 0] += 1
        }
        #expect(quarters.count == 4 && quarters.values.allSatisfy { $0 > 25 })
    }

    @Test func `is reset by a reminder, and by nothing else`() throws {
        var configuration = FederationEngine.Configuration()
        configuration.shortWatchdog = .hours(24 * 365)
        var bench = try exchanging(configuration)
        for count in 0..<30 {
            bench.hear("p\(count)", from: try there(), push: [(try remote("bob"), online)])
            bench.pass(.minutes(2))
        }
        #expect(reminders(bench.sent).count == 1)
        let held = try #require(reminders(bench.sent).last?.promised)
        for count in 0..<30 {
            _ = bench.hear("r\(count)", from: try there(), .init(promised: .init(count: 0, digest: held.digest)))
            bench.pass(.minutes(20))
        }
        #expect(bench.engine.tally.fullExchanges == 1)
    }
}

@Suite struct `Silence` {
    private func silent() throws -> FederationBench {
        var bench = try exchanging()
        bench.deliversAtOnce = false
        bench.effects = []
        bench.pass(.seconds(60))
        for _ in 0..<3 {
            bench.conclude(.unanswered(after: nil))
            bench.pass(.seconds(40))
        }
        return bench
    }

    @Test func `begins three short watchdogs after the last sign of life, and not before`() throws {
        var bench = try exchanging()
        bench.deliversAtOnce = false
        bench.effects = []
        bench.pass(.seconds(180) - .milliseconds(1))
        #expect(!bench.effects.contains(.standingChanged(try there(), .silent)))
        bench.pass(.milliseconds(1))
        #expect(bench.effects.contains(.standingChanged(try there(), .silent)))
        #expect(bench.effects.contains(.remoteLapsed(try remote("bob"), .serverSilent)))
        bench.effects = []
        bench.pass(.hours(5))
        #expect(!bench.effects.contains { if case .standingChanged = $0 { true } else { false } })
    }

    @Test func `does not begin while a server is left alone as it asked to be`() throws {
        var bench = try exchanging()
        bench.deliversAtOnce = false
        bench.pass(.seconds(60))
        bench.conclude(.unanswered(after: .minutes(10)))
        bench.effects = []
        let silent = FederationEngine.Effect.standingChanged(try there(), .silent)
        #expect(bench.pass(.minutes(10) - .milliseconds(1)).isEmpty && !bench.effects.contains(silent))
        #expect(bench.pass(.milliseconds(1)).count == 1)
        bench.pass(.minutes(3) - .milliseconds(1))
        #expect(!bench.effects.contains(silent))
        bench.pass(.milliseconds(1))
        #expect(bench.effects.contains(silent))
    }

    @Test func `lets nothing leave but questions, at the pace of the back-off`() throws {
        var bench = try silent()
        bench.perform(.localPublished(try local("alice"), busy, .batched))
        bench.perform(.interestBegan(try remote("carol")))
        let count = bench.sent.count
        for _ in 0..<30 {
            bench.conclude(.unanswered(after: nil))
            bench.pass(.hours(1) + .minutes(13))
        }
        let probes = bench.sent[count...]
        #expect(probes.count >= 20 && probes.count <= 31)
        #expect(probes.allSatisfy { $0.pushed.isEmpty && $0.polled.isEmpty && reminders([$0]).count == 1 })
    }

    @Test(arguments: [true, false])
    func `ends with any sign of life, and everything is said and asked anew at once`(byAnswer: Bool) throws {
        var bench = try silent()
        bench.perform(.localPublished(try local("alice"), busy, .batched))
        bench.perform(.interestBegan(try remote("carol")))
        bench.conclude(.unanswered(after: nil))
        bench.deliversAtOnce = true
        bench.effects = []
        let sent: [OutgoingTransaction]
        if byAnswer {
            sent = bench.pass(.hours(2))
        } else {
            sent = bench.perform(.heard(from: try there()))
        }
        #expect(bench.effects.contains(.standingChanged(try there(), .answering)))
        let full = try #require(sent.first { !$0.pushed.isEmpty })
        let alice = try local("alice")
        #expect(full.pushed == [alice] && full.presence(of: alice) == busy)
        #expect(full.polled == [try remote("bob"), try remote("carol")])
        #expect(reminders([full]).map(\.isComplete) == [true])
    }
}

@Suite struct `Servers that forget` {
    private func told(_ count: Int) throws -> FederationBench {
        var bench = try FederationBench(FederationEngine.Configuration())
        bench.hear("t1", from: try there(), push: [(try remote("bob"), online)], isCapable: false)
        for number in 0..<count {
            let user = try local("user\(number)")
            bench.perform(.audienceRestored(user, try there()), .localPublished(user, online, .batched))
        }
        bench.pass(.seconds(60))
        return bench
    }

    @Test func `are told again of who is active between 25 and 29 minutes, spread, and not of who is offline`() throws {
        var bench = try told(40)
        let offline = try local("user7")
        bench.perform(.localPublished(offline, Presence(state: .offline), .batched))
        bench.pass(.seconds(60))
        var last: [UserID: Instant] = [:]
        for (transaction, at) in zip(bench.sent, bench.sentAt) { for user in transaction.pushed { last[user] = at } }
        let count = bench.sent.count
        bench.pass(.hours(3))
        var perMinute: [Int: Int] = [:]
        for (transaction, at) in zip(bench.sent[count...], bench.sentAt[count...]) {
            for user in transaction.pushed {
                #expect(user != offline)
                let since = at - (try #require(last[user]))
                #expect(since >= .minutes(25) && since <= .minutes(29), "\(user) after \(since)")
                last[user] = at
            }
            perMinute[Int(at.millisecondsSinceEpoch / 60_000), default: 0] += 1
        }
        // Not all at once, and not one by one.
        #expect(perMinute.values.allSatisfy { $0 <= 2 })
        #expect(bench.sent[count...].allSatisfy { $0.pushed.count < 39 })
    }

    @Test func `are not told of whom they see in large rooms only, until they see them otherwise`() throws {
        var bench = try told(0)
        let alice = try local("alice")
        bench.perform(
            .localPublished(alice, online, .batched), .audienceAdded(alice, try there()),
            .reachChanged(alice, try there(), .wide))
        bench.perform(.localPublished(alice, busy, .atOnce))
        #expect(bench.pass(.hours(1)).isEmpty)
        bench.perform(.reachChanged(alice, try there(), .near))
        #expect(bench.pass(.minutes(1)).map(\.pushed) == [[alice]])
    }

    @Test func `a server of which nothing was heard is not told of members of large rooms either`() throws {
        var bench = try FederationBench()
        let alice = try local("alice")
        bench.perform(
            .localPublished(alice, online, .batched), .audienceAdded(alice, try there()),
            .reachChanged(alice, try there(), .wide))
        bench.perform(.localPublished(alice, busy, .batched))
        #expect(bench.pass(.hours(1)).isEmpty)
        bench.perform(.reachChanged(alice, try there(), .near))
        #expect(bench.pass(.minutes(1)).map(\.pushed) == [[alice]])
        // Who went to a large room is told of no more.
        bench.perform(.reachChanged(alice, try there(), .wide))
        bench.perform(.localPublished(alice, online, .batched))
        #expect(bench.pass(.minutes(20)).isEmpty)
        // Until the server asks.
        #expect(bench.hear("t1", from: try there(), poll: [alice]).map(\.pushed) == [[alice]])
    }

    @Test func `who takes part is told of users in large rooms as of others`() throws {
        var bench = try exchanging()
        bench.perform(.reachChanged(try local("alice"), try there(), .wide))
        bench.perform(.localPublished(try local("alice"), busy, .batched))
        #expect(bench.pass(.seconds(10)).map(\.pushed) == [[try local("alice")]])
    }
}

@Suite struct `Peers` {
    @Test func `who wants nothing about presence is left alone for a day`() throws {
        var bench = try FederationBench(FederationEngine.Configuration())
        bench.deliversAtOnce = false
        let alice = try local("alice")
        bench.perform(.localPublished(alice, online, .batched), .audienceAdded(alice, try there()))
        bench.conclude(.optedOut)
        for count in 0..<20 {
            bench.perform(.localPublished(alice, count % 2 == 0 ? busy : online, .batched))
            #expect(bench.pass(.hours(1)).isEmpty)
        }
        #expect(bench.pass(.hours(5)).count == 1)
    }

    @Test func `a server with which nothing is exchanged is forgotten after an hour`() throws {
        var bench = try FederationBench(FederationEngine.Configuration())
        bench.hear("t1", from: try there(), push: [(try remote("bob"), online)], isCapable: false)
        bench.effects = []
        bench.pass(.minutes(59))
        #expect(!bench.effects.contains(.save(.peerForgotten(try there()))))
        bench.pass(.minutes(1))
        #expect(bench.effects.contains(.save(.peerForgotten(try there()))))
        #expect(bench.engine.nextDeadline == nil)
        // The place is used anew.
        #expect(bench.perform(.interestBegan(try remote("eve", at: "new.example"))).map(\.polled).count == 1)
    }

    @Test func `who takes part is not told of users for whom nobody there asked`() throws {
        var bench = try exchanging()
        let anna = try local("anna")
        bench.perform(
            .localPublished(anna, Presence(state: .offline), .batched), .audienceRestored(anna, try there()))
        bench.perform(.localPublished(anna, online, .atOnce))
        #expect(bench.pass(.seconds(59)).flatMap(\.pushed).isEmpty)
    }

    @Test func `whom nobody asked for is not taken up, and asked not to be told`() throws {
        var bench = try exchanging()
        bench.effects = []
        #expect(bench.hear("t2", from: try there(), push: [(try remote("eve"), online)]).isEmpty)
        #expect(!bench.effects.contains { if case .remoteReported = $0 { true } else { false } })
        #expect(bench.pass(.seconds(10)).map(\.unpolled) == [[try remote("eve")]])
    }

    @Test func `back-off and silence outlive a restart`() throws {
        let start = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
        var snapshot = FederationEngine.Snapshot()
        snapshot.peers = [
            (
                try there(),
                .init(dialect: .capable, failures: 5, retryAt: start + .minutes(4), silentSince: start - .hours(1))
            )
        ]
        snapshot.given = [(try local("alice"), try there(), start + .minutes(30))]
        var bench = try FederationBench(FederationEngine.Configuration(), from: snapshot, boot: 2, at: start)
        bench.perform(
            .audienceRestored(try local("alice"), try there()), .localPublished(try local("alice"), online, .restated))
        #expect(bench.pass(.minutes(4) - .milliseconds(1)).isEmpty)
        let sent = bench.pass(.milliseconds(1))
        // First the question, then, as it is answered, everything.
        #expect(sent.map(\.pushed) == [[], [try local("alice")]])
        #expect(bench.effects.contains(.standingChanged(try there(), .answering)))
    }
}

extension Instant {
    fileprivate static func - (instant: Instant, duration: Duration) -> Instant {
        instant.advanced(by: .zero - duration)
    }
}
