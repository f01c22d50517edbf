import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

/// What is lost for good, with nobody noticing, is repaired by a watchdog; each test names which.
@Suite struct `What was lost for good` {
    /// Bob there watches Alice here, who is online: settled, and nothing was said for `quiet`.
    private func watching(quiet: Duration = .seconds(20)) throws -> PairBench {
        var configuration = FederationEngine.Configuration()
        configuration.batchWindow = .seconds(10)
        var bench = try PairBench(configuration)
        let (alice, bob) = (try local("alice"), try remote("bob"))
        try bench.listen(alice)
        bench.befriend(alice, by: bob)
        try bench.listen(bob)
        bench.pass(.seconds(11))
        #expect(bench.state(of: alice) == .online)
        // From a sign of life on, on both sides at once.
        let last = bench.now
        bench.pass(until: bench.now + .minutes(5)) { $0.sent(after: last).contains { $0.isDigest } }
        bench.pass(quiet)
        return bench
    }

    private func choose(_ state: ChosenState, _ bench: inout PairBench) throws {
        let key = DeviceKey(user: try local("alice"), device: try DeviceID(parsing: "phone"))
        bench.perform(.statusChosen(key, state, text: nil), of: key.user)
    }

    @Test func `a push that was answered and not taken, is repaired by the digest of the short watchdog`() throws {
        var bench = try watching()
        let alice = try local("alice")
        let quietSince = bench.now.advanced(by: .seconds(-20))
        bench.ways.fromHere = .swallowed
        try choose(.busy, &bench)
        bench.pass(.seconds(10))
        #expect(bench.sent.last?.transaction.presence(of: alice)?.state == .busy)
        bench.ways.fromHere = .open
        let lost = bench.now
        bench.pass(until: quietSince + .milliseconds(59_999))
        #expect(bench.state(of: alice) == .online && bench.sent(after: lost).isEmpty)
        bench.pass(.milliseconds(1))
        #expect(bench.state(of: alice) == .busy)
        // Who was not told anything asks whether all is well; what it holds is answered with states.
        let repair = bench.sent(after: lost)
        #expect(try repair.map(\.from) == [there(), here()])
        #expect(repair[0].isDigest && repair[1].transaction.pushed == [alice] && repair[1].reminder?.held == nil)
    }

    @Test func `a poll that was answered and not taken, is repaired by the full exchange of the long watchdog`() throws
    {
        var bench = try watching()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        // Bob looks away until nothing is promised any more, and the poll with which he comes back is lost.
        bench.perform(.interestSet(bob, .selected(groups: [], users: []), until: bench.now + .hours(1)), of: bob)
        bench.pass(.seconds(75))
        #expect(bench.sent.last?.transaction.unpolled == [alice])
        bench.ways.fromThere = .swallowed
        bench.perform(.interestSet(bob, nil, until: bench.now), of: bob)
        #expect(bench.sent.last?.transaction.polled == [alice])
        bench.ways.fromThere = .open
        let lost = bench.now
        bench.pass(until: lost + .hours(1)) { $0.state(of: alice) != nil }
        #expect(bench.state(of: alice) == .online)
        let repair = bench.sent(after: lost)
        let last = try #require(repair.last { $0.from == bob.server })
        #expect(last.at == bench.now && last.transaction.polled == [alice] && last.reminder?.isComplete == true)
        // Whatever the short watchdog said before, both sides agreed: nothing was promised, and nothing held.
        #expect(repair.filter { $0.at < bench.now }.allSatisfy { $0.isDigest })
    }

    @Test func `an unpoll that was answered and not taken, is repaired by the digest of the short watchdog`() throws {
        var bench = try watching()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        bench.perform(.interestSet(bob, .selected(groups: [], users: []), until: bench.now + .hours(1)), of: bob)
        bench.pass(.seconds(60))
        bench.ways.fromThere = .swallowed
        bench.pass(.seconds(10))
        #expect(bench.sent.last?.transaction.unpolled == [alice])
        bench.ways.fromThere = .open
        let lost = bench.now
        bench.pass(until: lost + .minutes(2)) { $0.sent(after: lost).contains { $0.reminder?.isComplete == true } }
        let repair = bench.sent(after: lost)
        #expect(bench.now <= lost + .seconds(60))
        #expect(try repair.map(\.from) == [here(), there()])
        #expect(repair[0].isDigest && repair[0].reminder?.promised.count == 1)
        #expect(repair[1].transaction.polled.isEmpty)
        // Nothing more is said of Alice, who is of no interest.
        let repaired = bench.now
        try choose(.busy, &bench)
        bench.pass(.minutes(20))
        #expect(bench.sent(after: repaired).isEmpty)
    }

    @Test func `promises that a restart from an older commit forgot, are repaired by the digest of the short watchdog`()
        throws
    {
        var bench = try watching()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        bench.perform(.interestSet(bob, .selected(groups: [], users: []), until: bench.now + .hours(1)), of: bob)
        bench.pass(.seconds(75))
        bench.keepCommit(of: try here())
        bench.perform(.interestSet(bob, nil, until: bench.now), of: bob)
        #expect(bench.state(of: alice) == .online)
        bench.pass(.seconds(20))
        bench.crash(try here(), commits: false)
        bench.start(try here())
        try bench.listen(alice)
        try choose(.busy, &bench)
        let quietSince = bench.now.advanced(by: .seconds(-20))
        let fell = bench.now
        bench.pass(until: quietSince + .milliseconds(59_999))
        #expect(bench.state(of: alice) == .online)
        bench.pass(.milliseconds(1))
        #expect(bench.state(of: alice) == .busy)
        let repair = bench.sent(after: fell)
        #expect(try repair.first?.isDigest == true && repair.first?.from == there())
        #expect(repair.contains { $0.transaction.polled == [alice] && $0.reminder?.isComplete == true })
    }

    @Test func `a server that fell without a word, is found out by silence after three short watchdogs`() throws {
        var bench = try watching()
        let alice = try local("alice")
        let lastHeard = bench.now.advanced(by: .seconds(-20))
        bench.crash(try here())
        bench.pass(until: lastHeard + .milliseconds(179_999))
        #expect(bench.state(of: alice) == .online)
        bench.pass(.milliseconds(1))
        #expect(bench.knowledge(of: alice) == .unknown(.serverSilent, since: lastHeard + .seconds(180)))
        // Hours later it is back, and asks nothing: the next question whether it is finds it, and everything else.
        bench.pass(.hours(3))
        bench.start(try here())
        try bench.listen(alice)
        try choose(.busy, &bench)
        let back = bench.now
        bench.pass(until: back + .minutes(73)) { $0.state(of: alice) != nil }
        #expect(bench.state(of: alice) == .busy)
        let repair = bench.sent(after: back)
        #expect(repair.first?.isDigest == true && repair.first?.at == bench.now)
    }
}
