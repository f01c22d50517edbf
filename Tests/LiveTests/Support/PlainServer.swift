import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A plain HTTP server on a free loopback port that answers every request with the request's own body, and remembers
/// the bodies of those that came in whole.
final class PlainServer: Sendable {
    private final class Taken: Sendable {
        let bodies = Mutex<[String]>([])
    }

    let port: Int
    private let channel: any Channel
    private let all: Taken

    private init(channel: any Channel, all: Taken) {
        self.channel = channel
        self.all = all
        port = channel.localAddress?.port ?? 0
    }

    static func start() async throws -> PlainServer {
        let all = Taken()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Echo(all))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return PlainServer(channel: channel, all: all)
    }

    /// The bodies, in the order in which they came to their end.
    var taken: [String] { all.bodies.withLock { $0 } }

    func waits(for body: String) async throws { try await waits { self.taken.contains(body) } }

    /// Looks every few milliseconds until it is so, or the deadline passes.
    func waits(until isSo: @Sendable () -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            if isSo() { return }
            try await channel.eventLoop.scheduleTask(in: .milliseconds(10)) {}.futureResult.get()
        }
        throw Child.Failure(description: "not so after 20 s; taken: \(taken)")
    }

    func stop() async throws { try await channel.close() }

    private final class Echo: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let all: Taken
        private var body = ByteBuffer()

        init(_ all: Taken) { self.all = all }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head: body = ByteBuffer()
            case .body(let part): body.writeImmutableBuffer(part)
            case .end:
                all.bodies.withLock { $0.append(String(buffer: body)) }
                let headers: HTTPHeaders = ["Content-Length": "\(body.readableBytes)"]
                let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
                context.write(wrapOutboundOut(.head(head)), promise: nil)
                context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
