import ClientGateway
import HomeserverLink
import Logging
import MatrixFederation
import MatrixHTTP
import MatrixWire
import NIOPosix
import PresenceModel
import PresenceRuntime

/// What a server needs to stand in front of a homeserver.
struct HomeserverParts: Sendable {
    let upstream: Upstream
    let tokens: WhoamiTokens
    /// `nil` without an application service.
    let applicationService: ApplicationServiceParts?
    private let runtime: PresenceRuntime
    private let journal: any Journal
    private let cursors: [(key: DeviceKey, cursors: [SyncCursors.Cursor])]
    private let syncConfiguration: SyncGateway.Configuration
    private let clock: AnchoredClock
    private let trustedProxies: [AddressRange]
    private let logins: LoginAnswers

    /// `nil` where presenced runs by itself.
    /// - Parameters:
    ///   - snapshot: what an earlier run left.
    ///   - presences: hears what the homeserver tells of presence.
    /// - Throws: ``StartFailure``.
    init?(
        _ configuration: ServerConfiguration, runtime: PresenceRuntime, journal: any Journal,
        from snapshot: PresenceInstance.Snapshot, presences: (any PresenceHearing)?, clock: AnchoredClock,
        logger: Logger
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
        applicationService = try ApplicationServiceParts(
            configuration, upstream: upstream, runtime: runtime, journal: journal, saved: snapshot.homeserver,
            presences: presences, clock: clock, logger: logger)
        self.runtime = runtime
        self.journal = journal
        self.clock = clock
        cursors = snapshot.syncCursors
        var sync = SyncGateway.Configuration()
        sync.cursors = homeserver.sync.cursors
        sync.earlyWake = homeserver.sync.earlyWake
        syncConfiguration = sync
        trustedProxies = homeserver.trustedProxies
        logins = configuration.loginAnswers
    }

    /// The routes of the listener for clients.
    /// - Parameter own: further endpoints that are not the homeserver's.
    func routes(beside clients: ClientGateway, and own: [Route]) -> RouteTable {
        let passing = passing(scheme: "http")
        let others = ClientPassThrough(passing, tokens: tokens, runtime: runtime, logins: logins)
        let merged = MergedDocuments(passing: passing, gateway: clients)
        let syncs = SyncGateway(
            pass: passing, tokens: tokens, client: clients, runtime: runtime, journal: journal, restoring: cursors,
            configuration: syncConfiguration, clock: clock)
        return RouteTable(clients.presenceRoutes + merged.routes + syncs.routes + own) {
            request throws(MatrixErrorBody) in
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
