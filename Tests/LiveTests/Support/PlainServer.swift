import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A plain HTTP server on a free loopback port, and the bodies of the requests that came in whole.
final class PlainServer: Sendable {
    struct Request: Sendable {
        var method: String
        /// As on the request line.
        var target: String
        var token: String?
        var body: ByteBuffer
    }

    typealias Answering = @Sendable (Request) -> (HTTPResponseStatus, ByteBuffer)

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

    /// - Parameter answering: by default with the request's own body.
    static func start(answering: @escaping Answering = { (.ok, $0.body) }) async throws -> PlainServer {
        let all = Taken()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Connection(all, answering))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return PlainServer(channel: channel, all: all)
    }

    /// The bodies, in the order in which they came to their end.
    var taken: [String] { all.bodies.withLock { $0 } }

    func waits(for body: String) async throws {
        try await waits("taken: \(body)") { self.taken.contains(body) }
    }

    /// Looks every few milliseconds until it is so, or the deadline passes.
    func waits(_ what: String, until isSo: @Sendable () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline {
            if try await isSo() { return }
            try await channel.eventLoop.scheduleTask(in: .milliseconds(10)) {}.futureResult.get()
        }
        throw Child.Failure(description: "\(what): not so after 30 s; taken: \(taken)")
    }

    func stop() async throws { try await channel.close() }

    private final class Connection: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let all: Taken
        private let answering: Answering
        private var head: HTTPRequestHead?
        private var body = ByteBuffer()

        init(_ all: Taken, _ answering: @escaping Answering) {
            self.all = all
            self.answering = answering
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                self.head = head
                body = ByteBuffer()
            case .body(let part): body.writeImmutableBuffer(part)
            case .end:
                guard let head else { return }
                all.bodies.withLock { $0.append(String(buffer: body)) }
                let (status, answer) = answering(
                    Request(
                        method: head.method.rawValue, target: head.uri,
                        token: head.headers.first(name: "Authorization"), body: body))
                let headers: HTTPHeaders = [
                    "Content-Length": "\(answer.readableBytes)", "Content-Type": "application/json",
                ]
                let response = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
                context.write(wrapOutboundOut(.head(response)), promise: nil)
                context.write(wrapOutboundOut(.body(.byteBuffer(answer))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
