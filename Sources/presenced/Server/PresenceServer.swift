import ClientGateway
import Foundation
import HummingbirdCore
import Logging
import MatrixFederation
import MatrixHTTP
import NIOPosix
import PresenceModel
import PresenceRuntime
import PresenceStore
import ServiceLifecycle

/// One server, put together from its parts: store, engines, shells, listeners. No rules in here.
struct PresenceServer: Sendable {
    let configuration: ServerConfiguration
    let runtime: PresenceRuntime
    /// `nil` beside a homeserver, which knows whose a token is.
    let tokens: TokenSource?
    let listeners: Listeners
    /// `nil` where the social service is switched off.
    let social: SocialParts?
    /// `nil` where the bridge is switched off.
    let bridge: BridgeParts?
    private let store: PresenceStore
    private let federation: FederationParts?
    private let homeserver: HomeserverParts?
    private let logger: Logger

    /// Opens and reads everything, and starts the engines; nothing listens yet.
    /// - Throws: ``StartFailure``.
    static func prepare(_ configuration: ServerConfiguration, logger: Logger) async throws -> PresenceServer {
        try makeFolder(configuration.dataDirectory)
        let clock = AnchoredClock(wallMilliseconds: wallMilliseconds())
        let tokens = configuration.homeserver.url == nil ? try openTokens(configuration) : nil
        let (store, boot, snapshot) = try openStore(configuration, logger: logger)
        let federation = try FederationParts(configuration, clock: clock, logger: logger)
        let sender = configuration.federation.send ? federation?.sender : nil
        let concealment = ConcealmentWatch(
            store, of: configuration.serverName, from: snapshot.presence.statuses)
        let hearing = BridgeHearing(configuration)
        let runtime = PresenceRuntime(
            instance: configuration.instance(boot: boot, seed: UInt64.random(in: 0 ... .max)), clock: clock,
            journal: configuration.social.enabled ? concealment : store, delivery: sender ?? NoDelivery(), boot: boot,
            listener: hearing?.watch)
        await runtime.start(from: snapshot)
        let homeserver = try HomeserverParts(
            configuration, runtime: runtime, journal: store, from: snapshot, presences: hearing?.presences,
            clock: clock, logger: logger)
        if let tokens { await introduceUsers(of: tokens, to: runtime, configuration, logger) }
        guard let authenticating: any Authenticating = homeserver?.tokens ?? tokens else {
            preconditionFailure("tokens are known to a file or to a homeserver")
        }
        let social = try await SocialParts(
            configuration, store: store, presence: runtime, concealment: concealment, tokens: authenticating,
            homeserver: homeserver, textForm: configuration.bridge.statusText,
            bridged: { [members = hearing?.members] in await members?.privacy(of: $0, at: $1) }, clock: clock,
            logger: logger)
        var bridge: BridgeParts?
        if let hearing {
            bridge = try await BridgeBuilder(
                configuration, hearing: hearing, store: store, presence: runtime, homeserver: homeserver,
                social: social, clock: clock, logger: logger
            ).build(tokens: authenticating)
        }
        let listeners = try Listeners(
            configuration, runtime: runtime, tokens: authenticating, homeserver: homeserver, federation: federation,
            social: social, bridge: bridge,
            metrics: { [bridge] in store.tally.metrics + (await bridge?.metrics ?? []) }, clock: clock, logger: logger)
        return PresenceServer(
            configuration: configuration, runtime: runtime, tokens: tokens, listeners: listeners, social: social,
            bridge: bridge,
            store: store, federation: federation, homeserver: homeserver, logger: logger)
    }

    private static func introduceUsers(
        of tokens: TokenSource, to runtime: PresenceRuntime, _ configuration: ServerConfiguration, _ logger: Logger
    ) async {
        if tokens.strangers > 0 {
            logger.warning(
                "the token file holds tokens of users of another server, which open nothing; was server_name changed?",
                metadata: ["count": "\(tokens.strangers)", "server_name": "\(configuration.serverName)"])
        }
        for user in tokens.users { await runtime.submit(.presence(.userKnown(user))) }
    }

    /// Runs until SIGTERM or SIGINT, or until `stop` returns.
    /// - Parameter stop: for a server inside another program, which keeps the signals.
    func run(until stop: (@Sendable () async -> Void)? = nil) async throws {
        let group = ServiceGroup(
            configuration: .init(
                services: services.map { .init(service: $0) },
                gracefulShutdownSignals: stop == nil ? [.sigterm, .sigint] : [], logger: quietLogger))
        let stopper = stop.map { stop in
            Task {
                await stop()
                await group.triggerGracefulShutdown()
            }
        }
        defer { stopper?.cancel() }
        logger.info(
            "starting", metadata: ["server_name": "\(configuration.serverName)", "version": "\(Presenced.version)"])
        do {
            try await group.run()
        } catch let error as ListenFailure {
            throw StartFailure(
                "cannot listen; nothing was changed; is another program on the port, or the address not ours?",
                ["listener": "\(error.name)", "reason": "\(error.reason)"])
        }
        logger.info("stopped; everything is on disk")
    }

