import AuthChain
import Foundation
import PresenceModel
import SocialClient
import SocialEngine
import SocialWire
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) struct `A client of the production service` {
    private func address(_ text: String) throws -> SocialAddress { try SocialAddress(parsing: text) }

    private func code(_ act: () async throws -> Void) async -> SocialClientError.Code? {
        do {
            try await act()
            return nil
        } catch {
            return (error as? SocialClientError)?.code
        }
    }

    @Test func `opens with a signature that holds, and says nothing before the service is ready`() async throws {
        let bench = try await ProductionBench()
        let client = try await bench.client()
        #expect(bench.gate.seen.addresses == [ProductionBench.me])
        #expect(bench.gate.seen.earlyBytes == 0)
        bench.clock.pass(.minutes(4))
        let later = try await bench.client()
        #expect(bench.gate.seen.addresses.count == 2)
        #expect(Set(bench.gate.seen.openings).count == 2, "each connect signs its own time")
        await client.close()
        await later.close()
        await bench.stop()
    }

    @Test func `is told that its signature is too old, in the service's words`() async throws {
        let bench = try await ProductionBench()
        bench.clock.pass(.minutes(-6))
        let error = await #expect(throws: SocialClientError.self) { _ = try await bench.client() }
        #expect(error?.code == .unauthorized && error?.message.contains("Authentication failed") == true)
        #expect(error?.message.contains("ECDSA") == false)
        await bench.stop()
    }

    @Test(
        arguments: [
            (3003, SocialClientError.Code.unauthorized), (3004, .timedOut), (1013, .tooManyRequests), (1011, .failed),
            (1001, .connectionLost),
        ] as [(UInt16, SocialClientError.Code)])
    func `tells closes apart by their codes`(close: UInt16, expected: SocialClientError.Code) async throws {
        let bench = try await ProductionBench()
        bench.gate.set(.closes(close, text: close == 3003 ? #"{"error":"no"}"# : nil))
        #expect(await code { _ = try await bench.client() } == expected)
        await bench.stop()
    }

    @Test func `reads lists page by page, and keeps the names that come by`() async throws {
        let bench = try await ProductionBench()
        bench.played.change {
            $0.friends = ["0xA1", "0xa2", "", "0xa4", "0xa5"]
            $0.withoutProfile = ["0xa4"]
            $0.incoming = ["0xb1", "0xb2", "0xb3"]
            $0.outgoing = ["0xc1"]
            $0.blocked = ["0xd1", "0xd2"]
        }
        let client = try await bench.client {
            $0.friendsPerPage = 2
            $0.othersPerPage = 2
        }
        let friends = try await client.friends()
        #expect(friends.elements.map(\.text) == ["0xa1", "0xa2", "0xa5"])
        #expect(friends.rows == 4 && friends.total == 5)
        let incoming = try await client.incomingRequests().elements
        #expect(incoming.map(\.other.text) == ["0xb1", "0xb2", "0xb3"])
        #expect(incoming.first?.createdAt == Instant(millisecondsSinceEpoch: 1_700_000_000_123))
        #expect(incoming.first?.message == "hello")
        #expect(try await client.outgoingRequests().elements.map(\.other.text) == ["0xc1"])
        #expect(try await client.blocked().elements.map(\.text) == ["0xd1", "0xd2"])
        #expect(try await client.blockedAddresses().map(\.text) == ["0xd1", "0xd2"])
        #expect(bench.profiles.name(of: try address("0xb2")) == "Name of 0xb2")
        bench.played.change { $0.failingLists = ["GetPendingFriendshipRequests"] }
        #expect(await code { _ = try await client.incomingRequests() } == .failed)
        await client.close()
        await bench.stop()
    }

    @Test func `asks how it is with one other, and takes no failure for nothing`() async throws {
        let bench = try await ProductionBench()
        bench.played.change {
            $0.friends = ["0xa"]
            $0.incoming = ["0xb"]
            $0.outgoing = ["0xc"]
        }
        let client = try await bench.client()
        #expect(try await client.standing(with: address("0xa")) == .friends)
        #expect(try await client.standing(with: address("0xb")) == .askedBy(message: nil))
        // The status of an own request is 0, which is not on the wire.
        #expect(try await client.standing(with: address("0xc")) == .asked(message: nil))
        #expect(try await client.standing(with: address("0xd")) == .nothing)
        bench.played.change { $0.isStatusFailing = true }
        #expect(await code { _ = try await client.standing(with: address("0xa")) } == .failed)
        await client.close()
        await bench.stop()
    }

    @Test func `acts, and tells what was refused from what is not known`() async throws {
        let bench = try await ProductionBench()
        let client = try await bench.client()
        let bob = try address("0xb0b")
        try await client.act(.request(message: "hi"), towards: bob)
        try await client.act(.reject, towards: bob)
        #expect(
            bench.played.world.acts.map(\.action) == [
                .request(
                    .with {
                        $0.user.address = "0xb0b"
                        $0.message = "hi"
                    }), .reject(.with { $0.user.address = "0xb0b" }),
            ])
        let refusals: [(SocialV2UpsertFriendshipResponse.OneOf_Response, FriendshipRefusal)] = [
            (
                .invalidFriendshipAction(
                    .with {
                        $0.message = "The friendship action is not valid for the current friendship status"
                    }), .transition
            ),
            (.invalidFriendshipAction(.init()), .transition),
            (
                .invalidFriendshipAction(
                    .with {
                        $0.message =
                            "This action is not allowed because either you blocked this user or this user blocked you"
                    }), .blocked
            ),
            (.invalidRequest(.with { $0.message = "You cannot send a friendship request to yourself" }), .toOneself),
            (
                .invalidRequest(
                    .with {
                        $0.message = "Too many friendship or block actions. Please try again later"
                    }), .tooOften
            ),
            (.invalidRequest(.with { $0.message = "Invalid address" }), .unknownPair),
        ]
        for (answer, refusal) in refusals {
            bench.played.change { $0.answer = answer }
            await #expect(throws: refusal) { try await client.act(.accept, towards: bob) }
        }
        bench.played.change { $0.answer = .internalServerError(.init()) }
        #expect(await code { try await client.act(.accept, towards: bob) } == .failed)
        try await client.act(.block, towards: bob)
        #expect(bench.played.world.blocked == ["0xb0b"])
        try await client.act(.unblock, towards: bob)
        #expect(bench.played.world.blocked.isEmpty)
        await #expect(throws: FriendshipRefusal.unknownPair) { try await client.act(.unblock, towards: bob) }
        await client.close()
        await bench.stop()
    }

    @Test func `takes an empty status for online, understands away, and passes over nonsense`() async throws {
        let bench = try await ProductionBench()
        bench.played.change { $0.online = ["0xa", ""] }
        let client = try await bench.client()
        let updates = try await client.connectivityUpdates()
        let name = "SubscribeToFriendConnectivityUpdates"
        try await itComes { bench.played.world.calls.contains(name) }
        for status in [SocialV2ConnectivityStatus.offline, .away, .UNRECOGNIZED(9)] {
            try bench.played.push(
                name,
                SocialV2FriendConnectivityUpdate.with {
                    $0.friend = PlayedProduction.profile("0xB")
                    $0.status = status
                })
        }
        try bench.played.push(
            name, SocialV2FriendConnectivityUpdate.with { $0.streamClosed.reason = .streamClosedUnknown })
        var seen: [FriendSighting] = []
        let end = await code { for try await sighting in updates { seen.append(sighting) } }
        #expect(seen.map(\.friend.text) == ["0xa", "0xb", "0xb", "0xb"])
        #expect(seen.map(\.state) == [.online, .offline, .away, .online])
        #expect(seen.allSatisfy { $0.whereabouts == nil })
        #expect(end == .refused)
        await client.close()
        await bench.stop()
    }

    @Test func `is subscribed before anybody listens`() async throws {
        let bench = try await ProductionBench()
        let client = try await bench.client()
        let all = (
            try await client.connectivityUpdates(), try await client.friendshipUpdates(),
            try await client.blockUpdates()
        )
        try await itComes { bench.played.world.calls.count == 3 }
        withExtendedLifetime(all) {}
        await client.close()
        await bench.stop()
    }

    @Test func `hears what others do, and who blocks the user`() async throws {
        let bench = try await ProductionBench()
        let client = try await bench.client()
        let (updates, blocks) = (try await client.friendshipUpdates(), try await client.blockUpdates())
        try await itComes { bench.played.world.calls.count == 2 }
        let request = SocialV2FriendshipUpdate.with {
            $0.request.friend = PlayedProduction.profile("0xb")
            $0.request.createdAt = 1_700_000_000_123
            $0.request.message = "hi"
        }
        try bench.played.push("SubscribeToFriendshipUpdates", request)
        try bench.played.push("SubscribeToFriendshipUpdates", SocialV2FriendshipUpdate())
        for change in 0..<5 {
            try bench.played.push(
                "SubscribeToFriendshipUpdates",
                SocialV2FriendshipUpdate.with {
                    switch change {
                    case 0: $0.accept.user.address = "0xb"
                    case 1: $0.reject.user.address = "0xb"
                    case 2: $0.delete.user.address = "0xb"
                    case 3: $0.cancel.user.address = "0xb"
                    default: $0.block.user.address = "0xb"
                    }
                })
        }
        bench.played.endSubscriptions("SubscribeToFriendshipUpdates")
        var news: [FriendshipNews] = []
        #expect(await code { for try await update in updates { news.append(update) } } == .refused)
        let expected: [FriendshipAction] = [.request(message: "hi"), .accept, .reject, .delete, .cancel, .block]
        let at = { (action: FriendshipAction) in
            action == .request(message: "hi") ? Instant(millisecondsSinceEpoch: 1_700_000_000_123) : bench.clock.now
        }
        let bob = try address("0xb")
        #expect(news == expected.map { .init(other: bob, isOwn: false, body: .acted($0, at: at($0))) })
        for isBlocked in [true, false] {
            try bench.played.push(
                "SubscribeToBlockUpdates",
                SocialV2BlockUpdate.with {
                    $0.address = "0xC"
                    $0.isBlocked = isBlocked
                })
        }
        bench.played.endSubscriptions("SubscribeToBlockUpdates")
        var acts: [FriendshipNews.Body] = []
        _ = await code { for try await update in blocks { acts.append(update.body) } }
        #expect(acts == [.acted(.block, at: bench.clock.now), .acted(.unblock, at: bench.clock.now)])
        await client.close()
        await bench.stop()
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `survives any answer`(seed: UInt64) async throws {
        let generator = Mutex(SeededGenerator(seed: seed))
        let bench = try await ProductionBench(garbage: {
            generator.withLock { generator in
                let length = Int.random(in: 0...40, using: &generator)
                // Mostly what looks like fields: small numbers and short lengths.
                return Data(
                    (0..<length).map { _ in
                        UInt8.random(in: 0...(Bool.random(using: &generator) ? 0x2F : 0xFF), using: &generator)
                    })
            }
        })
        let client = try await bench.client { $0.listLimit = 50 }
        let bob = try address("0xb")
        for _ in 0..<20 {
            _ = try? await client.friends()
            _ = try? await client.incomingRequests()
            _ = try? await client.outgoingRequests()
            _ = try? await client.blocked()
            _ = try? await client.blockedAddresses()
            _ = try? await client.standing(with: bob)
            for action in [FriendshipAction.accept, .block, .unblock] { try? await client.act(action, towards: bob) }
        }
        for updates in [try await client.friendshipUpdates(), try await client.blockUpdates()] {
            #expect(await code { for try await _ in updates {} } == .refused)
        }
        let sightings = try await client.connectivityUpdates()
        #expect(await code { for try await _ in sightings {} } == .refused)
        #expect(bench.played.connections == 1)
        await client.close()
        await bench.stop()
    }
}

struct `Profiles of the social service` {
    @Test func `are kept up to a limit, the latest of each`() throws {
        let profiles = SocialProfiles(limit: 3)
        for number in 0..<5 {
            profiles.note(name: "N\(number)", of: try SocialAddress(parsing: "0x\(number)"))
        }
        profiles.note(name: "new", of: try SocialAddress(parsing: "0x4"))
        #expect(profiles.count == 3)
        #expect(profiles.name(of: try SocialAddress(parsing: "0x1")) == nil)
        #expect(profiles.name(of: try SocialAddress(parsing: "0x4")) == "new")
    }

    @Test(
        arguments: [
            ("", nil), (" \u{7}\n ", nil), (" Bo\u{202E}b  the\tGreat ", "Bob theGreat"), ("a\u{0}b", "ab"),
            (String(repeating: "x", count: 500), String(repeating: "x", count: 100)),
        ] as [(String, String?)])
    func `have names that can be shown`(said: String, kept: String?) throws {
        let profiles = SocialProfiles()
        let address = try SocialAddress(parsing: "0xa")
        profiles.note(name: said, of: address)
        #expect(profiles.name(of: address) == kept)
    }

    @Test func `are told when they are another, and once for each change`() async throws {
        let profiles = SocialProfiles()
        let (a, b) = (try SocialAddress(parsing: "0xa"), try SocialAddress(parsing: "0xb"))
        for (name, address) in [("x", a), ("x", a), ("", a), ("y", a), ("z", b), ("y", a), ("z\u{7}", b)] {
            profiles.note(name: name, of: address)
        }
        profiles.note(name: "end", of: try SocialAddress(parsing: "0xe"))
        var told: [SocialAddress] = []
        for await address in profiles.renamed {
            told.append(address)
            if address.text == "0xe" { break }
        }
        #expect(told.map(\.text) == ["0xa", "0xa", "0xb", "0xe"])
    }

    @Test func `stay small whatever a name is made of`() throws {
        let profiles = SocialProfiles()
        let address = try SocialAddress(parsing: "0xa")
        profiles.note(name: "a" + String(repeating: "\u{301}", count: 100_000), of: address)
        #expect(try #require(profiles.name(of: address)).utf8.count < 2_000)
    }
}
