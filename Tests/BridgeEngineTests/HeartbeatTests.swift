import BridgeEngine
import PresenceModel
import SocialEngine
import Testing

@Suite struct `A heartbeat` {
    let oldText = #"{"realm":{"layer":"","serverName":"main"},"position":{"x":10,"y":-20}}"#

    @Test func `goes at once, then once in each interval`() throws {
        var bench = try BridgeBench()
        let (alice, home) = (try user("alice"), try address("0x1"))
        bench.join(alice, home)
        _ = bench.taken()
        bench.perform(.matrixReported(alice, visible(.online)))
        #expect(bench.taken() == [.heartbeat(home, nil, .online)])
        bench.pass(.seconds(30))
        #expect(bench.taken().heartbeats.count == 1)
        bench.pass(.minutes(60))
        #expect(bench.taken().heartbeats.count == 120)
    }

    @Test func `is sent for who is visible, and for nobody else`() throws {
        var bench = try BridgeBench()
        let (alice, home) = (try user("alice"), try address("0x1"))
        bench.join(alice, home)
        for (state, sent) in [
            (PublishedState.online, FriendState.online), (.busy, .online), (.freeForChat, .online),
            (.unavailable, .away),
        ] {
            _ = bench.taken()
            bench.perform(.matrixReported(alice, visible(state)))
            #expect(bench.taken() == [.heartbeat(home, nil, sent)])
            for silent in [MatrixView.hidden, .unknown, visible(.offline, oldText), visible(.online, nil, .worldAlone)]
            {
                bench.perform(.matrixReported(alice, visible(.online)))
                _ = bench.taken()
                bench.perform(.matrixReported(alice, silent))
                #expect(bench.taken() == [.stop(home)])
                bench.pass(.minutes(5))
                #expect(bench.taken().heartbeats.isEmpty)
            }
            bench.pass(.minutes(1))
        }
    }

    @Test func `for a change is at once, but not one after the other`() throws {
        var bench = try BridgeBench()
        let (alice, home) = (try user("alice"), try address("0x1"))
        bench.join(alice, home)
        _ = bench.taken()
        for second in 0..<20 {
            bench.perform(.matrixReported(alice, visible(second % 2 == 0 ? .online : .unavailable)))
            bench.pass(.seconds(1))
        }
        bench.pass(.seconds(5))
        #expect((4...6).contains(bench.taken().heartbeats.count))
        // The same again is no change.
        bench.perform(.matrixReported(alice, visible(.unavailable)))
        bench.perform(.matrixReported(alice, visible(.unavailable, "tea")))
        #expect(bench.taken().isEmpty)
    }

    @Test func `of ten thousand users is spread, also when all come at one moment`() throws {
        var bench = try BridgeBench()
        for number in 0..<10_000 {
            let name = "u\(number)"
            bench.join(try user(name), try address(name))
        }
        _ = bench.taken()
        for number in 0..<10_000 { bench.perform(.matrixReported(try user("u\(number)"), visible(.online))) }
        #expect(bench.taken().heartbeats.count == bench.engine.configuration.promptsPerSecond)
        for _ in 0..<30 {
            bench.pass(.seconds(1))
            #expect((200..<500).contains(bench.taken().heartbeats.count))
        }
        // And after the social side was away.
        for number in 0..<10_000 { bench.perform(.sessionLost(try address("u\(number)"))) }
        bench.pass(.minutes(60))
        #expect(bench.taken().heartbeats.isEmpty)
        for number in 0..<10_000 { bench.perform(.sessionOpened(try address("u\(number)"))) }
        #expect(bench.taken().heartbeats.isEmpty)
        for _ in 0..<30 {
            bench.pass(.seconds(1))
            #expect((200..<500).contains(bench.taken().heartbeats.count))
        }
    }

    @Test func `that all send at one moment would be noticed`() throws {
        var bench = try BridgeBench { $0.canary = .beatsTogether }
        for number in 0..<600 {
            bench.join(try user("u\(number)"), try address("u\(number)"))
            bench.perform(.matrixReported(try user("u\(number)"), visible(.online)))
        }
        var most = 0
        for _ in 0..<31 {
            _ = bench.taken()
            bench.pass(.seconds(1))
            most = max(most, bench.taken().heartbeats.count)
        }
        #expect(most > 500)
    }

