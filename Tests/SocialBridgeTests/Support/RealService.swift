import HummingbirdCore
import Logging
import MatrixHTTP
import MatrixWire
import NIOPosix
import PresenceModel
import PresenceRuntime
import SocialEngine
import SocialService
import SocialTransport
import Synchronization

/// presenced's own social service on a real socket. It can go away and come back, at the same address and with the same
/// friends.
final class RealService: Sendable {
    static let clock = AnchoredClock(wallMilliseconds: 1_790_000_000_000)

    let population: SocialRuntime
    let tokens = TokenList()
    private let configuration: RPCService.Configuration
    private let standing = Mutex<(rpc: RPCService, running: Task<Void, any Error>, port: Int)?>(nil)

    init(_ adjust: (inout RPCService.Configuration) -> Void = { _ in }) async throws {
        var engine = SocialEngine.Configuration()
        engine.makesRooms = false
        population = SocialRuntime(
            engine: SocialEngine(process: 1, configuration: engine), clock: RealService.clock, journal: NoDisk())
        var configuration = RPCService.Configuration()
        configuration.connection.streamsLimit = 2_000
        configuration.connection.callsLimit = 2_064
        adjust(&configuration)
        self.configuration = configuration
        try await come()
    }

    private var port: Int { standing.withLock { $0?.port } ?? lastPort.withLock { $0 } }
    private let lastPort = Mutex(0)

    var url: String { "ws://127.0.0.1:\(lastPort.withLock { $0 })/social" }

    var connections: Int { standing.withLock { $0?.rpc.counts.connections ?? 0 } }

    /// Connections that stood since it came.
    var connectionsOpened: Int { standing.withLock { $0?.rpc.counts.connectionsOpened ?? 0 } }

    /// Listens; at the port of before, if there was one.
    func come() async throws {
        let service = FriendshipsService(
            population: population, credentials: SocialCredentials(tokens: tokens) { RealService.clock.now }
        ) { RealService.clock.now }
        let rpc = RPCService(modules: service.modules, configuration: configuration) { await service.sessionEnded($0) }
        let (ports, told) = AsyncStream.makeStream(of: Int.self)
        var logger = Logger(label: "real")
        logger.logLevel = .critical
        let listener = MatrixListener(
            host: "127.0.0.1", port: lastPort.withLock { $0 },
            server: .bounded(idleTimeout: .seconds(60), webSockets: [rpc.webSocket(at: "/social")]),
            group: MultiThreadedEventLoopGroup.singleton, routes: RouteTable([]), origins: .sameOnly, logger: logger
        ) { told.yield($0) }
        let running = Task { try await listener.run() }
        var found: Int?
        for await port in ports {
            found = port
            break
        }
        guard let found else { throw CancellationError() }
        lastPort.withLock { $0 = found }
        standing.withLock { $0 = (rpc, running, found) }
    }

    /// Ends every connection, and listens no more.
    func go() async {
        let gone = standing.withLock { standing in
            defer { standing = nil }
            return standing
        }
        await gone?.rpc.close()
        gone?.running.cancel()
        _ = await gone?.running.result
    }

    func befriend(_ one: String, _ other: String) async throws {
        _ = try await population.act(.request(message: nil), by: address(one), towards: address(other))
        _ = try await population.act(.accept, by: address(other), towards: address(one))
    }
}

/// `token-NAME` is the token of `@NAME:x.org`, unless it was refused.
final class TokenList: MatrixTokenReading {
    private let refused = Mutex<Set<String>>([])

    func refuse(_ token: String) { refused.withLock { _ = $0.insert(token) } }

    func user(presenting token: String) async throws(MatrixErrorBody) -> UserID {
        let name = token.dropFirst(6).prefix { $0 != "/" }
        guard !refused.withLock({ $0.contains(token) }), token.hasPrefix("token-"),
            let user = try? UserID(parsing: "@\(name):x.org")
        else { throw MatrixErrorBody(.unknownToken, "Unknown access token", status: 401) }
        return user
    }
}

private struct NoDisk: SocialJournal {
    func write(_ records: [SocialEngine.Record]) async throws {}
}

func address(_ name: String) throws -> SocialAddress { try SocialAddress(parsing: name) }

func user(_ name: String) throws -> UserID { try UserID(parsing: "@\(name):a.org") }
