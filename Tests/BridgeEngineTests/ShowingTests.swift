import BridgeEngine
import PresenceModel
import SocialEngine
import Testing

@Suite struct `A friend of the social side` {
    /// Bob, whose session sees Alice, a user of this server, and Xeno, who is none.
    func bench(_ adjust: (inout BridgeEngine.Configuration) -> Void = { _ in }) throws -> BridgeBench {
        var bench = try BridgeBench(adjust)
        bench.join(try user("alice"), try address("0xa"))
        bench.join(
            try user("bob"), try address("0xb"), friends: [try address("0xa"), try address("0xe")],
            list: [try user("alice"): .friends, try user("_social_0xe"): .friends])
        let reading = FriendshipReading(friends: [try address("0xb")])
        bench.perform(.friendshipsRead(reading, seenBy: try address("0xa")))
        _ = bench.taken()
        return bench
    }

    @Test func `is shown as a device of the user, or as a ghost that is made first`() throws {
        var bench = try bench()
        let (bob, xeno) = (try address("0xb"), try address("0xe"))
        bench.see(try address("0xa"), .away, place(1, 2), by: bob)
        #expect(
            bench.taken() == [
                .present(try user("alice"), .visible(.unavailable, statusText: "1,2 in main"), as: .world)
            ])
        bench.see(xeno, .online, by: bob)
        let ghost = try user("_social_0xe")
        #expect(bench.taken() == [.makeGhost(ghost, for: xeno)])
        bench.perform(.ghostMade(xeno))
        #expect(bench.taken() == [.present(ghost, .visible(.online, statusText: nil), as: .ghost)])
        bench.perform(.ghostMade(xeno))
        #expect(bench.taken().isEmpty)
    }

    @Test func `whose ghost cannot be made is tried again, later and later`() throws {
        var bench = try bench()
        let xeno = try address("0xe")
        bench.see(xeno, .online, by: try address("0xb"))
        for minutes in [1, 2] {
            #expect(bench.taken().contains(.makeGhost(try user("_social_0xe"), for: xeno)))
            bench.perform(.ghostFailed(xeno))
            bench.pass(.minutes(minutes) - .seconds(1))
            #expect(!bench.taken().contains { if case .makeGhost = $0 { true } else { false } }, "\(minutes)")
            bench.pass(.seconds(2))
        }
        _ = bench.taken()
        bench.perform(.ghostMade(xeno))
        #expect(bench.taken().presented == [.visible(.online, statusText: nil)])
    }

    @Test func `changes in Matrix once in ten seconds at most; the latest wins; the same is not put again`() throws {
        var bench = try bench()
        let (alice, bob) = (try address("0xa"), try address("0xb"))
        for x in 0..<25 {
            bench.see(alice, .online, place(Int32(x), 0), by: bob)
            bench.pass(.seconds(1))
        }
        bench.pass(.seconds(10))
        let texts = bench.taken().presented
        #expect(texts.count == 4 && texts.last == .visible(.online, statusText: "24,0 in main"))
        bench.see(alice, .online, place(24, 0), by: bob)
        bench.see(alice, .offline, by: bob)
        bench.see(alice, .online, place(24, 0), by: bob)
        bench.pass(.minutes(1))
        #expect(bench.taken().presented.count <= 2)
        bench.see(alice, .offline, by: bob)
        #expect(bench.taken().presented == [.offline])
    }

    @Test func `whose presence Matrix did not take is put again`() throws {
        var bench = try bench()
        bench.see(try address("0xa"), .online, by: try address("0xb"))
        #expect(bench.taken().presented.count == 1)
        bench.perform(.presentFailed(try user("alice")))
        #expect(bench.taken().isEmpty)
        bench.pass(.seconds(30))
        #expect(bench.taken().presented == [.visible(.online, statusText: nil)])
    }

    @Test func `is unknown two minutes after the social side was lost, and right with the next snapshot`() throws {
        var bench = try bench()
        let (alice, bob, xeno) = (try address("0xa"), try address("0xb"), try address("0xe"))
        bench.see(alice, .online, by: bob)
        bench.see(xeno, .online, by: bob)
        bench.perform(.ghostMade(xeno))
        bench.pass(.minutes(1))
        _ = bench.taken()
        bench.perform(.sessionLost(bob))
        bench.pass(.seconds(119))
        #expect(bench.taken().presented.isEmpty)
        bench.pass(.seconds(1))
        #expect(bench.taken().presented == [.unknown, .unknown])
        bench.pass(.hours(1))
        bench.perform(.sessionOpened(bob))
        let sighting = FriendSighting(friend: alice, state: .online, whereabouts: nil)
        bench.perform(.snapshotReported([sighting], seenBy: bob))
        #expect(bench.engine.tally.presented == 6)
        #expect(bench.taken().presented.sorted { "\($0)" < "\($1)" } == [.offline, .visible(.online, statusText: nil)])
    }

    @Test func `is there as long as one session says so`() throws {
        var bench = try bench()
        let (bob, xeno, carol) = (try address("0xb"), try address("0xe"), try address("0xc"))
        bench.join(try user("carol"), carol, friends: [xeno], list: [try user("_social_0xe"): .friends])
        bench.see(xeno, .online, by: bob)
        bench.see(xeno, .online, by: carol)
        bench.perform(.ghostMade(xeno))
        bench.pass(.minutes(1))
        _ = bench.taken()
        bench.perform(.sessionLost(bob))
        bench.pass(.minutes(5))
        #expect(bench.taken().presented.isEmpty)
        bench.see(xeno, .offline, by: carol)
        #expect(bench.taken().presented == [.offline])
    }

    @Test func `that is not a friend any more is not shown`() throws {
        var bench = try bench()
        let (bob, xeno) = (try address("0xb"), try address("0xe"))
        bench.see(xeno, .online, by: bob)
        bench.perform(.ghostMade(xeno))
        bench.pass(.minutes(1))
        _ = bench.taken()
        let news = FriendshipNews(other: xeno, isOwn: false, body: .acted(.delete, at: bench.now))
        bench.perform(.friendshipReported(news, seenBy: bob))
        #expect(bench.taken().presented == [.offline])
        bench.see(xeno, .online, by: bob)
        bench.pass(.minutes(1))
        #expect(bench.taken().presented.isEmpty)
    }

    @Test func `is not shown for being held online by the bridge, over a restart neither`() throws {
        var bench = try bench()
        let (alice, bob) = (try address("0xa"), try address("0xb"))
        bench.perform(.matrixReported(try user("alice"), visible(.online)))
        bench.see(alice, .online, by: bob)
        bench.pass(.minutes(10))
        #expect(bench.taken().presented.isEmpty && bench.engine.tally.echoesSuppressed > 0)
        try bench.restart()
        bench.perform(.sessionOpened(bob))
        bench.perform(.friendshipsRead(FriendshipReading(friends: [alice]), seenBy: bob))
        let sighting = FriendSighting(friend: alice, state: .online, whereabouts: nil)
        bench.perform(.snapshotReported([sighting], seenBy: bob))
        bench.pass(.minutes(2))
        #expect(bench.taken().presented.isEmpty)
    }

    @Test func `who moves is there themself, though the bridge holds them online too`() throws {
        var bench = try bench()
        let (alice, bob) = (try address("0xa"), try address("0xb"))
        bench.perform(.matrixReported(try user("alice"), visible(.online)))
        bench.see(alice, .online, place(5, 5), by: bob)
        #expect(bench.taken().presented.isEmpty)
        bench.see(alice, .online, place(6, 5), by: bob)
        #expect(bench.taken().presented == [.visible(.online, statusText: "6,5 in main")])
        bench.pass(.minutes(3))
        #expect(bench.taken().presented == [.offline])
    }

    @Test func `is shown as the configuration says, and as its user wants`() throws {
        for (form, text) in [
            (BridgeEngine.Configuration.TextForm.oldClient, #"{"position":{"x":5,"y":5}}"#), (.readable, "5,5"),
            (.nothing, nil),
        ] {
            var bench = try bench { $0.textForm = form }
            bench.see(try address("0xa"), .online, place(5, 5, nil), by: try address("0xb"))
            #expect(bench.taken().presented == [.visible(.online, statusText: text)])
            bench.pass(.minutes(1))
            bench.perform(.privacyChosen(try user("alice"), .stateOnly))
            #expect(bench.taken().presented == (text == nil ? [] : [.visible(.online, statusText: nil)]))
            bench.pass(.minutes(1))
            bench.perform(.privacyChosen(try user("alice"), .hidden))
            #expect(bench.taken().presented == [.offline])
        }
    }

    @Test func `who was shown before a restart is put again when seen, and unknown if not`() throws {
        var bench = try bench()
        let (alice, bob, xeno) = (try address("0xa"), try address("0xb"), try address("0xe"))
        bench.see(alice, .online, by: bob)
        bench.see(xeno, .online, by: bob)
        bench.perform(.ghostMade(xeno))
        try bench.restart()
        bench.pass(.seconds(30))
        #expect(bench.taken().presented.isEmpty)
        bench.perform(.sessionOpened(bob))
        bench.see(alice, .online, by: bob)
        #expect(bench.taken().presented == [.visible(.online, statusText: nil)])
        bench.pass(.minutes(2))
        #expect(bench.taken().presented == [.unknown])
    }
}
