import ClientGateway
import HomeserverLink
import Logging
import MatrixFederation
import MatrixHTTP
import MatrixWire
import NIOPosix
import PresenceRuntime

/// What a server needs to stand in front of a homeserver.
struct HomeserverParts: Sendable {
    let upstream: Upstream
    let tokens: WhoamiTokens
    private let runtime: PresenceRuntime
    private let trustedProxies: [AddressRange]

    /// `nil` where presenced runs by itself.
    /// - Throws: ``StartFailure``.
    init?(
        _ configuration: ServerConfiguration, runtime: PresenceRuntime, clock: AnchoredClock, logger: Logger
    ) throws {
        let homeserver = configuration.homeserver
        guard let url = homeserver.url else { return nil }
        var settings = Upstream.Configuration(origin: url)
        settings.extraAuthorities = homeserver.caFile
        settings.timeout = homeserver.timeout
        settings.connections = homeserver.connections
        do {
            upstream = try Upstream(settings, group: MultiThreadedEventLoopGroup.singleton, logger: logger)
        } catch {
            throw StartFailure(
                "cannot use homeserver.ca_file; it must be PEM certificates",
                ["path": "\(homeserver.caFile ?? "")", "reason": "\(error)"])
        }
        var whoami = WhoamiTokens.Configuration()
        whoami.cache = homeserver.whoami.cache
        whoami.limit = homeserver.whoami.limit
        whoami.timeout = homeserver.whoami.timeout
        tokens = WhoamiTokens(
            server: configuration.serverName, upstream: upstream,
            forwarding: Forwarding(trustedProxies: homeserver.trustedProxies), runtime: runtime, configuration: whoami,
            clock: clock, logger: logger)
        self.runtime = runtime
        trustedProxies = homeserver.trustedProxies
    }

    /// The routes of the listener for clients.
    func routes(beside clients: ClientGateway) -> RouteTable {
        let passing = passing(scheme: "http")
        let others = ClientPassThrough(passing, tokens: tokens, runtime: runtime)
        let merged = MergedDocuments(passing: passing, gateway: clients)
        return RouteTable(clients.presenceRoutes + merged.routes) { request throws(MatrixErrorBody) in
            try await others.answer(request)
        }
    }

    /// The routes of the listener for other servers.
    func routes(beside servers: FederationGateway, scheme: String) -> RouteTable {
        let others = FederationPassThrough(passing(scheme: scheme), tap: FederationTap(servers))
        return RouteTable(servers.ownRoutes) { request throws(MatrixErrorBody) in try await others.answer(request) }
    }

    private func passing(scheme: String) -> PassThrough {
        PassThrough(upstream: upstream, forwarding: Forwarding(trustedProxies: trustedProxies, scheme: scheme))
    }
}
