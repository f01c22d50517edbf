import BridgeEngine
import FederationEngine
import HomeserverLink
import HummingbirdCore
import Logging
import MatrixHTTP
import MatrixWire
import NIOPosix
import PresenceEngine
import PresenceModel
import PresenceRuntime
import SocialBridge
import SocialEngine
import Synchronization
import Testing

/// The bridge's Matrix side, as the application service of a live, unmodified Synapse whose own presence is on.
@Suite(.serialized, .enabled(if: LivePart.synapsePython != nil && LivePart.nginx != nil))
struct `The bridge at a live homeserver with presence` {
    private final class Ears: BridgeEars {
        private let heard = Mutex<[BridgeEngine.Event]>([])

        func hear(_ event: BridgeEngine.Event) async { heard.withLock { $0.append(event) } }

        func waits(for event: BridgeEngine.Event) async throws {
            guard await !hears(event, within: .seconds(60)) else { return }
            throw Child.Failure(description: "\(event) was not heard, but \(heard.withLock { $0 })")
        }

        func hears(_ event: BridgeEngine.Event, within time: Duration) async -> Bool {
            await `The bridge at a live homeserver with presence`.comes(within: time) {
                heard.withLock { $0.contains(event) }
            }
        }
    }

    /// Whether it is so before the deadline.
    private static func comes(within time: Duration, _ isSo: () async -> Bool) async -> Bool {
        let deadline = ContinuousClock.now + time
        while await !isSo() {
            guard ContinuousClock.now < deadline else { return false }
            let loop = MultiThreadedEventLoopGroup.singleton.any()
            try? await loop.scheduleTask(in: .milliseconds(50)) {}.futureResult.get()
        }
        return true
    }

    private struct NoDisk: Journal {
        func append(_ records: [PresenceInstance.Record]) {}
        func settle() async throws {}
    }

    private struct NoNetwork: TransactionDelivery {
        func deliver(_ transaction: OutgoingTransaction) async -> DeliveryOutcome { .delivered }
    }

    /// What stands between the homeserver and the bridge.
    private final class Service: Sendable {
        let side: HomeserverSide
        let logins: ApplicationServiceLogins
        let ghosts: GhostRule
        let ears = Ears()
        private let upstream: Upstream
        private let work: [Task<Void, any Error>]

        init(_ world: BesideWorld) async throws {
            let logger = Logger(label: "bridge") { _ in SwiftLogNoOpLogHandler() }
            let server = try ServerName(parsing: world.settings.name)
            let clock = AnchoredClock(wallMilliseconds: 1_800_000_000_000)
            let registration = try RegistrationFile.read(world.registration)
            ghosts = GhostRule(server: server, prefix: "_social_")
            #expect(registration.problem(ofUsersWith: "_social_", at: server) == nil)
            let group = MultiThreadedEventLoopGroup.singleton
            upstream = try Upstream(
                Upstream.Configuration(origin: try HomeserverOrigin(parsing: world.ownURL)), group: group,
                logger: logger)
            let watch = LocalUserWatch(followers: 0)
            let runtime = PresenceRuntime(
                instance: PresenceInstance(
                    presence: PresenceEngine(server: server),
                    federation: FederationEngine(server: server, boot: 1, seed: 1)),
                clock: clock, journal: NoDisk(), delivery: NoNetwork(), boot: 1, listener: watch)
            await runtime.start(from: PresenceInstance.Snapshot())
            let census = RoomCensus(
                server: server, registration: registration, homeserver: upstream, runtime: runtime, journal: NoDisk(),
                saved: HomeserverSnapshot(), configuration: RoomCensus.Configuration(), clock: clock, logger: logger)
            let inbox = PresenceInbox(server: server)
            let gateway = ApplicationGateway(
                registration: registration, census: census, presences: inbox, logger: logger)
            let users = ApplicationServiceUsers(registration: registration, homeserver: upstream)
            logins = ApplicationServiceLogins(registration: registration, homeserver: upstream)
            let side = try HomeserverSide(
                presence: runtime, watch: watch, inbox: inbox, users: users,
                ghosts: HomeserverGhosts(users: users, names: { "Anna \($0)" }), ghostRule: ghosts, showsWorld: true,
                clock: clock)
            self.side = side
            let (ports, bound) = AsyncStream.makeStream(of: Int.self)
            let listener = MatrixListener(
                host: "127.0.0.1", port: world.servicePort,
                server: .bounded(idleTimeout: .seconds(60), passesOn: false), group: group, routes: gateway.routes,
                origins: .sameOnly, logger: logger
            ) { bound.yield($0) }
            work = [
                Task { try await listener.run() }, Task { [ears] in await side.run(telling: ears) },
            ]
            var iterator = ports.makeAsyncIterator()
            _ = await iterator.next()
        }

