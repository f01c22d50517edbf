import AdminGateway
import BridgeEngine
import ClientGateway
import HomeserverLink
import Logging
import MatrixHTTP
import MatrixWire
import PresenceModel
import PresenceRuntime
import PresenceStore
import SocialEngine
import SocialService
import SocialTransport

/// What a server needs to be a social service.
struct SocialParts: Sendable {
    /// What clients connect to.
    let rpc: RPCService
    let runtime: SocialRuntime
    private let path: String
    private let linked: LinkedUsers
    private let concealment: ConcealmentWatch
    private let rooms: RoomMaker?
    private let redis: RedisSharing?

    /// `nil` where the service is switched off.
    /// - Parameters:
    ///   - concealment: hears of choices since before the presence runtime started.
    ///   - tokens: whose a Matrix token is.
    ///   - textForm: what users' whereabouts become in Matrix.
    ///   - bridged: what a user who takes part in the bridge to this service lets it show of them at that address.
    /// - Throws: ``StartFailure`` if what was saved cannot be read.
    init?(
        _ configuration: ServerConfiguration, store: PresenceStore, presence: PresenceRuntime,
        concealment: ConcealmentWatch, tokens: any Authenticating, homeserver: HomeserverParts?,
        textForm: BridgeEngine.Configuration.TextForm,
        bridged: @escaping @Sendable (UserID, SocialAddress) async -> SocialPrivacy?, clock: AnchoredClock,
        logger: Logger
    ) async throws {
        guard configuration.social.enabled else { return nil }
        let process = UInt64.random(in: 1 ... .max)
        rooms = try RoomMaker(configuration, homeserver: homeserver, logger: logger)
        redis = configuration.social.redis.url.map { url in
            var settings = RedisSharing.Configuration()
            settings.onlineFor = configuration.social.timeout
            return RedisSharing(url, process: process, clock: clock, logger: logger, configuration: settings)
        }
        linked = LinkedUsers(
            server: configuration.serverName, presence: presence, textForm: textForm, bridged: bridged,
            isUser: { await tokens.knows($0) })
        let outside = SocialSurroundings(linked: linked, rooms: rooms)
        var settings = configuration.socialConfiguration
        settings.makesRooms = rooms != nil
        runtime = SocialRuntime(
            engine: SocialEngine(process: process, configuration: settings), clock: clock, journal: store,
            outside: outside, sharing: redis)
        let saved = try SocialParts.load(store, configuration, logger)
        await runtime.start(from: saved)
        await concealment.start(with: runtime, from: saved, isAlone: redis == nil)
        self.concealment = concealment
        path = configuration.social.path

        let population = LinkedPopulation(population: runtime, linked: linked)
        var limits = FriendshipsService.Configuration()
        limits.callsPerSecond = configuration.social.rateLimit.perSecond
        limits.callBurst = configuration.social.rateLimit.burst
        limits.offersLogin = configuration.social.walletLogin
        let service = FriendshipsService(
            population: population,
            credentials: SocialCredentials(tokens: MatrixTokens(authenticating: tokens)) { clock.now },
            configuration: limits
        ) { clock.now }
        var transport = RPCService.Configuration()
        transport.connectionsLimit = configuration.social.connections
        // What comes is short: a chain of signatures, a request with its message.
        transport.webSocket.messageBytesLimit = (64 << 10) + configuration.social.messageLimitBytes
        transport.connection.streamsLimit = configuration.social.streamsPerConnection
        transport.connection.callsLimit = configuration.social.streamsPerConnection + 64
        rpc = RPCService(modules: service.modules, configuration: transport) { await service.sessionEnded($0) }
    }

    /// Where clients connect to, for the listener that they come to.
    var webSocket: WebSocketPath { rpc.webSocket(at: path) }

    /// Whoever is there by that address takes part in the bridge, or chose there, otherwise than before. Returns at once.
    @Sendable func reconsider(_ address: SocialAddress) { linked.reconsider(address) }

    /// What goes on beside the connections, until it is cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await linked.run(with: runtime) }
            group.addTask { await concealment.run(for: runtime) }
            if let rooms { group.addTask { await rooms.run(for: runtime) } }
            if let redis { group.addTask { await redis.run(for: runtime) } }
        }
    }

    /// How it stands, for the operator.
    var report: SocialReport {
        get async {
            let (counts, transport) = (await runtime.read { engine, _ in engine.counts }, rpc.counts)
            var report = SocialReport()
            report.connections = transport.connections
            report.connectionsRefused = transport.connectionsRefused
            report.streams = transport.streams
            report.callsStarted = transport.callsStarted
            report.users = counts.users
            report.usersThere = counts.present
            report.pairs = counts.pairs
            report.subscriptions = counts.subscriptions
            report.changesNotStored = counts.changes
            report.redis = redis.map(\.status).map { status in
                SocialReport.Redis(
                    isConnected: status.isConnected, since: status.since, latestFailure: status.latestFailure)
            }
            return report
        }
    }

    private static func load(
        _ store: PresenceStore, _ configuration: ServerConfiguration, _ logger: Logger
    ) throws -> SocialEngine.Snapshot {
        do {
            return try store.loadSocial { skipped in
                logger.warning(
                    "rows of the database do not parse; they are left out, and left as they are",
                    metadata: [
                        "table": "\(skipped.table)", "count": "\(skipped.count)", "first": "\(skipped.firstKey)",
                        "column": "\(skipped.firstColumn)",
                    ])
            }
        } catch {
            throw StartFailure(
                "cannot use the database; nothing was changed",
                ["path": "\(configuration.storeFilePath)", "reason": "\(error)"])
        }
    }
}

/// Whose a Matrix token is, by whatever the rest of the server goes by.
struct MatrixTokens: MatrixTokenReading {
    let authenticating: any Authenticating

    func user(presenting token: String) async throws(MatrixErrorBody) -> UserID {
        let caller = try await authenticating.caller(presenting: token)
        guard caller.kind != .guest else { throw MatrixErrorBody(.forbidden, "Guests have no friends here") }
        return caller.key.user
    }
}

/// Passes on what the population wants, and returns at once.
private struct SocialSurroundings: SocialOutside {
    let linked: LinkedUsers
    let rooms: RoomMaker?

    func roomWanted(for pair: SocialPair) { rooms?.add(pair) }

    func userAppeared(_ user: SocialAddress) { linked.note(user, isThere: true) }

    func userLeft(_ user: SocialAddress) { linked.note(user, isThere: false) }
}
