import AdminGateway
import BridgeEngine
import BridgeGateway
import ClientGateway
import Logging
import PresenceModel
import PresenceRuntime
import PresenceStore
import SocialBridge
import SocialEngine

/// What a server needs to be a bridge: for each service an engine with its rows, between its two sides; the book of
/// credentials, the operator's files, and the endpoints.
struct BridgeParts: Sendable {
    /// The two sides of the bridge to one service.
    struct Sides: Sendable {
        var service: BridgeDestination
        var social: any SocialSide
        var matrix: any MatrixSide
        /// Hears whose links and choices are others than they were: see ``OverheardRows``.
        var follower: (@Sendable (SocialAddress) -> Void)?
    }

    let desk: RunningDesk
    let gateway: BridgeGateway
    private let runtimes: [(service: BridgeDestination, runtime: BridgeRuntime)]
    private let files: BridgeFiles

    /// `nil` where there is no bridge to an external service.
    /// - Parameter login: by the application service, where it is configured.
    /// - Throws: ``StartFailure`` if what was saved cannot be read.
    static func book(
        _ configuration: ServerConfiguration, store: PresenceStore, login: TokenLogin?, logger: Logger
    ) throws -> CredentialBook? {
        guard configuration.bridge.services.contains(.external) else { return nil }
        let saved = try reading(configuration) { try store.credentials { warn(of: $0, logger) } }
        return CredentialBook(
            form: configuration.bridge.generation == .v1 ? .tokens : .identities, saved: saved, keeping: store,
            login: configuration.bridge.login == .applicationService ? login : nil, wall: PresenceServer.wall)
    }

    /// Reads what was saved, and starts the engines; nothing is carried out before ``run()``. `nil` where the bridge is
    /// off.
    /// - Parameters:
    ///   - sides: of each service of `bridge.service`, in that order.
    ///   - book: the one that the external side asks.
    ///   - tokens: whose a Matrix token is, for the endpoints.
    /// - Throws: ``StartFailure`` if what was saved cannot be read.
    init?(
        _ configuration: ServerConfiguration, sides: [Sides], book: CredentialBook?, store: PresenceStore,
        tokens: any Authenticating, clock: AnchoredClock, logger: Logger
    ) async throws {
        guard !sides.isEmpty else { return nil }
        var bridges: [RunningDesk.Bridge] = []
        var runtimes: [(service: BridgeDestination, runtime: BridgeRuntime)] = []
        for side in sides {
            let service = side.service
            let rows = store.bridge(service)
            let saved = try BridgeParts.reading(configuration) {
                if service == .external, let identity = configuration.bridge.serviceIdentity {
                    BridgeParts.say(of: try rows.take(up: identity), now: identity, logger)
                }
                return try rows.load { BridgeParts.warn(of: $0, logger) }
            }
            let runtime = BridgeRuntime(
                engine: BridgeEngine(
                    server: configuration.serverName, configuration: configuration.bridgeConfiguration(for: service),
                    seed: UInt64.random(in: 0 ... .max)),
                clock: clock,
                journal: side.follower.map { OverheardRows(journal: rows, hear: $0) as any BridgeJournal } ?? rows,
                social: side.social, matrix: side.matrix
            ) { word in
                BridgeLogLine(word, service: service).write(to: logger)
                if let book, case .engine(.userForgotten(let user)) = word {
                    BridgeParts.forget(user, book, logger)
                }
            }
            await runtime.start(from: saved)
            runtimes.append((service, runtime))
            bridges.append(
                RunningDesk.Bridge(
                    setting: configuration.bridgeSetting(for: service, since: clock.now), runtime: runtime,
                    social: side.social))
        }
        self.runtimes = runtimes
        desk = RunningDesk(bridges, book: book)
        files = BridgeFiles(configuration, desk: desk, book: book, logger: logger)
        gateway = BridgeGateway(
            server: configuration.serverName, desk: desk, tokens: tokens, clock: clock, wall: PresenceServer.wall)
        // Links and tokens are there before anything is opened.
        await files.look()
    }

    /// What goes on beside the listeners, until it is cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            for (_, runtime) in runtimes { group.addTask { await runtime.run() } }
            group.addTask { await files.follow() }
        }
    }

    /// Nothing is decided any more; returns when nothing is being written. To be called before the store is closed.
    func stop() async {
        for (_, runtime) in runtimes { await runtime.stop() }
    }

    /// `nil`: there is no bridge to it.
    func runtime(of service: BridgeDestination) -> BridgeRuntime? { runtimes.first { $0.service == service }?.runtime }

    /// For the operator's metrics.
    var metrics: [Metric] {
        get async { BridgeReport.metrics(await desk.reports()) }
    }

    private static func reading<Value>(_ configuration: ServerConfiguration, _ read: () throws -> Value) throws -> Value
    {
        do {
            return try read()
        } catch {
            throw StartFailure(
                "cannot use the database; nothing was changed",
                ["path": "\(configuration.storeFilePath)", "reason": "\(error)"])
        }
    }

    /// Of whose account was closed, no secret stays.
    private static func forget(_ user: UserID, _ book: CredentialBook, _ logger: Logger) {
        Task {
            do {
                try await book.takeBack(of: user)
            } catch {
                logger.error(
                    "what a user handed over could not be removed, whose account was closed",
                    metadata: ["user": "\(user)", "reason": "\(error)"])
            }
        }
    }

    private static func say(of former: FormerService?, now identity: String, _ logger: Logger) {
        guard let former else { return }
        logger.notice(
            """
            the bridge leads to another service (bridge.url, bridge.generation): what was agreed with the former one is \
            left out; friendships in Matrix stay, and are asked for in this one
            """,
            metadata: [
                "was": "\(former.identity)", "is": "\(identity)", "friendships": "\(former.pairs)",
                "heartbeats": "\(former.beats)",
            ])
    }

    private static func warn(of skipped: SkippedRows, _ logger: Logger) {
        logger.warning(
            "rows of the database do not parse; they are left out, and left as they are",
            metadata: [
                "table": "\(skipped.table)", "count": "\(skipped.count)", "first": "\(skipped.firstKey)",
                "column": "\(skipped.firstColumn)",
            ])
    }
}

extension BridgeRows: BridgeJournal {}

extension PresenceStore: CredentialKeeping {}

extension ServerConfiguration {
    /// What the operator is told of the bridge to `service`.
    func bridgeSetting(for service: BridgeDestination, since: Instant) -> BridgeReport.Setting {
        let isExternal = service == .external
        return BridgeReport.Setting(
            service: service, url: isExternal ? bridge.url?.publicText : nil,
            generation: isExternal ? bridge.generation.rawValue : nil, matrix: bridge.matrix.rawValue, since: since)
    }
}
