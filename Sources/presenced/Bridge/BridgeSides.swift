import BridgeEngine
import ClientGateway
import HomeserverLink
import Logging
import PresenceModel
import PresenceRuntime
import PresenceStore
import SocialBridge
import SocialClient
import SocialEngine
import Synchronization

/// What the bridge hears from the first moment on, before its engines are there.
struct BridgeHearing: Sendable {
    /// Of local users, from our own engine.
    let watch: LocalUserWatch
    /// What the homeserver tells of presence, for each service; none where presenced itself knows.
    let inboxes: [PresenceInbox]
    /// Who takes part in the bridge to the embedded service.
    let members = EmbeddedMembers()

    /// `nil` where the bridge is off.
    init?(_ configuration: ServerConfiguration) {
        let services = configuration.bridge.services
        guard !services.isEmpty else { return nil }
        watch = LocalUserWatch(followers: services.count)
        inboxes =
            configuration.bridge.matrix == .homeserver
            ? services.map { _ in PresenceInbox(server: configuration.serverName) } : []
    }

    /// Who is to hear what the homeserver tells.
    var presences: (any PresenceHearing)? { inboxes.isEmpty ? nil : PresenceInboxes(inboxes) }
}

/// Puts the two sides of each service together, out of what the server has.
struct BridgeBuilder {
    let configuration: ServerConfiguration
    let hearing: BridgeHearing
    let store: PresenceStore
    let presence: PresenceRuntime
    let homeserver: HomeserverParts?
    let social: SocialParts?
    let clock: AnchoredClock
    let logger: Logger

    private let profiles = SocialProfiles()
    private let lateEngine = LateEngine()

    init(
        _ configuration: ServerConfiguration, hearing: BridgeHearing, store: PresenceStore, presence: PresenceRuntime,
        homeserver: HomeserverParts?, social: SocialParts?, clock: AnchoredClock, logger: Logger
    ) {
        self.configuration = configuration
        self.hearing = hearing
        self.store = store
        self.presence = presence
        self.homeserver = homeserver
        self.social = social
        self.clock = clock
        self.logger = logger
    }

    /// - Parameter tokens: whose a Matrix token is.
    /// - Throws: ``StartFailure``.
    func build(tokens: any Authenticating) async throws -> BridgeParts? {
        try checkGhosts()
        let book = try BridgeParts.book(configuration, store: store, login: login, logger: logger)
        var sides: [BridgeParts.Sides] = []
        for (place, service) in configuration.bridge.services.enumerated() {
            guard let social = socialSide(service, book) else { continue }
            let side = BridgeParts.Sides(
                service: service, social: social, matrix: try matrixSide(service, place),
                follower: service == .embedded ? self.social?.reconsider : nil)
            sides.append(side)
        }
        let parts = try await BridgeParts(
            configuration, sides: sides, book: book, store: store, tokens: tokens, clock: clock, logger: logger)
        if let runtime = parts?.runtime(of: .external) { lateEngine.ask(runtime) }
        if let runtime = parts?.runtime(of: .embedded) { hearing.members.ask(runtime) }
        return parts
    }

    /// Whoever could take a ghost's name would be taken for somebody's friend.
    private func checkGhosts() throws(StartFailure) {
        guard let registration = homeserver?.applicationService?.registration else { return }
        for service in configuration.bridge.services {
            let prefix = configuration.bridgeConfiguration(for: service).ghostPrefix
            guard let problem = registration.problem(ofUsersWith: prefix, at: configuration.serverName) else {
                continue
            }
            throw StartFailure("the bridge cannot have ghosts", ["reason": "\(problem)"])
        }
    }

    // MARK: The social side

    private func socialSide(_ service: BridgeDestination, _ book: CredentialBook?) -> (any SocialSide)? {
        switch service {
        case .embedded: return social.map { EmbeddedSide($0.runtime) }
        case .external: return book.flatMap { book in external.map { ExternalSide($0, credentials: book) } }
        }
    }

    private var external: (any BridgedService)? {
        let bridge = configuration.bridge
        guard let url = bridge.url else { return nil }
        let now = PresenceServer.wall
        var client = SocialClient.Configuration(url: url.text)
        client.trustedCertificates = bridge.caFile
        switch bridge.generation {
        case .v1:
            var connections = SharedConnections.Configuration()
            connections.connectionsLimit = bridge.connections
            connections.usersPerConnection = bridge.usersPerConnection
            return FirstGeneration(client, connections: connections, now: now)
        case .v2: return SecondGeneration(client, connectionsLimit: bridge.connections, now: now)
        case .production:
            var settings = ProductionService.Configuration(url: url.text)
            settings.client.trustedCertificates = bridge.caFile
            settings.sessionsLimit = bridge.connections
            return ProductionService(settings, profiles: profiles, now: now) { [lateEngine] user in
                await lateEngine.acquaintances(of: user)
            }
        }
    }

    private var login: TokenLogin? {
        guard let homeserver, let service = homeserver.applicationService else { return nil }
        let logins = ApplicationServiceLogins(registration: service.registration, homeserver: homeserver.upstream)
        return TokenLogin { user async throws(CredentialTrouble) in
            do throws(HomeserverTrouble) {
                return try await logins.token(for: user)
            } catch {
                if case .refused = error.code { throw .refused(error.message) }
                throw .unavailable(error.message)
            }
        } forget: { user, token in
            await logins.forget(user, token)
        }
    }

    // MARK: Matrix

    private func matrixSide(_ service: BridgeDestination, _ place: Int) throws -> any MatrixSide {
        let users = homeserver.flatMap { homeserver in
            homeserver.applicationService.map {
                ApplicationServiceUsers(registration: $0.registration, homeserver: homeserver.upstream)
            }
        }
        let ghosts: any GhostMaking =
            users.map { users in
                let isKnown = service == .external
                return HomeserverGhosts(
                    users: users, names: { [profiles] in isKnown ? profiles.name(of: $0) : nil },
                    renamed: isKnown ? profiles.renamed : AsyncStream { $0.finish() },
                    ghosts: { [lateEngine] in await lateEngine.ghost(of: $0) })
            } ?? GhostsWithoutAccounts()
        // Whoever is in our own world is shown in it already, by whoever runs it.
        let showsWorld = service == .external
        let ghostRule = GhostRule(
            server: configuration.serverName, prefix: configuration.bridgeConfiguration(for: service).ghostPrefix)
        guard let users, !hearing.inboxes.isEmpty else {
            var settings = PresencedSide.Configuration()
            settings.showsWorld = showsWorld
            return try PresencedSide(
                presence: presence, watch: hearing.watch, ghosts: ghosts, ghostRule: ghostRule,
                configuration: settings)
        }
        return try HomeserverSide(
            presence: presence, watch: hearing.watch, inbox: hearing.inboxes[place], users: users, ghosts: ghosts,
            ghostRule: ghostRule, showsWorld: showsWorld, clock: clock)
    }
}

/// Asks an engine that is there only later: whoever is asked before knows nobody.
private final class LateEngine: Sendable {
    private let runtime = Mutex<BridgeRuntime?>(nil)

    func ask(_ runtime: BridgeRuntime) { self.runtime.withLock { $0 = runtime } }

    func ghost(of address: SocialAddress) async -> UserID? {
        guard let runtime = runtime.withLock({ $0 }) else { return nil }
        return await runtime.read { engine, _ in engine.ghost(of: address) }
    }

    func acquaintances(of user: SocialAddress) async -> [SocialAddress] {
        guard let runtime = runtime.withLock({ $0 }) else { return [] }
        return await runtime.read { engine, _ in engine.socialAcquaintances(of: user) }
    }
}