    /// In the order of their start; they stop in the reverse order: streams, listeners, and last the engines.
    private var services: [any Service] {
        var services: [any Service] = [
            Part { [runtime, store, federation, homeserver, social, bridge] in
                try? await gracefulShutdown()
                await bridge?.stop()
                await social?.runtime.stop()
                try await runtime.stop()
                try await store.close()
                try await federation?.transport.shutdown()
                try await homeserver?.upstream.shutdown()
            }
        ]
        if let census = homeserver?.applicationService?.census {
            services.append(
                Part {
                    await cancelWhenGracefulShutdown { await census.run() }
                    // A part that ends ends the server, also one that found nothing to do.
                    try? await gracefulShutdown()
                })
        }
        if let social {
            services.append(
                Part {
                    await cancelWhenGracefulShutdown { await social.run() }
                    try? await gracefulShutdown()
                })
        }
        if let bridge {
            services.append(
                Part {
                    await cancelWhenGracefulShutdown { await bridge.run() }
                    try? await gracefulShutdown()
                })
        }
        for listener in listeners.all {
            services.append(
                Part {
                    do {
                        try await listener.listener.run()
                    } catch {
                        throw ListenFailure(name: listener.name, reason: "\(error)")
                    }
                })
        }
        services.append(Part { try await followFiles() })
        services.append(
            Part { [runtime, homeserver, social] in
                try? await gracefulShutdown()
                await social?.rpc.close()
                homeserver?.upstream.endWaits()
                await runtime.endStreams()
            })
        return services
    }

    /// Once a second: takes up changes of the token file, ends what revoked tokens have open, and says, once, when
    /// the disk does not take what is to be kept.
    private func followFiles() async throws {
        await cancelWhenGracefulShutdown {
            var saidOfStore: String?
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(1))
                let failure = store.tally.latestFailure.map { "\($0)" }
                if let failure, failure != saidOfStore {
                    logger.error(
                        "the database could not be written; what is to be kept is in memory and tried again",
                        metadata: ["reason": "\(failure)"])
                }
                saidOfStore = failure
                if let tokens { await follow(tokens) }
                federation?.followKeys(logger)
            }
        }
    }

    private func follow(_ tokens: TokenSource) async {
        let change = tokens.refresh()
        for key in change.vanished { await runtime.submit(.presence(.deviceRevoked(key))) }
        for user in change.arrived { await runtime.submit(.presence(.userKnown(user))) }
        if let problem = change.problem {
            logger.error(
                "the token file changed and cannot be used; the tokens of before hold until it is mended",
                metadata: ["reason": "\(problem)"])
        }
    }

    private var quietLogger: Logger {
        var quiet = logger
        quiet.logLevel = .warning
        return quiet
    }
}

/// One thing that runs as long as the server.
private struct Part: Service {
    let operation: @Sendable () async throws -> Void

    init(_ operation: @escaping @Sendable () async throws -> Void) { self.operation = operation }

    func run() async throws { try await operation() }
}

private struct ListenFailure: Error {
    var name: String
    var reason: String
}

extension PresenceServer {
    /// What is signed, and what expires, goes by this clock, not by the one that never jumps.
    static let wall: @Sendable () -> Instant = { Instant(millisecondsSinceEpoch: wallMilliseconds()) }

    static func wallMilliseconds() -> Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    private static func makeFolder(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw StartFailure(
                "cannot make the data folder; set data_directory to a folder that may be written",
                ["path": "\(path)", "reason": "\(error.localizedDescription)"])
        }
    }

    private static func openTokens(_ configuration: ServerConfiguration) throws -> TokenSource {
        do throws(TokenFileError) {
            return try TokenSource(
                file: TokenFile(path: configuration.tokenFilePath), server: configuration.serverName)
        } catch {
            throw StartFailure("cannot use the token file; it was left as it is", ["reason": "\(error)"])
        }
    }

    private static func openStore(
        _ configuration: ServerConfiguration, logger: Logger
    ) throws -> (PresenceStore, UInt64, PresenceInstance.Snapshot) {
        do {
            let store = try PresenceStore(
                path: configuration.storeFilePath,
                configuration: configuration.storeConfiguration)
            let boot = try store.nextBoot()
            let snapshot = try store.load { skipped in
                logger.warning(
                    "rows of the database do not parse; they are left out, and left as they are",
                    metadata: [
                        "table": "\(skipped.table)", "count": "\(skipped.count)", "first": "\(skipped.firstKey)",
                        "column": "\(skipped.firstColumn)",
                    ])
            }
            return (store, boot, snapshot)
        } catch {
            throw StartFailure(
                "cannot use the database; nothing was changed",
                ["path": "\(configuration.storeFilePath)", "reason": "\(error)"])
        }
    }
}
