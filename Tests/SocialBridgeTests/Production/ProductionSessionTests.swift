import AuthChain
import BridgeEngine
import Foundation
import PresenceModel
import SocialBridge
import SocialClient
import SocialEngine
import SocialWire
import Testing

@Suite(.timeLimit(.minutes(2))) struct `A session with the production service` {
    private func address(_ text: String) throws -> SocialAddress { try SocialAddress(parsing: text) }

    private func sighting(_ text: String, _ state: FriendState) throws -> FriendSighting {
        FriendSighting(friend: try address(text), state: state, whereabouts: nil)
    }

    /// A life, until it ends.
    private func live(_ session: any BridgedSession, _ told: ToldWords) -> Task<BridgedSessionError?, Never> {
        Task {
            do {
                try await session.follow { told.note($0) }
                return nil
            } catch {
                return error as? BridgedSessionError
            }
        }
    }

    @Test func `tells who is there, what is between them, and then what changes`() async throws {
        let bench = try await ProductionBench()
        bench.played.change {
            $0.friends = ["0xa", "0xb"]
            $0.incoming = ["0xc"]
            $0.blocked = ["0xd"]
            $0.online = ["0xa", "0xb"]
        }
        // However slow the service is, the window is closed by the first change alone.
        let service = bench.service {
            $0.session.window.silentAtFirst = .seconds(3600)
            $0.session.window.silentAfterwards = .seconds(3600)
            $0.session.window.closesAfter = .seconds(3600)
        }
        let session = try await bench.session(of: service)
        let told = ToldWords()
        let life = live(session, told)
        try await itComes { told.all.count == 2 }
        #expect(told.all.first == .opened)
        let request = FriendRequest(
            other: try address("0xc"), createdAt: Instant(millisecondsSinceEpoch: 1_700_000_000_123), message: "hello")
        let reading = FriendshipReading(
            friends: [try address("0xa"), try address("0xb")], incoming: [request], blocked: [try address("0xd")])
        #expect(told.readings == [reading])
        #expect(await service.connections().standing == 1)
        try bench.played.push(
            "SubscribeToFriendConnectivityUpdates",
            SocialV2FriendConnectivityUpdate.with {
                $0.friend = PlayedProduction.profile("0xa")
                $0.status = .away
            })
        try bench.played.push(
            "SubscribeToFriendshipUpdates", SocialV2FriendshipUpdate.with { $0.cancel.user.address = "0xc" })
        try await itComes { told.all.count == 5 }
        let online = [try sighting("0xa", .online), try sighting("0xb", .online)]
        #expect(told.presence == [.snapshot(online), .changed([try sighting("0xa", .away)])])
        let cancelled = FriendshipNews(
            other: try address("0xc"), isOwn: false, body: .acted(.cancel, at: bench.clock.now))
        #expect(told.all.contains(.happened([cancelled])))
        bench.played.change { $0.friends = ["0xa"] }
        session.reread()
        try await itComes { told.readings.count == 2 }
        #expect(told.readings.last?.friends == [try address("0xa")])
        life.cancel()
        _ = await life.value
        try await itComes { bench.played.connections == 0 }
        #expect(await service.connections().standing == 0)
        await bench.stop()
    }

    @Test func `takes nobody for gone because a list lacks them`() async throws {
        let bench = try await ProductionBench()
        bench.played.change {
            $0.friends = ["0xa", "0xb"]
            $0.withoutProfile = ["0xb"]
            $0.outgoing = ["0xc"]
            $0.blocked = ["0xd"]
            $0.failingLists = ["GetBlockedUsers"]
        }
        let known = ["0xa", "0xb", "0xc", "0xd", "0xe"]
        let session = try await bench.session(of: bench.service(acquaintances: known))
        let told = ToldWords()
        let life = live(session, told)
        try await itComes { told.readings.count == 1 }
        #expect(told.readings[0].friends == [try address("0xa"), try address("0xb")])
        #expect(told.readings[0].outgoing.map(\.other) == [try address("0xc")])
        #expect(told.readings[0].blocked == [try address("0xd")])
        // The list of friends fails: it is empty, and they are still there.
        bench.played.change { $0.failingLists = ["GetFriends"] }
        session.reread()
        try await itComes { told.readings.count == 2 }
        #expect(told.readings[1].friends == [try address("0xa"), try address("0xb")])
        // They are gone, and the service says so of each.
        bench.played.change {
            $0.failingLists = []
            $0.friends = []
        }
        session.reread()
        try await itComes { told.readings.count == 3 }
        #expect(told.readings[2].friends.isEmpty)
        life.cancel()
        _ = await life.value
        await bench.stop()
    }

    @Test func `knows of blocks from either list`() async throws {
        let bench = try await ProductionBench()
        bench.played.change {
            $0.blocked = ["0xd"]
            $0.failingLists = ["GetBlockedUsers"]
        }
        let session = try await bench.session(of: bench.service())
        let told = ToldWords()
        let life = live(session, told)
        try await itComes { told.readings.count == 1 }
        #expect(told.readings[0].blocked == [try address("0xd")])
        bench.played.change { $0.failingLists = ["GetBlockingStatus"] }
        session.reread()
        try await itComes { told.readings.count == 2 }
        #expect(told.readings[1].blocked == [try address("0xd")])
        life.cancel()
        _ = await life.value
        await bench.stop()
    }

    @Test func `reads the others when the service cannot say of one`() async throws {
        let bench = try await ProductionBench()
        bench.played.change {
            $0.friends = ["0xa", "0xb"]
            $0.withoutProfile = ["0xb"]
            $0.unspeakable = ["0xc"]
            $0.unheardOf = ["0xd"]
        }
        let service = bench.service(acquaintances: ["0xa", "0xb", "0xc", "0xd", "0xe"])
        let session = try await bench.session(of: service)
        let told = ToldWords()
        let life = live(session, told)
        try await itComes { told.readings.count == 1 }
        #expect(
            told.readings[0]
                == FriendshipReading(
                    friends: [try address("0xa"), try address("0xb")],
                    unknown: [try address("0xc"), try address("0xd")]))
        var failures = service.connectionFailures().makeAsyncIterator()
        #expect(await failures.next()?.kind == .notUnderstood)
        #expect(try await session.heartbeat(nil, .online) == false)
        life.cancel()
        _ = await life.value
        await bench.stop()
    }

    @Test func `tells nothing of friendships while the service cannot say, and asks again`() async throws {
        let bench = try await ProductionBench()
        bench.played.change {
            $0.failingLists = ["GetFriends"]
            $0.isStatusFailing = true
        }
        let service = bench.service(acquaintances: ["0xa"])
        let session = try await bench.session(of: service)
        let told = ToldWords()
        let life = live(session, told)
        var failures = service.connectionFailures().makeAsyncIterator()
        #expect(await failures.next()?.kind == .failed)
        #expect(await failures.next()?.kind == .failed)
        try bench.played.push(
            "SubscribeToFriendshipUpdates", SocialV2FriendshipUpdate.with { $0.delete.user.address = "0xa" })
        try await itComes { told.all.contains(.snapshot([])) }
        #expect(told.readings.isEmpty && told.all.count == 2)
        bench.played.change {
            $0.friends = ["0xa"]
            $0.failingLists = []
        }
        try await itComes { told.all.count == 4 }
        #expect(told.readings.map(\.friends) == [[try address("0xa")]])
        // What happened meanwhile comes behind the reading.
        guard case .happened = told.all.last else {
            Issue.record("\(told.all)")
            return
        }
        life.cancel()
        _ = await life.value
        await bench.stop()
    }

    @Test func `of a service that takes each subscription for a second one does not come back at once`() async throws {
        let bench = try await ProductionBench()
        bench.played.change { $0.endsSubscriptions = true }
        let service = bench.service { $0.session.endedPause.first = .hours(1) }
        let (session, other) = (try await bench.session(of: service), try await bench.session(of: service))
        #expect(await live(session, ToldWords()).value?.kind == .refused)
        let again = live(session, ToldWords())
        // While somebody else comes and goes, it stays away.
        #expect(await live(other, ToldWords()).value?.kind == .refused)
        #expect(bench.gate.seen.opened == 2)
        again.cancel()
        _ = await again.value
        #expect(bench.gate.seen.opened == 2)
        await bench.stop()
    }

    @Test func `ends with its connection, and may live again`() async throws {
        let bench = try await ProductionBench()
        let session = try await bench.session(of: bench.service())
        let told = ToldWords()
        let life = live(session, told)
        try await itComes { told.all.count == 3 }
        bench.gate.cut()
        #expect(await life.value?.kind == .lost)
        await #expect(throws: BridgedSessionError.self) { try await session.act(.accept, towards: address("0xa")) }
        let again = live(session, told)
        try await itComes { told.all.count == 6 }
        again.cancel()
        _ = await again.value
        bench.gate.set(.closes(1013, text: nil))
        #expect(await live(session, told).value?.kind == .tooOften)
        bench.gate.set(.closes(3003, text: #"{"error":"no"}"#))
        #expect(await live(session, told).value?.kind == .unauthorized)
        await bench.stop()
    }

    @Test func `acts in the user's name`() async throws {
        let bench = try await ProductionBench()
        let session = try await bench.session(of: bench.service())
        let told = ToldWords()
        let life = live(session, told)
        try await itComes { told.all.count == 3 }
        let bob = try address("0xb0b")
        try await session.act(.accept, towards: bob)
        #expect(bench.played.world.acts.count == 1)
        bench.played.change {
            $0.answer = .invalidRequest(
                .with { $0.message = "Too many friendship or block actions. Please try again later" })
        }
        var error = await #expect(throws: BridgedSessionError.self) { try await session.act(.accept, towards: bob) }
        #expect(error?.kind == .tooOften && error?.refusal == .tooOften)
        bench.played.change { $0.answer = .internalServerError(.init()) }
        error = await #expect(throws: BridgedSessionError.self) { try await session.act(.accept, towards: bob) }
        #expect(error?.kind == .failed && error?.refusal == nil)
        _ = try await session.heartbeat(nil, .online)
        try await session.leave()
        await session.close()
        #expect(await life.value?.kind == .lost)
        await bench.stop()
    }

    @Test func `needs an identity of that address that has not expired`() async throws {
        let bench = try await ProductionBench()
        let service = bench.service()
        let user = try UserID(parsing: "@me:example.org")
        for (credential, text) in [
            (SessionCredential.token("t"), ProductionBench.me), (.identity(bench.identity), "0xother"),
        ] {
            let error = await #expect(throws: BridgedSessionError.self) {
                _ = try await service.session(of: user, at: address(text), with: credential)
            }
            #expect(error?.kind == .unauthorized)
        }
        let session = try await bench.session(of: service)
        bench.clock.pass(.hours(24))
        #expect(await live(session, ToldWords()).value?.kind == .unauthorized)
        #expect(bench.gate.seen.opened == 0)
        await bench.stop()
    }
}