        func stop() async throws {
            for task in work { task.cancel() }
            for task in work { _ = await task.result }
            try await upstream.shutdown()
        }
    }

    /// Tokens of users, of one device.
    private func checkLogins(_ service: Service, _ world: BesideWorld) async throws {
        let paul = world.user("paul", of: "b")
        let id = try UserID(parsing: paul.id)
        for _ in 0..<2 {
            let token = try await service.logins.token(for: id)
            let who = try await Self.get("/account/whoami", token, world)
            #expect(who["user_id"]?.string == paul.id && who["device_id"]?.string == ApplicationServiceLogins.device)
            await service.logins.forget(id, token)
        }
        let devices = try await Self.get("/devices", paul.token, world)["devices"]?.array ?? []
        #expect(devices.count { $0["device_id"]?.string == ApplicationServiceLogins.device } == 1, "\(devices)")
    }

    private static func get(_ path: String, _ token: String, _ world: BesideWorld) async throws -> JSONValue {
        try await world.scene.client.ask("GET", world.ownURL + "/_matrix/client/v3" + path, token: token).json
    }

    @Test(.timeLimit(.minutes(6)))
    func `hears of users, shows friends for as long as they are to be seen, makes ghosts and logs in`() async throws {
        let world = try await BesideWorld.start(in: try Scene(), presence: true)
        let service = try await Service(world)
        let (paul, petra) = (world.user("paul", of: "b"), world.user("petra", of: "b"))

        // What a client says arrives. The homeserver could not reach the service before it listened, and tells nothing
        // of presence before it has told the rest: what it said meanwhile is asked for.
        let id = try UserID(parsing: paul.id)
        #expect(try await world.put(paul, of: "b", "online", "over here") == 200)
        service.side.carryOut(.readList(id))
        try await service.ears.waits(for: .matrixReported(id, .visible(.online, statusText: "over here", .untold)))
        for number in 0... {
            #expect(try await world.put(paul, of: "b", "online", "text \(number)") == 200)
            let report = BridgeEngine.Event.matrixReported(id, .visible(.online, statusText: "text \(number)", .untold))
            if await service.ears.hears(report, within: .seconds(2)) { break }
            try #require(number < 60, "the homeserver tells nothing")
        }

        // A friend is seen by other clients; what comes back is known.
        let friend = try UserID(parsing: petra.id)
        let showing = Showing.visible(.online, statusText: "10,20 in main")
        service.side.carryOut(.present(friend, showing, as: .world))
        try await world.waits(for: petra.id, toBe: "online", "10,20 in main", as: paul, of: "b")
        try await service.ears.waits(
            for: .matrixReported(friend, .visible(.online, statusText: "10,20 in main", .untold)))

        // A ghost is an account with a name, and nobody's to log in to.
        let address = try SocialAddress(parsing: "0xA1")
        let ghost = try #require(service.ghosts.user(for: address))
        for _ in 0..<2 { service.side.carryOut(.makeGhost(ghost, for: address)) }
        try await service.ears.waits(for: .ghostMade(address))
        let profile = try await Self.get("/profile/\(PercentEncoding.encode(ghost.text))", paul.token, world)
        #expect(profile["displayname"]?.string == "Anna 0xa1" && profile["avatar_url"] == nil, "\(profile)")
        service.side.carryOut(.present(ghost, .visible(.unavailable, statusText: "1,1"), as: .ghost))

        try await checkLogins(service, world)

        // Nobody syncs in petra's name: the homeserver would take her for gone after a minute.
        #expect(await Self.comes(within: .seconds(180)) { await service.side.tally.puts >= 6 })
        let path = "/presence/\(PercentEncoding.encode(petra.id))/status"
        #expect(try await Self.get(path, paul.token, world)["presence"]?.string == "online")
        service.side.carryOut(.present(friend, .offline, as: .world))
        try await world.waits(for: petra.id, toBe: "offline", nil, as: paul, of: "b")
        #expect(await service.side.tally.failures == 0)
        try await service.stop()
        await world.end()
    }
}