    @Test func `says where the old client says that its user is, and nothing that people write`() throws {
        var bench = try BridgeBench()
        let (alice, home) = (try user("alice"), try address("0x1"))
        bench.join(alice, home)
        bench.perform(.matrixReported(alice, visible(.online, oldText)))
        #expect(bench.taken().heartbeats == [place(10, -20)])
        bench.pass(.seconds(6))
        _ = bench.taken()
        bench.perform(.matrixReported(alice, visible(.online, "at 10,-20 with Bob")))
        bench.pass(.seconds(60))
        #expect(bench.taken().heartbeats.allSatisfy { $0 == nil })
    }

    @Test func `says where the social side last saw its user, once they are not there themself any more`() throws {
        var bench = try BridgeBench()
        let (alice, home, bob) = (try user("alice"), try address("0x1"), try address("0x2"))
        bench.join(alice, home)
        bench.join(try user("bob"), bob, friends: [home])
        bench.see(home, .online, place(1, 1), by: bob)
        bench.perform(.matrixReported(alice, visible(.online, oldText)))
        #expect(bench.taken().heartbeats == [nil])
        bench.see(home, .online, place(2, 2), by: bob)
        bench.pass(.seconds(110))
        #expect(bench.taken().heartbeats.allSatisfy { $0 == nil })
        bench.pass(.seconds(60))
        #expect(bench.taken().heartbeats.last == place(2, 2))
        bench.pass(.hours(1))
        #expect(bench.taken().heartbeats.last == place(10, -20))
    }

    @Test func `says no more than its user wants`() throws {
        var bench = try BridgeBench()
        let (alice, home) = (try user("alice"), try address("0x1"))
        bench.join(alice, home)
        bench.perform(.privacyChosen(alice, .stateOnly))
        bench.perform(.matrixReported(alice, visible(.online, oldText)))
        #expect(bench.taken().heartbeats == [nil])
        bench.perform(.privacyChosen(alice, .hidden))
        #expect(bench.taken() == [.stop(home)])
        bench.pass(.minutes(2))
        #expect(bench.taken().isEmpty)
        bench.perform(.privacyChosen(alice, .full))
        #expect(bench.taken().heartbeats == [place(10, -20)])
    }

    @Test func `does not come of what the bridge shows itself, where nothing is said of devices`() throws {
        var bench = try BridgeBench { $0.textForm = .oldClient }
        let (alice, home, bob) = (try user("alice"), try address("0x1"), try address("0x2"))
        bench.join(alice, home)
        bench.join(try user("bob"), bob, friends: [home])
        _ = bench.taken()
        bench.see(home, .online, place(1, 1), by: bob)
        let text = #"{"realm":{"layer":"","serverName":"main"},"position":{"x":1,"y":1}}"#
        #expect(bench.taken() == [.present(alice, .visible(.online, statusText: text), as: .world)])
        bench.perform(.matrixReported(alice, visible(.online, text, .untold)))
        #expect(bench.taken().isEmpty)
        // Late, after it was taken away; and the text in another state.
        bench.pass(.seconds(20))
        bench.see(home, .offline, by: bob)
        _ = bench.taken()
        bench.perform(.matrixReported(alice, visible(.online, text, .untold)))
        #expect(bench.taken().isEmpty)
        bench.perform(.matrixReported(alice, visible(.busy, text, .untold)))
        #expect(bench.taken().heartbeats == [place(1, 1)])
    }

    @Test func `goes on after a restart in its turn, and what it said before is known again`() throws {
        var bench = try BridgeBench()
        let (alice, home, bob) = (try user("alice"), try address("0x1"), try address("0x2"))
        bench.join(alice, home)
        bench.join(try user("bob"), bob, friends: [home])
        bench.perform(.matrixReported(alice, visible(.online, oldText)))
        bench.pass(.seconds(7))
        try bench.restart()
        bench.perform(.matrixReported(alice, visible(.online, oldText)))
        for session in [home, bob] { bench.perform(.sessionOpened(session)) }
        bench.perform(.friendshipsRead(FriendshipReading(friends: [home]), seenBy: bob))
        _ = bench.taken()
        let sighting = FriendSighting(friend: home, state: .online, whereabouts: place(10, -20))
        bench.perform(.snapshotReported([sighting], seenBy: bob))
        #expect(bench.taken().isEmpty)
        bench.pass(.seconds(30))
        #expect(bench.taken() == [.heartbeat(home, place(10, -20), .online)])
    }
}