struct `The window of a subscription's beginning` {
    private let start = ContinuousClock.now
    private let window = SightingWindow.Configuration()

    private func sighting(_ text: String, _ state: FriendState = .online) throws -> FriendSighting {
        FriendSighting(friend: try SocialAddress(parsing: text), state: state, whereabouts: nil)
    }

    @Test func `closes when it was silent, and then tells as it comes`() throws {
        var open = SightingWindow(window, openedAt: start)
        #expect(open.take(nil, at: start + .seconds(9)).isEmpty)
        #expect(open.take(try sighting("a"), at: start + .milliseconds(9_500)).isEmpty)
        #expect(open.take(nil, at: start + .seconds(11)).isEmpty)
        #expect(open.take(try sighting("b"), at: start + .seconds(11)).isEmpty)
        #expect(open.take(try sighting("a"), at: start + .seconds(12)).isEmpty)
        #expect(
            open.take(nil, at: start + .seconds(14)) == [.snapshot([try sighting("a"), try sighting("b")])])
        #expect(open.isClosed && open.take(nil, at: start + .seconds(15)).isEmpty)
        #expect(open.take(try sighting("c"), at: start + .seconds(16)) == [.changed([try sighting("c")])])
    }

    @Test func `closes when nobody is there`() throws {
        var open = SightingWindow(window, openedAt: start)
        #expect(open.take(nil, at: start + .seconds(10)) == [.snapshot([])])
    }

    @Test(arguments: [FriendState.offline, .away]) func `closes with the first change`(state: FriendState) throws {
        var open = SightingWindow(window, openedAt: start)
        _ = open.take(try sighting("a"), at: start)
        #expect(
            open.take(try sighting("a", state), at: start)
                == [.snapshot([try sighting("a")]), .changed([try sighting("a", state)])])
    }

    @Test func `closes after its time, and past its size`() throws {
        var open = SightingWindow(window, openedAt: start)
        for second in 0..<60 { #expect(open.take(try sighting("a"), at: start + .seconds(second)).isEmpty) }
        #expect(open.take(try sighting("b"), at: start + .seconds(60)).count == 1)
        var small = window
        small.sightingsLimit = 1
        open = SightingWindow(small, openedAt: start)
        _ = open.take(try sighting("a"), at: start)
        #expect(
            open.take(try sighting("b"), at: start) == [.snapshot([try sighting("a")]), .changed([try sighting("b")])])
    }
}
