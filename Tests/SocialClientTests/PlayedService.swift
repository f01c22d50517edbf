import FoundationEssentials
import HummingbirdCore
import Logging
import MatrixHTTP
import NIOCore
import NIOPosix
import SocialTransport
import SocialWire
import Synchronization

/// A service whose procedures a test plays, on a real socket; it can go away and come back at the same address.
final class PlayedService: Sendable {
    let port: Int
    private let rpc: RPCService
    private let running: Task<Void, any Error>

    init(
        port: Int = 0, _ procedures: [RPCProcedure], _ adjust: (inout RPCService.Configuration) -> Void = { _ in }
    ) async throws {
        var configuration = RPCService.Configuration()
        adjust(&configuration)
        let rpc = RPCService(
            modules: [RPCModule("FriendshipsService", procedures)], configuration: configuration)
        let (ports, told) = AsyncStream.makeStream(of: Int.self)
        var logger = Logger(label: "played")
        logger.logLevel = .critical
        let listener = MatrixListener(
            host: "127.0.0.1", port: port,
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
        self.rpc = rpc
        self.running = running
        self.port = found
    }

    var url: String { "ws://127.0.0.1:\(port)/social" }

    /// Those that stand.
    var connections: Int { rpc.counts.connections }

    /// Returns when no connection stands any more; throws at the deadline.
    func isDeserted() async throws { try await PlayedService.comes { connections == 0 } }

    /// Returns when the condition holds; throws at the deadline.
    static func comes(_ condition: () async -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while await !condition() {
            guard ContinuousClock.now < deadline else { throw CancellationError() }
            let loop = MultiThreadedEventLoopGroup.singleton.any()
            try await loop.scheduleTask(in: .milliseconds(5)) {}.futureResult.get()
        }
    }

    /// Ends every connection, and listens no more.
    func leave() async {
        await rpc.close()
        running.cancel()
        _ = await running.result
    }
}

extension RPCProcedure {
    /// Answers the same to everybody.
    static func answers(_ name: String, _ answer: some SocialAnswer) -> RPCProcedure {
        RPCProcedure(name, .unary { _ in try answer.serializedBytes() })
    }

    /// Gives one element, says when the next one is wanted, and gives nothing for as long as somebody listens.
    static func breaksOff(
        _ name: String, behind element: some SocialAnswer, _ wanted: AsyncStream<Void>.Continuation
    ) -> RPCProcedure {
        RPCProcedure(
            name,
            .serverStream { _ in
                let isGiven = Mutex(false)
                return AsyncThrowingStream<Data, any Error> {
                    let isFirst = isGiven.withLock { isGiven in
                        defer { isGiven = true }
                        return !isGiven
                    }
                    if isFirst { return try element.bytes }
                    wanted.yield()
                    for await _ in AsyncStream<Void>.makeStream().stream {}
                    return nil
                }
            })
    }

    /// Gives these, and then nothing for as long as somebody listens; or ends.
    static func streams(_ name: String, _ elements: [any SocialAnswer], ends: Bool = false) -> RPCProcedure {
        RPCProcedure(
            name,
            .serverStream { _ in
                AsyncThrowingStream<Data, any Error> { continuation in
                    for element in elements { if let bytes = try? element.bytes { continuation.yield(bytes) } }
                    if ends { continuation.finish() }
                }
            })
    }
}
