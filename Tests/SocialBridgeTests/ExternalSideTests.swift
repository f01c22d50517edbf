import AuthChain
import BridgeEngine
import PresenceModel
import SocialBridge
import SocialClient
import SocialEngine
import Testing

/// Against presenced's own social service, over real sockets.
@Suite(.timeLimit(.minutes(1))) struct `Sessions with a service elsewhere` {
    private let credentials = HandedCredentials()

    private func client(_ service: RealService) -> SocialClient.Configuration {
        var client = SocialClient.Configuration(url: service.url)
        client.pause.first = .milliseconds(10)
        client.pause.limit = .milliseconds(50)
        return client
    }

    private var pauses: SessionPauses {
        var pauses = SessionPauses()
        for pause in [\SessionPauses.passing, \.refused, \.unauthorized] {
            pauses[keyPath: pause].first = .milliseconds(10)
            pauses[keyPath: pause].limit = .milliseconds(50)
        }
        return pauses
    }

    private func side(
        _ service: RealService, _ adjust: (inout SharedConnections.Configuration) -> Void = { _ in }
    ) -> RunningSide {
        var connections = SharedConnections.Configuration()
        connections.settledAfter = .zero
        adjust(&connections)
        let generation = FirstGeneration(client(service), connections: connections) { RealService.clock.now }
        return RunningSide(ExternalSide(generation, credentials: credentials, pauses: pauses))
    }

    @Test func `tell how things are, then what happens, in that order`() async throws {
        let service = try await RealService()
        try await service.befriend("ann", "bob")
        _ = try await service.population.act(.block, by: address("ann"), towards: address("eve"))
        _ = try await service.population.act(.request(message: "hi"), by: address("cyd"), towards: address("ann"))
        await service.population.heartbeat(of: try address("bob"), on: SocialSessionID(77), whereabouts: nil)
        let side = side(service)
        try side.open("ann")
        var words = ["opened", "snapshot bob:online", "read bob <cyd -eve"]
        #expect(await side.hears(words, of: "ann"))
        let place = Whereabouts(realm: "main", parcel: .init(x: 1, y: 2))
        await service.population.heartbeat(of: try address("bob"), on: SocialSessionID(77), whereabouts: place)
        words.append("changed bob:online@1,2")
        #expect(await side.hears(words, of: "ann"))
        side.order(.act(try address("ann"), .accept, towards: try address("cyd")))
        // The answer and the news of it come by two ways.
        #expect(await comes { Set(side.heard.words(of: "ann")).isSuperset(of: [">accept cyd", "did accept cyd"]) })
        await side.stop()
        await service.go()
    }

    @Test func `say that the user is there, is away, and left, and touch nobody else on the connection`() async throws {
        let service = try await RealService()
        try await service.befriend("ann", "bob")
        try await service.befriend("bob", "cyd")
        let side = side(service)
        try side.open("ann", "bob", "cyd")
        #expect(await comes { side.heard.openCount == 3 })
        #expect(service.connectionsOpened == 1)
        for name in ["ann", "cyd"] { side.order(.heartbeat(try address(name), nil, .online)) }
        let bobs = ["opened", "snapshot ", "read ann cyd"]
        func heardByBob() -> Set<String> { Set(side.heard.words(of: "bob").dropFirst(bobs.count)) }
        #expect(await comes { heardByBob().isSuperset(of: ["changed ann:online", "changed cyd:online"]) })
        side.order(.heartbeat(try address("ann"), nil, .away))
        #expect(await comes { heardByBob().contains("changed ann:away") })
        side.order(.stop(try address("ann")))
        #expect(await comes { heardByBob().contains("changed ann:offline") })
        #expect(await service.population.onlineFriends(of: try address("bob")) == [try address("cyd")])
        #expect(await side.report.heartbeatsTaken == 3)
        // The last word is said even if the session ends behind it.
        side.order(.stop(try address("cyd")), .closeSession(try address("cyd")))
        #expect(await comes { heardByBob().contains("changed cyd:offline") })
        await side.stop()
        await service.go()
    }

    @Test func `are lost once with their connection, and begin anew when the service is back`() async throws {
        let service = try await RealService()
        try await service.befriend("ann", "bob")
        let side = side(service)
        try side.open("ann", "bob")
        let beginning = ["opened", "snapshot ", "read bob"]
        #expect(await side.hears(beginning, of: "ann"))
        await service.go()
        #expect(await side.hears(beginning + ["lost"], of: "ann"))
        // What is ordered meanwhile is not carried out later.
        side.order(.heartbeat(try address("bob"), nil, .online))
        let failures = try await attempts(2, of: side)
        try await service.come()
        #expect(await side.hears(beginning + ["lost"] + beginning, of: "ann"))
        #expect(await comes { side.heard.openCount == 2 })
        #expect(await service.population.onlineFriends(of: try address("ann")).isEmpty)
        #expect(service.connectionsOpened == 1 && failures > 0)
        await side.stop()
        #expect(await side.report.sessionsOpen == 0)
        await service.go()
    }

    /// Returns when so many more attempts to connect have failed.
    private func attempts(_ count: Int, of side: RunningSide) async throws -> Int {
        guard await comes({ await side.report.failures["unreachable", default: 0] >= count }) else {
            throw CancellationError()
        }
        return await side.report.failures["unreachable", default: 0]
    }

    /// One attempt is for all of a connection: an outage costs as much for a hundred users as for one.
    @Test func `wait together for a connection, with pauses between attempts`() async throws {
        let service = try await RealService()
        let side = side(service)
        let names = (0..<100).map { "u\($0)" }
        for name in names { try side.open(name) }
        #expect(await comes { side.heard.openCount == 100 })
        await service.go()
        #expect(await comes { side.heard.openCount == 0 })
        _ = try await attempts(10, of: side)
        #expect(await side.report.failures["unreachable", default: 0] < 30)
        try await service.come()
        #expect(await comes { side.heard.openCount == 100 })
        #expect(service.connectionsOpened == 1)
        await side.stop()
        await service.go()
    }

    @Test func `whose service is gone for an hour try it often enough, and not too often`() {
        let pauses = FirstGeneration(.init(url: "ws://127.0.0.1/social")) { .epoch }.client.pause
        var generator = SystemRandomNumberGenerator()
        var (passed, attempts): (Duration, Int) = (.zero, 0)
        while passed < .hours(1) {
            attempts += 1
            let pause = pauses.duration(afterFailures: attempts, using: &generator)
            #expect(pause <= .seconds(12))
            passed += pause
        }
        #expect(attempts <= 400)
    }

    @Test func `of three hundred users fit on two connections`() async throws {
        let service = try await RealService()
        try await service.befriend("u0", "u299")
        let side = side(service) {
            $0.usersPerConnection = 150
            $0.connectionsLimit = 2
        }
        for number in 0..<300 { try side.open("u\(number)") }
        #expect(await comes { side.heard.openCount == 300 })
        #expect(service.connections == 2)
        let report = await side.report
        #expect((report.connections, report.connectionsLimit, report.sessionsOpen, report.sessions) == (2, 2, 300, 300))
        #expect(report.failures.isEmpty, "\(report)")
        // Friends of different connections.
        side.order(.heartbeat(try address("u299"), nil, .online))
        #expect(await side.hears(["opened", "snapshot ", "read u299", "changed u299:online"], of: "u0"))
        // One too many waits until somebody leaves.
        try side.open("late")
        #expect(await fails("connections_full", side))
        side.order(.closeSession(try address("u7")))
        #expect(await side.hears(["opened", "snapshot ", "read "], of: "late"))
        #expect(service.connections == 2)
        await side.stop()
        await service.go()
    }

    private func fails(_ kind: String, _ side: RunningSide) async -> Bool {
        await comes { await side.report.failures[kind] != nil }
    }

    @Test func `that the service has no streams for are refused, and the others go on`() async throws {
        // Two for each of four users, and what beginning takes.
        let service = try await RealService { $0.connection.streamsLimit = 10 }
        try await service.befriend("u0", "u1")
        let side = side(service) { $0.openingsAtOnce = 1 }
        for number in 0..<4 { try side.open("u\(number)") }
        #expect(await comes { side.heard.openCount == 4 })
        for number in 4..<8 { try side.open("u\(number)") }
        #expect(await fails("refused", side))
        #expect(await side.report.latestFailure?.contains("social.streams_per_connection") == true)
        side.order(.heartbeat(try address("u1"), nil, .online))
        #expect(await comes { side.heard.words(of: "u0").last == "changed u1:online" })
        #expect(!side.heard.words(of: "u0").contains("lost"))
        // Who was refused comes in where there is room.
        for number in 2..<4 { side.order(.closeSession(try address("u\(number)"))) }
        #expect(await comes { (4..<8).contains { side.heard.words(of: "u\($0)").last?.hasPrefix("read") == true } })
        await side.stop()
        await service.go()
    }

    @Test func `whose token is refused ask for another, and wait for one without asking on and on`() async throws {
        let service = try await RealService()
        service.tokens.refuse("token-ann")
        let side = side(service)
        try side.open("ann", "bob")
        #expect(await side.hears(["opened", "snapshot ", "read "], of: "bob"))
        #expect(await fails("no_credential", side))
        #expect(credentials.refused == [try user("ann")])
        #expect(side.heard.words(of: "ann").isEmpty)
        let asked = credentials.asked
        credentials.give(.token("token-ann/2"), to: try user("ann"))
        #expect(await side.hears(["opened", "snapshot ", "read "], of: "ann"))
        #expect(credentials.asked <= asked + 2)
        // A token that ends while the session is open is noticed with the next word.
        service.tokens.refuse("token-ann/2")
        side.order(.heartbeat(try address("ann"), nil, .online))
        #expect(await side.hears(["opened", "snapshot ", "read ", "lost"], of: "ann"))
        #expect(await comes { self.credentials.refused.count == 2 })
        #expect(!side.heard.words(of: "bob").contains("lost"))
        await side.stop()
        await service.go()
    }

    @Test func `tell whether acts were done, refused, or may have been done`() async throws {
        let service = try await RealService()
        try await service.befriend("ann", "bob")
        let side = side(service)
        try side.open("ann")
        #expect(await side.hears(["opened", "snapshot ", "read bob"], of: "ann"))
        let (ann, bob, cyd) = (try address("ann"), try address("bob"), try address("cyd"))
        side.order(
            .act(ann, .request(message: nil), towards: bob), .act(ann, .accept, towards: cyd),
            .act(ann, .request(message: nil), towards: ann), .act(ann, .request(message: "x"), towards: cyd))
        #expect(
            await comes {
                side.heard.words(of: "ann").filter { $0.hasPrefix("refused") || $0.hasPrefix("did") } == [
                    "refused request bob \(FriendshipRefusal.transition)",
                    "refused accept cyd \(FriendshipRefusal.unknownPair)",
                    "refused request ann \(FriendshipRefusal.toOneself)", "did request cyd",
                ]
            })
        _ = try await service.population.act(.block, by: cyd, towards: ann)
        side.order(.act(ann, .request(message: nil), towards: cyd))
        let refusal = "refused request cyd \(FriendshipRefusal.blocked)"
        #expect(await comes { side.heard.words(of: "ann").contains(refusal) })
        await side.stop()
        await service.go()
    }

    /// Each reading is of the instant at which it is told, as far as what was told before goes.
    @Test func `read friendships anew on request, between what happens`() async throws {
        let service = try await RealService()
        let side = side(service)
        try side.open("ann")
        #expect(await side.hears(["opened", "snapshot ", "read "], of: "ann"))
        let ann = try address("ann")
        for number in 0..<20 {
            let other = try address("o\(number)")
            side.order(.act(ann, .request(message: nil), towards: other), .readFriendships(ann))
            _ = try? await service.population.act(.request(message: nil), by: other, towards: ann)
            #expect(await comes { side.heard.words(of: "ann").count { $0.hasPrefix("read") } > number + 1 })
        }
        let friends = Set((0..<20).map { "o\($0)" })
        #expect(await comes { Bonds(side.heard.words(of: "ann")).friends == friends })
        #expect(Bonds(side.heard.words(of: "ann")).regressions.isEmpty, "\(side.heard.words(of: "ann"))")
        await side.stop()
        await service.go()
    }

    @Test func `of the second generation log in by a wallet, on as many connections as there may be`() async throws {
        let service = try await RealService()
        var generator = SeededGenerator(seed: 7)
        var wallets: [EphemeralIdentity] = []
        for _ in 0..<3 { wallets.append(try identity(&generator)) }
        let generation = SecondGeneration(client(service), connectionsLimit: 2) { RealService.clock.now }
        let side = RunningSide(ExternalSide(generation, credentials: credentials, pauses: pauses))
        let names = wallets.map(\.address.text)
        // Of another kind, and of another wallet: handed back unused.
        credentials.give(.token("token-x"), to: try user(names[0]))
        credentials.give(.identity(wallets[1]), to: try user(names[0]))
        for (name, wallet) in zip(names, wallets) { credentials.give(.identity(wallet), to: try user(name)) }
        for name in names { try side.open(name) }
        #expect(await comes { side.heard.openCount == 2 })
        #expect(await fails("connections_full", side))
        #expect(service.connections == 2)
        #expect(await side.report.connections == 2)
        let first = try #require(names.first { !side.heard.words(of: $0).isEmpty })
        side.order(.heartbeat(try address(first), nil, .away))
        #expect(await comes { side.heard.openCount == 2 })
        side.order(.closeSession(try address(first)))
        #expect(await comes { names.allSatisfy { side.heard.words(of: $0) == ["opened", "snapshot ", "read "] } })
        #expect(service.connectionsOpened == 3)
        #expect(credentials.refused == [try user(names[0]), try user(names[0])])
        await side.stop()
        await service.go()
    }

    private func identity(_ generator: inout some RandomNumberGenerator) throws -> EphemeralIdentity {
        let (wallet, key) = (EthereumKey(from: &generator), EthereumKey(from: &generator))
        let expiration = RealService.clock.now.advanced(by: .hours(1))
        let chain = AuthChain.signing("x", wallet: wallet, ephemeral: key, expiration: expiration)
        return try EphemeralIdentity(links: Array(chain.links.prefix(2)), key: key, at: RealService.clock.now)
    }
}

/// What somebody who hears words of friendships thinks, and whether they were led to think less than before.
private struct Bonds {
    private(set) var friends: Set<String> = []
    private(set) var regressions: [String] = []

    init(_ words: [String]) {
        for word in words {
            let parts = word.split(separator: " ").map(String.init)
            switch parts[0] {
            case "read":
                let now = Set(parts.dropFirst().filter { $0.first?.isLetter == true })
                if !friends.isSubset(of: now) { regressions.append(word) }
                friends = now
            case ">accept", "<accept": friends.insert(parts[1])
            default: break
            }
        }
    }
}
