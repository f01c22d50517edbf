import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

private let busy = Presence(state: .busy, statusText: "moving in")

/// Alice is in a room; what other servers say is kept for a minute.
private func listening() throws -> PresenceBench {
    var configuration = PresenceEngine.Configuration()
    configuration.earlyReportsKept = .minutes(1)
    var bench = try PresenceBench(configuration)
    bench.perform(.userKnown(try local("alice")))
    bench.perform(.roomJoined(try local("alice"), try RoomID(parsing: "!room:here.example")))
    return bench
}

@Suite struct `What is said of users whom nobody here can see yet` {
    @Test func `counts once they come into a room, within a minute`() throws {
        for wait in [Duration.zero, .milliseconds(60_000), .milliseconds(60_001)] {
            var bench = try listening()
            let (alice, bob) = (try local("alice"), try remote("bob"))
            bench.perform(.remoteReported(bob, busy, goodUntil: bench.now + .minutes(30)))
            #expect(bench.engine.presence(of: bob, seenBy: alice) == .forbidden)
            bench.pass(wait)
            bench.perform(.roomJoined(bob, try RoomID(parsing: "!room:here.example")))
            let seen = bench.engine.presence(of: bob, seenBy: alice) == .visible(.known(busy))
            #expect(seen == (wait <= .minutes(1)), "\(wait)")
        }
    }

    @Test func `counts as long as their server said`() throws {
        var bench = try listening()
        let bob = try remote("bob")
        bench.perform(.remoteReported(bob, busy, goodUntil: bench.now + .seconds(10)))
        bench.pass(.seconds(10))
        bench.perform(.roomJoined(bob, try RoomID(parsing: "!room:here.example")))
        #expect(bench.engine.presence(of: bob, seenBy: try local("alice")) != .visible(.known(busy)))
    }

    @Test func `is the latest that was said, and of the latest users`() throws {
        var bench = try listening()
        let room = try RoomID(parsing: "!room:here.example")
        let (first, last) = (try remote("first"), try remote("last"))
        bench.perform(.remoteReported(first, busy, goodUntil: nil))
        bench.perform(.remoteReported(last, Presence(state: .online), goodUntil: nil))
        bench.perform(.remoteReported(last, busy, goodUntil: nil))
        for number in 0..<4095 { bench.perform(.remoteReported(try remote("u\(number)"), busy, goodUntil: nil)) }
        bench.perform(.roomJoined(first, room))
        bench.perform(.roomJoined(last, room))
        #expect(bench.engine.presence(of: first, seenBy: try local("alice")) != .visible(.known(busy)))
        #expect(bench.engine.presence(of: last, seenBy: try local("alice")) == .visible(.known(busy)))
    }

    @Test func `is not kept unless it was asked for`() throws {
        var bench = try PresenceBench()
        let room = try RoomID(parsing: "!room:here.example")
        bench.perform(.roomJoined(try local("alice"), room))
        bench.perform(.remoteReported(try remote("bob"), busy, goodUntil: nil))
        bench.perform(.roomJoined(try remote("bob"), room))
        #expect(bench.engine.presence(of: try remote("bob"), seenBy: try local("alice")) != .visible(.known(busy)))
    }
}
