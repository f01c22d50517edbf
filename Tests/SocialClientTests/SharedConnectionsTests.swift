import FoundationEssentials
import PresenceModel
import SocialEngine
import SocialTransport
import SocialWire
import Synchronization
import Testing

@testable import SocialClient

/// What many clients do with few connections.
@Suite(.timeLimit(.minutes(1))) struct `Connections that users share` {
    private let heartbeat = RPCProcedure.answers(
        "PositionHeartbeat", FriendshipsPositionResponse.with { $0.position.realm = "main" })

    private func pool(
        _ service: PlayedService, _ adjust: (inout SharedConnections.Configuration) -> Void = { _ in }
    ) -> SharedConnections {
        var client = SocialClient.Configuration(url: service.url)
        client.pause.first = .milliseconds(10)
        client.pause.limit = .milliseconds(50)
        var configuration = SharedConnections.Configuration()
        configuration.settledAfter = .zero
        adjust(&configuration)
        return SharedConnections(to: client, configuration: configuration)
    }

    private func client(_ pool: SharedConnections, _ token: String = "t") throws -> SocialClient {
        try #require(SocialClient(sharing: pool, token: token) { Instant(millisecondsSinceEpoch: 1_790_000_000_000) })
    }

    @Test func `are filled one after the other, and end when nobody is on them`() async throws {
        let service = try await PlayedService([heartbeat])
        let pool = pool(service) {
            $0.connectionsLimit = 2
            $0.usersPerConnection = 2
        }
        var clients: [SocialClient] = []
        for number in 1...4 { clients.append(try client(pool, "t\(number)")) }
        #expect(SocialClient(sharing: pool, token: "t") { .epoch } == nil)
        for client in clients {
            try await client.connect()
            #expect(try await client.heartbeat(nil)?.realm == "main")
        }
        #expect(service.connections == 2)
        #expect(await pool.standing() == 2)
        await clients[0].close()
        await clients[0].close()
        #expect(pool.userCount == 3 && service.connections == 2)
        await clients[1].close()
        try await PlayedService.comes { service.connections == 1 }
        #expect(try await clients[2].heartbeat(nil) != nil)
        // Who forgets a client gives its seat back.
        clients = []
        try await PlayedService.comes { pool.userCount == 0 }
        try await service.isDeserted()
        let late = try client(pool)
        try await late.connect()
        await late.close()
        await service.leave()
    }

    @Test func `fail what is asked while there is none, and are waited for by who follows`() async throws {
        let service = try await PlayedService([heartbeat])
        let pool = pool(service)
        let client = try client(pool)
        await #expect(throws: SocialClientError.self) { try await client.heartbeat(nil) }
        try await client.connect()
        await service.leave()
        try await PlayedService.comes { await !client.isConnected }
        let waiting = Task { try await client.connect() }
        var failures = pool.failures.makeAsyncIterator()
        for _ in 0..<3 { #expect(await failures.next()?.code == .unreachable) }
        let cancelled = Task { try await client.connect() }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        let second = try await PlayedService(port: service.port, [heartbeat])
        try await waiting.value
        #expect(second.connections == 1)
        await client.close()
        await second.leave()
    }

    /// What beginning costs beside the two streams is bounded by how many begin at once.
    @Test func `let so many begin at once`() async throws {
        let open = Mutex(0)
        let most = Mutex(0)
        let (asked, ask) = AsyncStream.makeStream(of: Void.self)
        let presence = RPCProcedure(
            "SubscribeFriendshipPresenceUpdates",
            .serverStream { _ in
                let isGiven = Mutex(false)
                return AsyncThrowingStream<Data, any Error> {
                    let isFirst = isGiven.withLock { isGiven in
                        defer { isGiven = true }
                        return !isGiven
                    }
                    guard isFirst else {
                        for await _ in AsyncStream<Void>.makeStream().stream {}
                        return nil
                    }
                    let count = open.withLock { open in
                        open += 1
                        return open
                    }
                    most.withLock { $0 = max($0, count) }
                    ask.yield()
                    for _ in 0..<200 { await Task.yield() }
                    open.withLock { $0 -= 1 }
                    return try FriendshipsSubscribeFriendshipPresenceUpdatesResponse.with { $0.updates.snapshot = true }
                        .bytes
                }
            })
        let service = try await PlayedService([
            .answers("GetPrivacy", FriendshipsPrivacyResponse()), presence,
            .streams(
                "SubscribeFriendshipEventsUpdates",
                [
                    FriendshipsSubscribeFriendshipEventsUpdatesResponse.with {
                        $0.events.requests = FriendshipsRequestEvents()
                    }
                ]),
        ])
        let pool = pool(service) { $0.openingsAtOnce = 3 }
        let (told, tell) = AsyncStream.makeStream(of: SocialUpdate.self)
        var following: [Task<Void, any Error>] = []
        for _ in 0..<7 {
            let client = try client(pool)
            following.append(Task { try await client.follow(rereading: RereadBell()) { tell.yield($0) } })
        }
        var (starts, updates) = (asked.makeAsyncIterator(), told.makeAsyncIterator())
        for _ in 0..<7 { await starts.next() }
        for _ in 0..<14 { _ = await updates.next() }
        #expect(most.withLock { $0 } == 3)
        for task in following { task.cancel() }
        for task in following { await #expect(throws: CancellationError.self) { try await task.value } }
        await service.leave()
    }

    @Test func `have room for the streams of as many users as they may have`() async throws {
        let service = try await PlayedService([.streams("SubscribeFriendshipEventsUpdates", [])]) {
            $0.connection.streamsLimit = 10_000
            $0.connection.callsLimit = 10_000
        }
        let pool = pool(service) { $0.usersPerConnection = 2_100 }
        let client = try client(pool)
        let connection = try await client.source.connected()
        var open: [SocialConnection.Elements] = []
        for _ in 0..<pool.configuration.streamsPerConnection {
            open.append(try await connection.stream("SubscribeFriendshipEventsUpdates", Data()))
        }
        #expect(open.count == 4_232)
        await client.close()
        await service.leave()
    }

    @Test func `ask who is online, of a service that does not say who changed`() async throws {
        func users(_ names: String...) -> FriendshipsUsersResponse {
            .with { $0.users.users = names.map { name in .with { $0.address = name } } }
        }
        let online = Mutex([users("bob")])
        let service = try await PlayedService([
            .streams("SubscribeFriendshipPresenceUpdates", []), .streams("SubscribeFriendshipEventsUpdates", []),
            .answers("GetRequestEvents", FriendshipsRequestEventsResponse()),
            .streams("GetFriends", [users("bob", "cyd")], ends: true),
            RPCProcedure(
                "GetOnlineFriends",
                .serverStream { _ in
                    let answer = online.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
                    return AsyncThrowingStream<Data, any Error> { continuation in
                        if let bytes = try? answer.bytes { continuation.yield(bytes) }
                        continuation.finish()
                    }
                }),
        ])
        var configuration = SocialClient.Configuration(url: service.url)
        configuration.askingInterval = .milliseconds(5)
        let client = SocialClient(configuration, credential: .token("t")) { .epoch }
        let (told, tell) = AsyncStream.makeStream(of: SocialUpdate.self)
        let following = Task { try await client.follow(rereading: RereadBell()) { tell.yield($0) } }
        var updates = told.makeAsyncIterator()
        func next() async -> [String]? {
            while let update = await updates.next() {
                if case .presence(.snapshot(let sightings)) = update { return sightings.map(\.friend.text) }
            }
            return nil
        }
        #expect(await next() == ["bob"])
        // In another order, and then another one.
        online.withLock { $0 = [users("bob"), users("bob", "cyd"), users("cyd", "bob"), users()] }
        #expect(await next() == ["bob", "cyd"])
        #expect(await next() == [])
        // A refusal ends it, as any other.
        online.withLock { $0 = [.with { $0.unauthorizedError.message = "over" }] }
        await #expect(throws: SocialClientError(.unauthorized, "over")) { try await following.value }
        await client.close()
        await service.leave()
    }

    @Test func `do not wait on and on for a service that begins nothing, or ends no list`() async throws {
        let silent = try await PlayedService([
            .answers("GetPrivacy", FriendshipsPrivacyResponse()),
            .streams("SubscribeFriendshipPresenceUpdates", []), .streams("GetBlockedUsers", []),
        ])
        var configuration = SocialClient.Configuration(url: silent.url)
        configuration.callTimeout = .milliseconds(200)
        let client = SocialClient(configuration, credential: .token("t")) { .epoch }
        func code(_ ask: () async throws -> Void) async -> SocialClientError.Code? {
            do {
                try await ask()
                return nil
            } catch {
                return (error as? SocialClientError)?.code
            }
        }
        #expect(await code { try await client.follow(rereading: RereadBell()) { _ in } } == .timedOut)
        #expect(await code { _ = try await client.blocked() } == .timedOut)
        await client.close()
        await silent.leave()
    }

    @Test func `bring friendships anew when asked, and all of them each time`() async throws {
        let begun = Mutex(0)
        let events = RPCProcedure(
            "SubscribeFriendshipEventsUpdates",
            .serverStream { _ in
                let number = begun.withLock { begun in
                    begun += 1
                    return begun
                }
                return AsyncThrowingStream<Data, any Error> { continuation in
                    for element in [
                        FriendshipsSubscribeFriendshipEventsUpdatesResponse.with {
                            $0.events.friends.users = [.with { $0.address = "f\(number)" }]
                        }, .with { $0.events.requests = FriendshipsRequestEvents() },
                        .with { $0.events.responses = [.with { $0.delete.user.address = "f\(number)" }] },
                    ] { if let bytes = try? element.bytes { continuation.yield(bytes) } }
                }
            })
        let blocked = FriendshipsUsersResponse.with { $0.users.users = [.with { $0.address = "eve" }] }
        let service = try await PlayedService([
            .answers("GetPrivacy", FriendshipsPrivacyResponse()),
            .streams(
                "SubscribeFriendshipPresenceUpdates",
                [FriendshipsSubscribeFriendshipPresenceUpdatesResponse.with { $0.updates.snapshot = true }]),
            events, .streams("GetBlockedUsers", [blocked], ends: true),
        ])
        let client = try client(pool(service))
        let bell = RereadBell()
        let (told, tell) = AsyncStream.makeStream(of: SocialUpdate.self)
        let following = Task { try await client.follow(rereading: bell) { tell.yield($0) } }
        var updates = told.makeAsyncIterator()
        #expect(await updates.next() == .presence(.snapshot([])))
        for number in 1...3 {
            let friend = try SocialAddress(parsing: "f\(number)")
            let eve = try SocialAddress(parsing: "eve")
            #expect(
                await updates.next()
                    == .friendships(
                        .snapshot(Friendships(friends: [friend], outgoing: [], incoming: [], blocked: [eve]))))
            guard case .friendships(.happened(let news))? = await updates.next() else {
                Issue.record("no news")
                break
            }
            #expect(news.map(\.other) == [friend])
            bell.ring()
        }
        following.cancel()
        _ = await following.result
        await client.close()
        await service.leave()
    }

    @Test(arguments: [true, false]) func `say away and that the user left to services that know it`(knows: Bool)
        async throws
    {
        let said = Mutex<[String]>([])
        let heard = RPCProcedure(
            "PositionHeartbeat",
            .unary { call in
                let payload = try FriendshipsPositionPayload(serializedBytes: call.payload)
                said.withLock { $0.append("\(payload.synapseToken) \(payload.state == .away)") }
                return try FriendshipsPositionResponse.with { $0.position.realm = "main" }.serializedBytes()
            })
        let leave = RPCProcedure(
            "Leave",
            .unary { call in
                said.withLock { $0.append("left") }
                return try FriendshipsPositionResponse.with { $0.position = FriendshipsPosition() }.serializedBytes()
            })
        let service = try await PlayedService(knows ? [heard, leave] : [heard])
        let client = try client(pool(service))
        try await client.connect()
        try await client.heartbeat(nil)
        try await client.heartbeat(nil, isAway: true)
        #expect(try await client.leave() == knows)
        #expect(said.withLock { $0 } == (knows ? ["t false", "t true", "left"] : ["t false", "t false"]))
        await client.close()
        await service.leave()
    }

    /// The first service has neither.
    @Test func `follow friendships of a service without presence`() async throws {
        let service = try await PlayedService([
            .streams(
                "GetFriends", [FriendshipsUsersResponse.with { $0.users.users = [.with { $0.address = "bob" }] }],
                ends: true),
            .answers(
                "GetRequestEvents", FriendshipsRequestEventsResponse.with { $0.events = FriendshipsRequestEvents() }),
            .streams("SubscribeFriendshipEventsUpdates", []),
        ])
        let client = try client(pool(service))
        let (told, tell) = AsyncStream.makeStream(of: SocialUpdate.self)
        let following = Task { try await client.follow(rereading: RereadBell()) { tell.yield($0) } }
        var updates = told.makeAsyncIterator()
        #expect(await updates.next() == .presence(.snapshot([])))
        let bob = try SocialAddress(parsing: "bob")
        #expect(
            await updates.next()
                == .friendships(.snapshot(Friendships(friends: [bob], outgoing: [], incoming: []))))
        #expect(try await client.readFriendships().friends == [bob])
        following.cancel()
        _ = await following.result
        await client.close()
        await service.leave()
    }
}
