import AdminGateway
import ClientGateway
import HummingbirdCore
import HummingbirdTLS
import Logging
import MatrixFederation
import MatrixHTTP
import NIOPosix
import NIOSSL
import PresenceRuntime
import Synchronization

/// The addresses that a server answers at.
struct Listeners: Sendable {
    struct Named: Sendable {
        var name: String
        var listener: MatrixListener
    }

    let all: [Named]
    let ports: BoundPorts

    /// - Parameter metrics: what is to be told besides what the gateways know.
    /// - Throws: ``StartFailure`` if the certificate or its key, or the operator's token, cannot be used.
    init(
        _ configuration: ServerConfiguration, runtime: PresenceRuntime, tokens: any Authenticating,
        homeserver: HomeserverParts?, federation: FederationParts?, social: SocialParts?, bridge: BridgeParts?,
        metrics: @escaping @Sendable () async -> [Metric], clock: AnchoredClock, logger: Logger
    ) throws {
        let others = [federation != nil, configuration.admin.enabled, homeserver?.applicationService != nil]
        let ports = BoundPorts(expected: 1 + others.count { $0 })
        self.ports = ports
        let group = MultiThreadedEventLoopGroup.singleton
        let plain = HTTPServerBuilder.bounded(idleTimeout: Listeners.idleTimeout, passesOn: homeserver != nil)
        func named(
            _ name: String, _ address: NetworkAddress, _ server: HTTPServerBuilder, _ routes: RouteTable,
            _ origins: MatrixListener.Origins
        ) -> Named {
            let listener = MatrixListener(
                host: address.host, port: address.port, server: server, group: group, routes: routes,
                origins: origins,
                mark: ServerMark(listener: name, serverName: configuration.serverName).text, logger: logger
            ) { port in
                logger.info(
                    "listening", metadata: ["listener": "\(name)", "host": "\(address.host)", "port": "\(port)"])
                ports.note(port, of: name)
            }
            return Named(name: name, listener: listener)
        }
        let clients = ClientGateway(
            server: configuration.serverName, runtime: runtime, tokens: tokens,
            configuration: configuration.gatewayConfiguration, clock: clock)
        let facingClients = HTTPServerBuilder.bounded(
            idleTimeout: Listeners.idleTimeout, passesOn: homeserver != nil,
            webSockets: [social?.webSocket].compactMap(\.self))
        var all = [
            named(
                "client", configuration.client.listen, facingClients,
                Listeners.routes(of: clients, bridge?.gateway.userRoutes ?? [], beside: homeserver),
                configuration.client.cors ? .any : .sameOnly)
        ]
        if configuration.admin.enabled {
            let gateway = AdminGateway(
                runtime: runtime, token: try AdminTokenFile.read(configuration.adminTokenPath),
                social: social.map { social in { @Sendable in await social.report } }, metrics: metrics,
                others: bridge?.gateway.operatorRoutes ?? [])
            all.append(named("admin", configuration.admin.listen, plain, gateway.routes, .sameOnly))
        }
        if let service = homeserver?.applicationService {
            let address = configuration.homeserver.applicationService.listen
            all.append(named("application_service", address, plain, service.gateway.routes, .sameOnly))
        }
        if let federation {
            let gateway = FederationGateway(
                server: configuration.serverName, ownKeys: federation.ownKeys, keys: federation.keys,
                runtime: runtime, configuration: configuration.federationGatewayConfiguration, clock: clock,
                logger: logger, isUser: { await tokens.knows($0) })
            let server = try configuration.federation.tls.pair.map { try Listeners.tls(plain, $0) } ?? plain
            let scheme = configuration.federation.tls.pair == nil ? "http" : "https"
            let routes = homeserver?.routes(beside: gateway, scheme: scheme) ?? gateway.routes
            all.append(named("federation", configuration.federation.listen, server, routes, .sameOnly))
        }
        self.all = all
    }

    private static func routes(
        of clients: ClientGateway, _ own: [Route], beside homeserver: HomeserverParts?
    ) -> RouteTable {
        homeserver?.routes(beside: clients, and: own) ?? RouteTable(clients.routes.routes + own)
    }

    /// Longer than the longest wait of a long-poll between two bytes.
    private static let idleTimeout = Duration.minutes(15)

    private static func tls(
        _ base: HTTPServerBuilder, _ files: (certificate: String, key: String)
    ) throws -> HTTPServerBuilder {
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(files.certificate)
            let key = try NIOSSLPrivateKey(file: files.key, format: .pem)
            var settings = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
            // For the other side's goodbye, which mostly does not come: a stop waits that long for each connection.
            settings.shutdownTimeout = .seconds(1)
            return try .tls(base, tlsConfiguration: settings)
        } catch {
            throw StartFailure(
                "cannot use federation.tls; both files must be PEM and belong together",
                ["certificate": "\(files.certificate)", "key": "\(files.key)", "reason": "\(error)"])
        }
    }
}

/// Which ports the listeners got, once all of them listen.
final class BoundPorts: Sendable {
    private struct State {
        var ports: [String: Int] = [:]
        var waiting: [CheckedContinuation<[String: Int], Never>] = []
    }

    private let expected: Int
    private let state = Mutex(State())

    init(expected: Int) { self.expected = expected }

    func note(_ port: Int, of name: String) {
        let ready = state.withLock { state -> State in
            state.ports[name] = port
            guard state.ports.count == expected else { return State() }
            defer { state.waiting = [] }
            return state
        }
        for continuation in ready.waiting { continuation.resume(returning: ready.ports) }
    }

    /// The ports by the listeners' names; returns when all of them listen.
    func all() async -> [String: Int] {
        await withCheckedContinuation { continuation in
            let ready = state.withLock { state -> [String: Int]? in
                guard state.ports.count < expected else { return state.ports }
                state.waiting.append(continuation)
                return nil
            }
            if let ready { continuation.resume(returning: ready) }
        }
    }
}
