import FoundationEssentials
import PresenceModel
import SocialEngine
import SocialTransport
import SocialWire
import Synchronization
import SwiftProtobuf
import Testing

@testable import SocialClient

typealias SocialAnswer = SwiftProtobuf.Message

extension SwiftProtobuf.Message {
    var bytes: Data { get throws { try serializedBytes() } }
}

/// What a client does with what a service says.
@Suite(.timeLimit(.minutes(1))) struct `A social client` {
    static let alice = address("alice")
    static let bob = address("bob")

    private static func address(_ text: String) -> SocialAddress {
        guard let address = try? SocialAddress(parsing: text) else { preconditionFailure("no address: \(text)") }
        return address
    }

    static func client(_ url: String, _ credential: SocialClient.Credential = .token("t")) -> SocialClient {
        var configuration = SocialClient.Configuration(url: url)
        configuration.pause.first = .milliseconds(10)
        configuration.pause.limit = .milliseconds(50)
        return SocialClient(configuration, credential: credential) {
            Instant(millisecondsSinceEpoch: 1_790_000_000_000)
        }
    }

    private func users(_ names: String...) -> FriendshipsUsersResponse {
        .with { $0.users.users = names.map { name in .with { $0.address = name } } }
    }

    private func positions(
        _ positions: [(name: String, x: String)], snapshot: Bool = false, more: Bool = false
    ) -> FriendshipsSubscribeFriendshipPresenceUpdatesResponse {
        .with { answer in
            answer.updates.positions = positions.map { position in
                .with {
                    $0.address = position.name
                    $0.state = .online
                    $0.realm = "main"
                    $0.x = position.x
                    $0.y = "2"
                }
            }
            answer.updates.snapshot = snapshot
            answer.updates.more = more
        }
    }

    private func friends(_ name: String) -> FriendshipsSubscribeFriendshipEventsUpdatesResponse {
        .with { $0.events.friends.users = [.with { $0.address = name }] }
    }

    private func sighting(_ friend: SocialAddress, x: Int32) -> FriendSighting {
        FriendSighting(
            friend: friend, state: .online, whereabouts: Whereabouts(realm: "main", parcel: .init(x: x, y: 2)))
    }

    @Test func `joins the pages of a list, and leaves out what is no address`() async throws {
        let service = try await PlayedService([
            .streams("GetFriends", [users("Alice", "@bob:example.org"), users("", "0xAB")], ends: true)
        ])
        let client = `A social client`.client(service.url)
        #expect(try await client.friends().map(\.text) == ["alice", "bob", "0xab"])
        await client.close()
        await service.leave()
    }

    @Test(arguments: [1, 2, 3, 4, 5]) func `tells refusals by their arms`(arm: Int) async throws {
        var answer = FriendshipsUsersResponse()
        let code: SocialClientError.Code
        switch arm {
        case 1: (answer.internalServerError.message, code) = ("why", .failed)
        case 2: (answer.unauthorizedError.message, code) = ("why", .unauthorized)
        case 3: (answer.forbiddenError.message, code) = ("why", .forbidden)
        case 4: (answer.tooManyRequestsError.message, code) = ("why", .tooManyRequests)
        default: (answer.badRequestError.message, code) = ("why", .refused)
        }
        let service = try await PlayedService([.streams("GetFriends", [answer], ends: true)])
        let client = `A social client`.client(service.url)
        await #expect(throws: SocialClientError(code, "why")) { try await client.friends() }
        await client.close()
        await service.leave()
    }

    @Test func `says what a service does not offer, and that nobody is there`() async throws {
        let service = try await PlayedService([.answers("GetPrivacy", FriendshipsPrivacyResponse())])
        let client = `A social client`.client(service.url)
        func code(_ ask: () async throws -> Void) async -> SocialClientError.Code? {
            do {
                try await ask()
                return nil
            } catch {
                return (error as? SocialClientError)?.code
            }
        }
        #expect(await code { _ = try await client.blocked() } == .notOffered)
        #expect(await code { _ = try await client.privacy() } == .malformed)
        await client.close()
        await service.leave()
        let late = `A social client`.client(service.url)
        #expect(await code { try await late.connect() } == .unreachable)
        let wrong = `A social client`.client("http://127.0.0.1/")
        #expect(await code { try await wrong.connect() } == .badAddress)
    }

    @Test func `puts the token into each request, or logs in once`() async throws {
        let seen = Mutex<[String]>([])
        let heard = RPCProcedure(
            "PositionHeartbeat",
            .unary { call in
                let payload = try FriendshipsPositionPayload(serializedBytes: call.payload)
                seen.withLock { $0.append(payload.hasSynapseToken ? payload.synapseToken : "none") }
                return try FriendshipsPositionResponse.with { $0.position.realm = "main" }.serializedBytes()
            })
        let login = RPCProcedure(
            "Login",
            .unary { call in
                let payload = try FriendshipsLoginPayload(serializedBytes: call.payload)
                seen.withLock { $0.append("login \(payload.address) \(payload.timestamp) \(payload.authChain)") }
                return try FriendshipsLoginResponse.with {
                    if payload.address == "0x1" {
                        $0.welcomeMessage = FriendshipsWelcomeMessage()
                    } else {
                        $0.unauthorizedError.message = "who?"
                    }
                }.serializedBytes()
            })
        let service = try await PlayedService([heard, login])
        let first = `A social client`.client(service.url)
        #expect(try await first.heartbeat(nil) == Whereabouts(realm: "main", parcel: nil))
        for address in ["0x1", "0x2"] {
            let second = `A social client`.client(
                service.url,
                .login { now in
                    .init(address: address, timestamp: "\(now.millisecondsSinceEpoch)", authChain: "[]")
                })
            if address == "0x1" {
                try await second.connect()
            } else {
                await #expect(throws: SocialClientError(.unauthorized, "who?")) { try await second.connect() }
            }
            await second.close()
        }
        await first.close()
        await service.leave()
        #expect(seen.withLock { $0 } == ["t", "login 0x1 1790000000000 []", "login 0x2 1790000000000 []"])
    }

    @Test func `says that the connection is lost, and begins anew with a snapshot`() async throws {
        let offer = RPCProcedure.answers("GetPrivacy", FriendshipsPrivacyResponse())
        let name = "SubscribeFriendshipPresenceUpdates"
        let first = try await PlayedService([
            offer,
            .streams(
                name,
                [
                    positions([("alice", "1")], snapshot: true, more: true), positions([("bob", "1")], snapshot: true),
                    positions([("alice", "5")]),
                ]),
        ])
        let client = `A social client`.client(first.url)
        var updates = client.presenceUpdates().makeAsyncIterator()
        let (alice, bob) = (`A social client`.alice, `A social client`.bob)
        #expect(try await updates.next() == .snapshot([sighting(alice, x: 1), sighting(bob, x: 1)]))
        #expect(try await updates.next() == .changed([sighting(alice, x: 5)]))
        await first.leave()
        guard case .lost = try await updates.next() else {
            Issue.record("not told that the connection is lost")
            return
        }
        let second = try await PlayedService(
            port: first.port, [offer, .streams(name, [positions([], snapshot: true), positions([("bob", "7")])])])
        #expect(try await updates.next() == .snapshot([]))
        #expect(try await updates.next() == .changed([sighting(bob, x: 7)]))
        await client.close()
        #expect(try await updates.next() == nil)
        await second.leave()
    }

    /// What was heard of a list before the connection broke off is not of the list that comes after.
    @Test func `forgets half a snapshot when the connection is lost`() async throws {
        let offer = RPCProcedure.answers("GetPrivacy", FriendshipsPrivacyResponse())
        let (presence, events) = ("SubscribeFriendshipPresenceUpdates", "SubscribeFriendshipEventsUpdates")
        let (taken, take) = AsyncStream.makeStream(of: Void.self)
        let first = try await PlayedService([
            offer, .breaksOff(presence, behind: positions([("alice", "1")], snapshot: true, more: true), take),
            .breaksOff(events, behind: friends("alice"), take),
        ])
        let client = `A social client`.client(first.url)
        var sightings = client.presenceUpdates().makeAsyncIterator()
        var friendships = client.friendshipUpdates().makeAsyncIterator()
        var halves = taken.makeAsyncIterator()
        for _ in 0..<2 { await halves.next() }
        await first.leave()
        guard case .lost = try await sightings.next(), case .lost = try await friendships.next() else {
            Issue.record("not told that the connection is lost")
            return
        }
        let second = try await PlayedService(
            port: first.port,
            [
                offer, .streams(presence, [positions([("bob", "7")], snapshot: true)]),
                .streams(events, [friends("bob"), .with { $0.events.requests = FriendshipsRequestEvents() }]),
            ])
        let bob = `A social client`.bob
        #expect(try await sightings.next() == .snapshot([sighting(bob, x: 7)]))
        #expect(
            try await friendships.next() == .snapshot(Friendships(friends: [bob], outgoing: [], incoming: [])))
        await client.close()
        await second.leave()
    }

    @Test func `tells friendships as they are, then what happened, the user's own acts among it`() async throws {
        let requests = FriendshipsSubscribeFriendshipEventsUpdatesResponse.with {
            $0.events.requests.outgoing.items = [
                .with {
                    $0.user.address = "bob"
                    $0.createdAt = 1_790_000_000
                }
            ]
        }
        let own = FriendshipsSubscribeFriendshipEventsUpdatesResponse.with {
            $0.events.own = [
                .with {
                    $0.cancel.user.address = "bob"
                    $0.byMe = true
                }
            ]
        }
        let other = FriendshipsSubscribeFriendshipEventsUpdatesResponse.with {
            $0.events.responses = [.with { $0.delete.user.address = "alice" }]
        }
        let service = try await PlayedService([
            .answers("GetPrivacy", FriendshipsPrivacyResponse()),
            .streams(
                "SubscribeFriendshipEventsUpdates", [friends("alice"), friends("0xab"), requests, own, other]),
        ])
        let client = `A social client`.client(service.url)
        var updates = client.friendshipUpdates().makeAsyncIterator()
        let (alice, bob) = (`A social client`.alice, `A social client`.bob)
        let instant = Instant(millisecondsSinceEpoch: 1_790_000_000_000)
        #expect(
            try await updates.next()
                == .snapshot(
                    Friendships(
                        friends: [alice, try SocialAddress(parsing: "0xab")],
                        outgoing: [FriendRequest(other: bob, createdAt: instant, message: nil)], incoming: [])))
        #expect(
            try await updates.next()
                == .happened([FriendshipNews(other: bob, isOwn: true, body: .acted(.cancel, at: instant))]))
        #expect(
            try await updates.next()
                == .happened([FriendshipNews(other: alice, isOwn: false, body: .acted(.delete, at: instant))]))
        await client.close()
        await service.leave()
    }

    @Test func `ends a subscription that is refused`() async throws {
        var refusal = FriendshipsSubscribeFriendshipEventsUpdatesResponse()
        refusal.unauthorizedError.message = "`synapse_token` was not provided"
        let service = try await PlayedService([
            .answers("GetPrivacy", FriendshipsPrivacyResponse()),
            .streams("SubscribeFriendshipEventsUpdates", [refusal], ends: true),
        ])
        let client = `A social client`.client(service.url)
        await #expect(throws: SocialClientError(.unauthorized, "`synapse_token` was not provided")) {
            for try await _ in client.friendshipUpdates() {}
        }
        await client.close()
        await service.leave()
    }

    /// Of a service that knows nothing of presenced's own fields.
    @Test func `asks a service of before for the snapshot itself`() async throws {
        let strangers = FriendshipsSubscribeFriendshipPresenceUpdatesResponse.with {
            $0.updates.positions = [.with { $0.x = "1" }]
        }
        let requests = FriendshipsRequestEventsResponse.with {
            $0.events.incoming.items = [
                .with {
                    $0.user.address = "Bob"
                    $0.createdAt = 1_790_000_000
                    $0.message = "hi"
                }
            ]
        }
        let event = FriendshipsSubscribeFriendshipEventsUpdatesResponse.with {
            $0.events.responses = [.with { $0.accept.user.address = "bob" }]
        }
        let service = try await PlayedService([
            .streams("GetOnlineFriends", [users("alice")], ends: true),
            .streams("GetFriends", [users("alice")], ends: true),
            .answers("GetRequestEvents", requests), .streams("SubscribeFriendshipPresenceUpdates", [strangers]),
            .streams("SubscribeFriendshipEventsUpdates", [event]),
        ])
        let client = `A social client`.client(service.url)
        let (alice, bob) = (`A social client`.alice, `A social client`.bob)
        var presence = client.presenceUpdates().makeAsyncIterator()
        #expect(
            try await presence.next() == .snapshot([FriendSighting(friend: alice, state: .online, whereabouts: nil)]))
        var friendships = client.friendshipUpdates().makeAsyncIterator()
        let instant = Instant(millisecondsSinceEpoch: 1_790_000_000_000)
        #expect(
            try await friendships.next()
                == .snapshot(
                    Friendships(
                        friends: [alice], outgoing: [],
                        incoming: [FriendRequest(other: bob, createdAt: instant, message: "hi")])))
        #expect(
            try await friendships.next()
                == .happened([FriendshipNews(other: bob, isOwn: false, body: .acted(.accept, at: instant))]))
        await client.close()
        await service.leave()
    }

    @Test func `joins friends that come in several elements, and bears a service that counts beyond all time`()
        async throws
    {
        func friends(_ name: String) -> FriendshipsSubscribeFriendshipEventsUpdatesResponse {
            .with { $0.events.friends.users = [.with { $0.address = name }] }
        }
        let requests = FriendshipsSubscribeFriendshipEventsUpdatesResponse.with {
            $0.events.requests.outgoing.items = [Int64.max, Int64.min].map { seconds in
                .with {
                    $0.user.address = "bob"
                    $0.createdAt = seconds
                }
            }
        }
        let service = try await PlayedService([
            .answers("GetPrivacy", FriendshipsPrivacyResponse()),
            .streams("SubscribeFriendshipEventsUpdates", [friends("alice"), friends("bob"), requests]),
        ])
        let client = `A social client`.client(service.url)
        var updates = client.friendshipUpdates().makeAsyncIterator()
        guard case .snapshot(let snapshot) = try await updates.next() else {
            Issue.record("no snapshot")
            return
        }
        #expect(snapshot.friends == [`A social client`.alice, `A social client`.bob])
        #expect(snapshot.outgoing.map(\.createdAt).max() ?? .epoch <= .distantFuture)
        #expect(snapshot.outgoing.map(\.createdAt).min() == .epoch)
        await client.close()
        await service.leave()
    }

    @Test func `has closed its connection when it is forgotten`() async throws {
        let service = try await PlayedService([.answers("GetPrivacy", FriendshipsPrivacyResponse())])
        do {
            let client = `A social client`.client(service.url)
            try await client.connect()
            #expect(service.connections == 1)
        }
        try await service.isDeserted()
        await service.leave()
    }

    @Test func `stays online over a lost connection, and stops at a refusal`() async throws {
        let beat = RPCProcedure.answers(
            "PositionHeartbeat", FriendshipsPositionResponse.with { $0.position.realm = "a" })
        let first = try await PlayedService([beat])
        let client = `A social client`.client(first.url)
        let (told, tell) = AsyncStream.makeStream(of: Result<Whereabouts?, SocialClientError>.self)
        let staying = Task {
            try await client.stayOnline(every: .milliseconds(10), at: { nil }, told: { tell.yield($0) })
        }
        var heard = told.makeAsyncIterator()
        #expect(try await heard.next()?.get()?.realm == "a")
        await first.leave()
        while case .success? = await heard.next() {}
        let refusal = FriendshipsPositionResponse.with { $0.unauthorizedError.message = "gone" }
        let second = try await PlayedService(port: first.port, [.answers("PositionHeartbeat", refusal)])
        await #expect(throws: SocialClientError(.unauthorized, "gone")) { try await staying.value }
        await client.close()
        await second.leave()
    }

    @Test func `waits longer after each failure, and not as long as others`() {
        let pause = ReconnectPause()
        var generator = SeededGenerator(seed: 1)
        var before = Duration.zero
        for failures in 1...6 {
            let next = pause.duration(afterFailures: failures, using: &generator)
            let middle = Duration.seconds(1 << (failures - 1))
            #expect(next >= middle * 0.8 && next <= middle * 1.2 && next > before, "\(failures): \(next)")
            before = next
        }
        let long = (0..<50).map { _ in pause.duration(afterFailures: 1000, using: &generator) }
        #expect(long.allSatisfy { $0 >= .seconds(48) && $0 <= .seconds(72) } && Set(long).count > 40)
    }
}
