import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

@Suite struct `Devices make a user` {
    @Test func `a busy watch hides an idle phone, and busy stays when the watch goes`() throws {
        let phone = "o------------"
        let watch = "--b---x------"
        let alice = "o-b----------"
        #expect(try drawn(["phone": phone, "watch": watch], each: .minutes(1)) == alice)
    }

    @Test func `who does nothing for five minutes is idle, and whoever acts again is not`() throws {
        #expect(try drawn(["phone": "o------a-----"], each: .minutes(1)) == "o----u-o----u")
    }

    @Test func `the least idle device wins`() throws {
        let phone = "o---a------x---"
        let tablet = "c-----a---x----"
        let alice = "o----------ux--"
        #expect(try drawn(["phone": phone, "tablet": tablet], each: .minutes(1)) == alice)
    }

    @Test func `a device that goes is gone half a minute later`() throws {
        #expect(try drawn(["phone": "ox-----"], each: .seconds(10)) == "o---x--")
        #expect(try drawn(["phone": "s------"], each: .seconds(10)) == "o--x---")
        #expect(try drawn(["phone": "s-s----"], each: .seconds(10)) == "o----x-")
        #expect(try drawn(["phone": "or----"], each: .seconds(10)) == "ox----")
    }

    @Test func `a device that comes back within half a minute was never gone`() throws {
        #expect(try drawn(["phone": "ox-c--------"], each: .seconds(10)) == "o-----------")
    }

    @Test func `picking a state goes for all devices`() throws {
        #expect(try drawn(["phone": "o-----f--", "watch": "--b--u---"], each: .seconds(30)) == "o-b--uf--")
    }

    @Test func `offline and hidden are offline, whatever the devices do`() throws {
        #expect(try drawn(["phone": "o-n-a-o"], each: .minutes(1)) == "o-x---o")
        #expect(try drawn(["phone": "o-h-a-o"], each: .minutes(1)) == "o-x---o")
    }

    @Test func `whoever is unavailable by choice stays it`() throws {
        #expect(try drawn(["phone": "u--a------"], each: .minutes(1)) == "u---------")
    }

    @Test func `free for chat turns idle, and comes back`() throws {
        #expect(try drawn(["phone": "f-----a"], each: .minutes(1)) == "f----uf")
    }

    @Test func `busy ends an hour after the last device was seen`() throws {
        #expect(try drawn(["phone": "b---x-------"], each: .minutes(10)) == "b---------x-")
        // The stream was open all the while: the phone was seen until it was revoked.
        #expect(try drawn(["phone": "b-----r-----"], each: .minutes(15)) == "b---------x-")
    }

    @Test func `a drawing with a letter that means nothing is refused`() {
        #expect(throws: DrawingError.unknownLetter("q", device: "phone")) {
            try drawn(["phone": "o-q"], each: .minutes(1))
        }
        #expect(throws: DrawingError.unequalRows) {
            try drawn(["phone": "o-", "watch": "o"], each: .minutes(1))
        }
        #expect(throws: DrawingError.empty) { try drawn([:], each: .minutes(1)) }
    }
}

@Suite struct `To the millisecond` {
    @Test func `a device is offline 30 s after it was seen`() throws {
        var bench = try PresenceBench()
        let alice = try local("alice")
        bench.perform(.deviceSeen(try device("alice")))
        bench.pass(.milliseconds(29_999))
        #expect(bench.state(of: alice) == .online)
        bench.pass(.milliseconds(1))
        #expect(bench.state(of: alice) == .offline)
    }

    @Test func `a user is idle 5 min after the last act`() throws {
        var bench = try PresenceBench()
        let alice = try local("alice")
        _ = bench.listen(on: try device("alice"))
        bench.pass(.seconds(17))
        bench.perform(.deviceActed(try device("alice")))
        bench.pass(.milliseconds(299_999))
        #expect(bench.state(of: alice) == .online)
        bench.pass(.milliseconds(1))
        #expect(bench.state(of: alice) == .unavailable)
        #expect(bench.presence(of: alice)?.lastActive == bench.now.advanced(byMilliseconds: -300_000))
    }

    @Test func `busy ends 1 h after the last contact`() throws {
        var bench = try PresenceBench()
        let alice = try local("alice")
        bench.perform(.statusChosen(try device("alice"), .busy, text: nil))
        bench.pass(.milliseconds(3_599_999))
        #expect(bench.state(of: alice) == .busy)
        bench.pass(.milliseconds(1))
        #expect(bench.state(of: alice) == .offline)
    }

    @Test func `a device that was only seen is not thereby active`() throws {
        var bench = try PresenceBench()
        for _ in 0..<14 {
            bench.perform(.deviceSeen(try device("alice")))
            bench.pass(.seconds(20))
        }
        #expect(bench.state(of: try local("alice")) == .online)
        bench.perform(.deviceSeen(try device("alice")))
        bench.pass(.seconds(20))
        #expect(bench.state(of: try local("alice")) == .unavailable)
    }

    @Test func `a deadline that comes early or twice does nothing`() throws {
        var bench = try PresenceBench()
        bench.perform(.deviceSeen(try device("alice")))
        bench.pass(.seconds(10))
        #expect(bench.perform(.deadlineReached).isEmpty)
        bench.pass(.seconds(20))
        #expect(bench.perform(.deadlineReached).isEmpty)
        #expect(bench.engine.nextDeadline == nil)
    }
}
