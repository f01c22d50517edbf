import ClientGateway
import Foundation
import Logging
import PresenceEngine
import PresenceModel
import PresenceRuntime
import SocialEngine
import SocialService
import SocialTransport
import SocialWire
import SwiftProtobuf
import Testing

@testable import presenced

/// A whole server, standalone, with the social service on.
@Suite(.timeLimit(.minutes(2))) struct `A server with the social service` {
    private typealias News = FriendshipsSubscribeFriendshipEventsUpdatesResponse
    private typealias Updates = FriendshipsSubscribeFriendshipPresenceUpdatesResponse

    /// The server, while it runs, and two users of it.
    private final class Bench: Sendable {
        let server: PresenceServer
        let alice: String
        let bob: String
        private let folder: TemporaryFolder
        private let gate = AsyncStream.makeStream(of: Void.self)
        private let running: Task<Void, any Error>
        let port: Int

        init(_ change: (inout ServerConfiguration) -> Void = { _ in }) async throws {
            let folder = try TemporaryFolder()
            self.folder = folder
            var settings = ServerConfiguration()
            settings.dataDirectory = folder.path("data")
            settings.client.listen = NetworkAddress(host: "127.0.0.1", port: 0)
            settings.social.enabled = true
            change(&settings)
            try FileManager.default.createDirectory(
                atPath: settings.dataDirectory, withIntermediateDirectories: true)
            let file = TokenFile(path: settings.tokenFilePath)
            func token(_ name: String) throws -> String {
                try file.create(
                    user: UserID(parsing: "@\(name):localhost"), device: DeviceID(parsing: "D"),
                    at: Instant(millisecondsSinceEpoch: 1_700_000_000_000)
                ).token.text
            }
            (alice, bob) = (try token("alice"), try token("bob"))
            server = try await PresenceServer.prepare(
                settings, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            running = Task { [server, gate] in
                try await server.run { for await _ in gate.stream { return } }
            }
            port = try #require(await server.listeners.ports.all()["client"])
        }

        func stop() async throws {
            gate.continuation.yield()
            try await running.value
        }

        func connect() async throws -> Client {
            let client = try await RPCClient.connect(to: "ws://127.0.0.1:\(port)\(server.configuration.social.path)")
            let module = try await client.port("social").module("FriendshipsService")
            return Client(connection: client, module: module)
        }

        /// The devices of a user that are connected, with their types.
        func devices(of user: String = "alice") async throws -> [String] {
            let user = try UserID(parsing: "@\(user):localhost")
            return await server.runtime.read { engine, now in engine.devices(of: user, at: now) }
                .filter(\.isConnected).map { "\($0.device) \($0.type?.text ?? "-")" }
        }

        /// What others see the user say.
        func text(of user: String = "alice") async throws -> String? {
            let user = try UserID(parsing: "@\(user):localhost")
            guard case .known(let presence)? = await server.runtime.read({ engine, _ in engine.knowledge(of: user) })
            else { return nil }
            return presence.statusText
        }

        /// Another one, whose users all exist and take part.
        func linked(showPause: Duration) throws -> LinkedUsers {
            LinkedUsers(
                server: try ServerName(parsing: "localhost"), presence: server.runtime, textForm: .readable,
                showPause: showPause, bridged: { _, _ in .full }, isUser: { _ in true })
        }

        /// Whether the social service shows the user to nobody, by a choice made elsewhere.
        func isConcealed(_ user: String = "alice") async throws -> Bool {
            let address = try SocialAddress(parsing: user)
            let social = try #require(server.social)
            return await social.runtime.read { engine, _ in engine.settings(of: address).isConcealed }
        }

        func choose(_ state: ChosenState, as user: String = "alice") async throws {
            let key = DeviceKey(
                user: try UserID(parsing: "@\(user):localhost"), device: try DeviceID(parsing: "D"))
            try await server.runtime.choose(state, text: nil, on: key)
        }
    }

    private struct Client: Sendable {
        let connection: RPCClient
        let module: RPCClientModule

        func call<Answer: Message>(_ name: String, _ payload: some Message, as: Answer.Type = Answer.self)
            async throws -> Answer
        {
            try Answer(serializedBytes: await module.call(name, payload.serializedBytes()))
        }

        func beat(_ token: String, x: String = "1") async throws -> FriendshipsPositionResponse {
            try await call(
                "PositionHeartbeat",
                FriendshipsPositionPayloadB.with {
                    $0.authToken.synapseToken = token
                    $0.position = .with { ($0.realm, $0.x, $0.y) = ("main", x, "2") }
                })
        }

        func act(
            _ token: String, _ change: (inout FriendshipsFriendshipEventPayload) -> Void
        ) async throws -> FriendshipsUpdateFriendshipResponse {
            var payload = FriendshipsUpdateFriendshipPayload.with { $0.authToken.synapseToken = token }
            change(&payload.event)
            return try await call("UpdateFriendshipEvent", payload)
        }

        func open(_ name: String, _ token: String) async throws -> RPCElements.AsyncIterator {
            try await module.stream(
                name, FriendshipsPayload.with { $0.synapseToken = token }.serializedBytes()
            ).makeAsyncIterator()
        }
    }

    private struct NoDisk: SocialJournal {
        func write(_ records: [SocialEngine.Record]) async throws {}
    }

    private func befriend(_ bench: Bench, _ client: Client) async throws {
        let asked = try await client.act(bench.alice) { $0.request.user.address = "bob" }
        #expect(asked.event.request.user.address == "bob", "\(asked)")
        let accepted = try await client.act(bench.bob) { $0.accept.user.address = "alice" }
        #expect(accepted.event.accept.user.address == "alice", "\(accepted)")
    }

    private func waits(
        at place: SourceLocation = #_sourceLocation, until isSo: @Sendable () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while try await !isSo() {
            try #require(ContinuousClock.now < deadline, "it did not come to that", sourceLocation: place)
            await Task.yield()
        }
    }

    @Test func `lets friends find and see each other`() async throws {
        let bench = try await Bench()
        let client = try await bench.connect()
        var news = try await client.open("SubscribeFriendshipEventsUpdates", bench.alice)
        let first = try News(serializedBytes: #require(await news.next()))
        #expect(first.events.hasFriends && first.events.friends.users.isEmpty)
        let second = try News(serializedBytes: #require(await news.next()))
        #expect(second.events.hasRequests)
        try await befriend(bench, client)
        let own = try News(serializedBytes: #require(await news.next()))
        #expect(own.events.own.map(\.request.user.address) == ["bob"])
        let accepted = try News(serializedBytes: #require(await news.next()))
        #expect(accepted.events.responses.map(\.accept.user.address) == ["bob"])

        var updates = try await client.open("SubscribeFriendshipPresenceUpdates", bench.bob)
        let snapshot = try Updates(serializedBytes: #require(await updates.next()))
        #expect(snapshot.updates.snapshot && snapshot.updates.positions.isEmpty)
        #expect(try await client.beat(bench.alice).position.x == "1")
        let shown = try Updates(serializedBytes: #require(await updates.next()))
        #expect(shown.updates.positions.map(\.address) == ["alice"])
        #expect(shown.updates.positions.map(\.state) == [.online])
        #expect(shown.updates.positions.map(\.x) == ["1"])
        await client.connection.close()
        try await bench.stop()
    }

    @Test func `shows who is in the world as one more device in Matrix, until they leave`() async throws {
        let bench = try await Bench { $0.social.leaveGrace = .zero }
        let client = try await bench.connect()
        #expect(try await bench.devices() == [])
        _ = try await client.beat(bench.alice)
        try await waits { try await bench.devices() == ["org.presenced.social world"] }
        await client.connection.close()
        try await waits { try await bench.devices() == [] }
        try await bench.stop()
    }

    @Test func `shows in Matrix nobody who hides in the world`() async throws {
        let bench = try await Bench()
        let client = try await bench.connect()
        func choose(_ privacy: FriendshipsPrivacy) async throws {
            let answer: FriendshipsPrivacyResponse = try await client.call(
                "UpdatePrivacy",
                FriendshipsUpdatePrivacyPayload.with {
                    $0.authToken.synapseToken = bench.alice
                    $0.privacy = privacy
                })
            #expect(answer.privacy == privacy)
        }
        _ = try await client.beat(bench.alice)
        try await waits { try await bench.devices().count == 1 }
        try await choose(.hidden)
        #expect(try await bench.devices().isEmpty)
        try await choose(.stateOnly)
        try await waits { try await bench.devices().count == 1 }
        try await bench.stop()
    }

    @Test func `shows in Matrix nobody who came to hide while they were looked up`() async throws {
        let bench = try await Bench()
        let social = try #require(bench.server.social).runtime
        let (asked, ask) = AsyncStream.makeStream(of: UserID.self)
        let (answers, answer) = AsyncStream.makeStream(of: Void.self)
        let linked = try LinkedUsers(
            server: ServerName(parsing: "localhost"), presence: bench.server.runtime, textForm: .readable,
            bridged: { _, _ in .full }
        ) { user in
            ask.yield(user)
            for await _ in answers { return true }
            return false
        }
        let work = Task { await linked.run(with: social) }
        var questions = asked.makeAsyncIterator()
        let (carol, dave) = try (SocialAddress(parsing: "carol"), SocialAddress(parsing: "dave"))
        linked.note(carol, isThere: true)
        #expect(await questions.next()?.text == "@carol:localhost")
        try await social.setPrivacy(of: carol, to: .hidden)
        await linked.hide(carol)
        // Looked up once all is done about carol.
        linked.note(dave, isThere: true)
        answer.yield()
        #expect(await questions.next()?.text == "@dave:localhost")
        #expect(try await bench.devices(of: "carol").isEmpty)
        answer.yield()
        try await waits { try await bench.devices(of: "dave").count == 1 }
        work.cancel()
        await work.value
        // Nobody acts upon notes any more: it is done when it is answered.
        try await LinkedPopulation(population: social, linked: linked).setPrivacy(of: dave, to: .hidden)
        #expect(try await bench.devices(of: "dave").isEmpty)
        try await bench.stop()
    }

    @Test func `says in Matrix where users are, as far as their friends may know`() async throws {
        let bench = try await Bench()
        let social = try #require(bench.server.social).runtime
        let runtime = bench.server.runtime
        let (user, carol) = try (UserID(parsing: "@carol:localhost"), SocialAddress(parsing: "carol"))
        let linked = LinkedUsers(
            server: user.server, presence: runtime, textForm: .readable, showPause: .zero, bridged: { _, _ in .full }
        ) { _ in true }
        let work = Task { await linked.run(with: social) }
        @Sendable func text() async -> String? {
            guard case .known(let presence)? = await runtime.read({ engine, _ in engine.knowledge(of: user) }) else {
                return nil
            }
            return presence.statusText
        }
        linked.note(carol, isThere: true)
        try await waits { try await bench.devices(of: "carol").count == 1 }
        await linked.moved(carol, to: Whereabouts(realm: "main", parcel: .init(x: 1, y: -2)), in: social)
        #expect(await text() == "1,-2 in main")
        try await social.setPrivacy(of: carol, to: .stateOnly)
        linked.reconsider(carol)
        try await waits { await text() == nil }
        await linked.moved(carol, to: Whereabouts(realm: "main", parcel: .init(x: 3, y: 4)), in: social)
        #expect(await text() == nil)
        try await social.setPrivacy(of: carol, to: .full)
        linked.reconsider(carol)
        try await waits { await text() == "3,4 in main" }
        linked.note(carol, isThere: false)
        try await waits { try await bench.devices(of: "carol").isEmpty }
        #expect(await text() == nil)
        work.cancel()
        await work.value
        try await bench.stop()
    }

    /// Of the bridge's choices, and whether it is running at all.
    @Test func `says in Matrix where they are of those alone who let the bridge say it`() async throws {
        let without = try await Bench()
        let there = try await without.connect()
        _ = try await there.beat(without.alice)
        try await waits { try await without.devices().count == 1 }
        #expect(try await without.text() == nil)
        try await without.stop()

        let bench = try await Bench { $0.bridge.service = .embedded }
        let bridge = try #require(bench.server.bridge?.runtime(of: .embedded))
        let user = try UserID(parsing: "@alice:localhost")
        let client = try await bench.connect()
        _ = try await client.beat(bench.alice)
        try await waits { try await bench.devices() == ["org.presenced.social world"] }
        #expect(try await bench.text() == nil)
        try await bridge.perform(.participationChosen(user, true))
        try await waits { try await bench.text() == "1,2 in main" }
        try await bridge.perform(.privacyChosen(user, .stateOnly))
        try await waits { try await bench.text() == nil }
        #expect(try await bench.devices() == ["org.presenced.social world"])
        try await bridge.perform(.privacyChosen(user, .hidden))
        try await waits { try await bench.devices().isEmpty }
        try await bridge.perform(.privacyChosen(user, .full))
        try await waits { try await bench.text() == "1,2 in main" }
        try await bridge.perform(.participationChosen(user, false))
        try await waits { try await bench.text() == nil }
        #expect(try await bench.devices() == ["org.presenced.social world"])
        try await bench.stop()
    }

    @Test func `shows where somebody is as they come, and moves only now and then`() async throws {
        let bench = try await Bench()
        // Not the server's own, which would show them too.
        let social = SocialRuntime(
            engine: SocialEngine(process: 1), clock: AnchoredClock(wallMilliseconds: PresenceServer.wallMilliseconds()),
            journal: NoDisk())
        let (rarely, often) = (try bench.linked(showPause: .hours(1)), try bench.linked(showPause: .milliseconds(20)))
        func place(_ x: Int32) -> Whereabouts { Whereabouts(realm: "main", parcel: .init(x: x, y: 0)) }
        let carol = try SocialAddress(parsing: "carol")
        let (session, population) = (SocialSessionID(7), LinkedPopulation(population: social, linked: rarely))
        var work = Task { await rarely.run(with: social) }
        await population.heartbeat(of: carol, on: session, whereabouts: place(1))
        rarely.note(carol, isThere: true)
        try await waits { try await bench.text(of: "carol") == "1,0 in main" }
        for x in Int32(2)...9 { await population.heartbeat(of: carol, on: session, whereabouts: place(x)) }
        #expect(try await bench.text(of: "carol") == "1,0 in main")
        // What they choose is at once.
        try await population.setPrivacy(of: carol, to: .stateOnly)
        try await waits { try await bench.text(of: "carol") == nil }
        try await population.setPrivacy(of: carol, to: .hidden)
        #expect(try await bench.devices(of: "carol").isEmpty)
        work.cancel()
        await work.value

        work = Task { await often.run(with: social) }
        let dave = try SocialAddress(parsing: "dave")
        await social.heartbeat(of: dave, on: session, whereabouts: place(1))
        often.note(dave, isThere: true)
        try await waits { try await bench.text(of: "dave") == "1,0 in main" }
        for x in Int32(2)...9 { await often.moved(dave, to: place(x), in: social) }
        try await waits { try await bench.text(of: "dave") == "9,0 in main" }
        for x in Int32(10)...19 { await often.moved(dave, to: place(x), in: social) }
        try await waits { try await bench.text(of: "dave") == "19,0 in main" }
        work.cancel()
        await work.value
        try await bench.stop()
    }

    @Test(arguments: [ChosenState.hidden, .offline])
    func `shows in the world nobody who hides in Matrix`(state: ChosenState) async throws {
        let bench = try await Bench()
        let client = try await bench.connect()
        try await befriend(bench, client)
        _ = try await client.beat(bench.alice)
        var updates = try await client.open("SubscribeFriendshipPresenceUpdates", bench.bob)
        let snapshot = try Updates(serializedBytes: #require(await updates.next()))
        #expect(snapshot.updates.positions.map(\.state) == [.online])
        try await bench.choose(state)
        let gone = try Updates(serializedBytes: #require(await updates.next()))
        #expect(gone.updates.positions.map(\.state) == [.offline])
        #expect(gone.updates.positions.allSatisfy { !$0.hasRealm && !$0.hasX })
        try await bench.choose(.online)
        let back = try Updates(serializedBytes: #require(await updates.next()))
        #expect(back.updates.positions.map(\.state) == [.online])
        try await bench.stop()
    }

    @Test func `asks for patience past the rate that is configured`() async throws {
        let bench = try await Bench { $0.social.rateLimit = .init(perSecond: 0.001, burst: 3) }
        let client = try await bench.connect()
        for _ in 0..<3 { #expect(try await client.beat(bench.alice).position.x == "1") }
        let refused = try await client.beat(bench.alice)
        #expect(refused.tooManyRequestsError.message == "Too many requests")
        #expect(try await client.beat(bench.bob).position.x == "1")
        try await bench.stop()
    }

    /// Of this one's Matrix users nobody ever chose anything.
    @Test func `shows nobody who hides at another process, whatever they do here`() async throws {
        let bench = try await Bench { $0.social.leaveGrace = .zero }
        let client = try await bench.connect()
        try await #require(bench.server.social).runtime.setConcealment(of: SocialAddress(parsing: "alice"), to: true)
        _ = try await client.beat(bench.alice)
        try await waits { try await bench.devices().count == 1 }
        #expect(try await bench.isConcealed())
        await client.connection.close()
        try await waits { try await bench.devices().isEmpty }
        // What was heard of alice's coming and going was acted upon before this is.
        try await bench.choose(.hidden, as: "bob")
        try await waits { try await bench.isConcealed("bob") }
        #expect(try await bench.isConcealed())
        try await bench.stop()
    }

    @Test func `knows at once who chose to hide while it was switched off, or not to any more`() async throws {
        let data = try TemporaryFolder()
        let store = data.path("kept.sqlite")
        func bench(isOn: Bool) async throws -> Bench {
            try await Bench { ($0.store.file, $0.social.enabled) = (store, isOn) }
        }
        for (state, isConcealed) in [(ChosenState.hidden, true), (.online, false), (.offline, true)] {
            let off = try await bench(isOn: false)
            try await off.choose(state)
            try await off.stop()
            let on = try await bench(isOn: true)
            #expect(try await on.isConcealed() == isConcealed)
            try await on.stop()
        }
    }

    @Test func `keeps friends over a restart, and closes connections when it stops`() async throws {
        let data = try TemporaryFolder()
        let store = data.path("kept.sqlite")
        let bench = try await Bench { $0.store.file = store }
        let client = try await bench.connect()
        try await befriend(bench, client)
        try await bench.stop()
        await client.connection.closed()
        let again = try await Bench { $0.store.file = store }
        let other = try await again.connect()
        var friends = try await other.open("GetFriends", again.alice)
        let page = try FriendshipsUsersResponse(serializedBytes: #require(await friends.next()))
        #expect(page.users.users.map(\.address) == ["bob"])
        try await again.stop()
    }

    @Test func `refuses strangers, and serves no WebSocket elsewhere`() async throws {
        let bench = try await Bench { $0.social.path = "/somewhere/else" }
        let client = try await bench.connect()
        let refused = try await client.beat("nobody's")
        #expect(refused.response == .unauthorizedError(FriendshipsUnauthorizedError()))
        await #expect(throws: RPCClientError.self) {
            _ = try await RPCClient.connect(to: "ws://127.0.0.1:\(bench.port)/social")
        }
        try await bench.stop()
    }
}
