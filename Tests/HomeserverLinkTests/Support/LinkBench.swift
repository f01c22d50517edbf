import ClientGateway
import FederationEngine
import HomeserverLink
import HummingbirdCore
import Logging
import MatrixFederation
import MatrixWire
import NIOCore
import NIOPosix
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Synchronization
import Testing

@testable import MatrixHTTP

/// presenced's listener for clients in front of a stub of a homeserver, over real sockets.
final class LinkBench: Sendable {
    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    let homeserver: StubHomeserver
    let upstream: Upstream
    let runtime: PresenceRuntime
    let tokens: WhoamiTokens
    let clock = HandClock()
    let port: Int
    private let server: Task<Void, any Error>
    private let count = Mutex(0)

    /// Requests sent by ``ask(_:answering:)``.
    var asked: Int { count.withLock { $0 } }

    /// - Parameter routes: those beside the pass-through.
    init(
        _ homeserver: StubHomeserver, timeout: Duration = .seconds(30),
        tokens settings: WhoamiTokens.Configuration = .init(),
        origins: MatrixListener.Origins = .any, logins: LoginAnswers = .passed
    ) async throws {
        self.homeserver = homeserver
        var configuration = Upstream.Configuration(
            origin: try HomeserverOrigin(parsing: "http://127.0.0.1:\(homeserver.port)"))
        configuration.timeout = timeout
        let group = MultiThreadedEventLoopGroup.singleton
        upstream = try Upstream(configuration, group: group, logger: LinkBench.quiet)
        let name = try ServerName(parsing: "x.org")
        let instance = PresenceInstance(
            presence: PresenceEngine(server: name, configuration: .init()),
            federation: FederationEngine(server: name, boot: 7, seed: 1))
        runtime = PresenceRuntime(instance: instance, clock: clock, journal: NoDisk(), delivery: NoNetwork(), boot: 7)
        await runtime.start(from: PresenceInstance.Snapshot())
        let forwarding = Forwarding(trustedProxies: [try #require(AddressRange(parsing: "127.0.0.0/8"))])
        tokens = WhoamiTokens(
            server: name, upstream: upstream, forwarding: forwarding, runtime: runtime, configuration: settings,
            clock: clock, logger: LinkBench.quiet)
        let clients = ClientGateway(
            server: name, runtime: runtime, tokens: tokens, configuration: .init(), clock: clock)
        let passing = ClientPassThrough(
            PassThrough(upstream: upstream, forwarding: forwarding), tokens: tokens, runtime: runtime,
            logins: logins)
        let merged = MergedDocuments(passing: PassThrough(upstream: upstream, forwarding: forwarding), gateway: clients)
        let routes = RouteTable(clients.presenceRoutes + merged.routes) { request throws(MatrixErrorBody) in
            try await passing.answer(request)
        }
        (port, server) = try await LinkBench.listen(routes, origins: origins)
    }

    deinit { server.cancel() }

    static func listen(
        _ routes: RouteTable, origins: MatrixListener.Origins
    ) async throws -> (Int, Task<Void, any Error>) {
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let listener = MatrixListener(
            host: "127.0.0.1", port: 0, server: .bounded(idleTimeout: .seconds(60), passesOn: true),
            group: MultiThreadedEventLoopGroup.singleton, routes: routes, origins: origins, mark: "client x.org 1",
            logger: quiet
        ) { port in continuation.yield(port) }
        let server = Task { try await listener.run() }
        var iterator = ports.makeAsyncIterator()
        return (try #require(await iterator.next()), server)
    }

    func connect() async throws -> Wire { try await Wire.connect(to: port) }

    /// One request on a connection of its own.
    func ask(_ text: String, answering method: String = "GET") async throws -> Wire.Message {
        let wire = try await connect()
        defer { wire.close() }
        try await wire.send(text.replacing("\n", with: "\r\n"))
        count.withLock { $0 += 1 }
        return try #require(await wire.message(answering: method))
    }

    func get(_ target: String, token: String? = nil) async throws -> Wire.Message {
        let authorization = token.map { "Authorization: Bearer \($0)\n" } ?? ""
        return try await ask("GET \(target) HTTP/1.1\nHost: x.org\n\(authorization)\n")
    }
}

/// Looks every few milliseconds until it is so, or a deadline passes.
func waits(until isSo: @Sendable () async -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while await !isSo() {
        try #require(ContinuousClock.now < deadline, "it did not come to that")
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        try await loop.scheduleTask(in: .milliseconds(5)) {}.futureResult.get()
    }
}

/// A clock that stands until it is moved by hand.
final class HandClock: PresenceClock {
    private let instant = Mutex(Instant(millisecondsSinceEpoch: 1_700_000_000_000))

    var now: Instant { instant.withLock { $0 } }

    func move(by duration: Duration) { instant.withLock { $0 = $0 + duration } }
}

private struct NoDisk: Journal {
    func append(_ records: [PresenceInstance.Record]) {}

    func settle() async throws {}
}

private struct NoNetwork: TransactionDelivery {
    func deliver(_ transaction: OutgoingTransaction) async -> DeliveryOutcome { .failed(.unanswered(after: nil)) }
}
