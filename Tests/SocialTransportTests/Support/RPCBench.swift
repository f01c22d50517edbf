import Foundation
import HummingbirdCore
import HummingbirdTLS
import Logging
import MatrixHTTP
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle
import SocialTransport
import Synchronization
import Testing

/// A listener with a path of dcl-rpc and a route of HTTP, on a port of its own.
final class RPCBench: Sendable {
    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    let echo: EchoModule
    let service: RPCService
    let port: Int
    private let group: ServiceGroup
    private let running: Task<Void, any Error>
    private let ended: Ended

    final class Ended: Sendable {
        private let all = Mutex<[RPCSessionID]>([])

        var sessions: [RPCSessionID] { all.withLock { $0 } }

        func note(_ session: RPCSessionID) { all.withLock { $0.append(session) } }
    }

    /// - Parameter certificate: for TLS.
    init(
        modules: [RPCModule] = [], certificate: (certificate: String, key: String)? = nil,
        idleTimeout: Duration = .seconds(60), firstRequestLimit: Duration = .seconds(30),
        _ change: (inout RPCService.Configuration) -> Void = { _ in }
    ) async throws {
        var configuration = RPCService.Configuration()
        change(&configuration)
        let echo = EchoModule()
        let ended = Ended()
        let service = RPCService(modules: [echo.module] + modules, configuration: configuration) { ended.note($0) }
        var server = HTTPServerBuilder.bounded(
            idleTimeout: idleTimeout, webSockets: [service.webSocket(at: "/rpc")],
            firstRequestLimit: firstRequestLimit)
        if let certificate {
            let chain = try NIOSSLCertificate.fromPEMFile(certificate.certificate)
            let key = try NIOSSLPrivateKey(file: certificate.key, format: .pem)
            server = try .tls(
                server,
                tlsConfiguration: .makeServerConfiguration(
                    certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key)))
        }
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let listener = MatrixListener(
            host: "127.0.0.1", port: 0, server: server, group: MultiThreadedEventLoopGroup.singleton,
            routes: RouteTable([Route("GET", "/rpc") { _ in .json(Array("{}".utf8)) }]), origins: .sameOnly,
            logger: RPCBench.quiet
        ) { continuation.yield($0) }
        let group = ServiceGroup(
            configuration: .init(services: [.init(service: Listening(listener: listener))], logger: RPCBench.quiet))
        running = Task { try await group.run() }
        self.group = group
        self.echo = echo
        self.service = service
        self.ended = ended
        var iterator = ports.makeAsyncIterator()
        port = try #require(await iterator.next())
    }

    private struct Listening: Service {
        var listener: MatrixListener

        func run() async throws { try await listener.run() }
    }

    deinit { running.cancel() }

    /// As a signal does; returns when everything has ended.
    func stop() async throws {
        await group.triggerGracefulShutdown()
        try await running.value
    }

    var endedSessions: [RPCSessionID] { ended.sessions }

    /// A WebSocket whose SERVER_READY was read.
    func open() async throws -> PlainSocket {
        let socket = try await PlainSocket.open("/rpc", on: port)
        #expect(try await socket.message() == [0x0D, 0, 0, 0, 0x58])
        return socket
    }

    func client(_ change: (inout RPCClient.Configuration) -> Void = { _ in }) async throws -> RPCClient {
        var configuration = RPCClient.Configuration()
        change(&configuration)
        return try await RPCClient.connect(to: "ws://127.0.0.1:\(port)/rpc", configuration: configuration)
    }

    /// A client's module `echo`.
    func echoModule(of client: RPCClient) async throws -> RPCClientModule {
        try await client.port("main").module("echo")
    }

    /// Nothing is left of any connection.
    func isQuiet() async throws {
        try await waits { [service, echo] in
            let counts = service.counts
            return counts.connections == 0 && counts.calls == 0 && counts.streams == 0 && echo.sources.open == 0
        }
        try await waits { [self] in endedSessions.count == service.counts.connectionsOpened }
        #expect(Set(endedSessions).count == endedSessions.count)
    }
}

/// Looks every few milliseconds until it is so, or a deadline passes.
func waits(until isSo: @Sendable () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while try await !isSo() {
        try #require(ContinuousClock.now < deadline, "it did not come to that")
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        try await loop.scheduleTask(in: .milliseconds(5)) {}.futureResult.get()
    }
}
