import MatrixWire
import NIOCore
import NIOHTTP1
import NIOPosix

/// A client with one keep-alive connection and at most one request under way; it times its answers itself.
final class SyncClient: Sendable {
    struct Answer: Sendable {
        var status = 0
        var body = ByteBuffer()
        /// From the request to the last byte.
        var time = TimeAmount.zero

        var milliseconds: Double { Double(time.nanoseconds) / 1e6 }
    }

    private let channel: any Channel
    private let connection: NIOLoopBound<SyncConnection>

    private init(_ channel: any Channel, _ connection: NIOLoopBound<SyncConnection>) {
        self.channel = channel
        self.connection = connection
    }

    static func connect(to port: Int, on loop: any EventLoop) async throws -> SyncClient {
        let channel = try await ClientBootstrap(group: loop)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(30))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(SyncConnection())
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        let connection = try await channel.eventLoop.submit {
            let connection = try channel.pipeline.syncOperations.handler(type: SyncConnection.self)
            return NIOLoopBound(connection, eventLoop: channel.eventLoop)
        }.get()
        return SyncClient(channel, connection)
    }

    /// Asks; the answer comes later.
    func ask(
        _ method: HTTPMethod, _ target: String, token: String, body: JSONValue? = nil
    ) -> EventLoopFuture<Answer> {
        let bytes = body.map { ByteBuffer(bytes: CanonicalJSON.encode($0)) }
        var headers: HTTPHeaders = [
            "Host": ServerUnderTest.name, "Authorization": "Bearer \(token)", "User-Agent": "Laboratory/1.0",
            "Accept": "*/*", "Accept-Encoding": "gzip, deflate",
        ]
        if let bytes { headers.add(name: "Content-Length", value: "\(bytes.readableBytes)") }
        let head = HTTPRequestHead(version: .http1_1, method: method, uri: target, headers: headers)
        let (channel, connection) = (channel, connection)
        return channel.eventLoop.flatSubmit { connection.value.ask(head, bytes, on: channel) }
    }

    func close() async { try? await channel.close() }
}

private final class SyncConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private var sent = NIODeadline.now()
    private var answer = SyncClient.Answer()
    private var waiting: EventLoopPromise<SyncClient.Answer>?

    func ask(
        _ head: HTTPRequestHead, _ body: ByteBuffer?, on channel: any Channel
    ) -> EventLoopFuture<SyncClient.Answer> {
        let promise = channel.eventLoop.makePromise(of: SyncClient.Answer.self)
        guard waiting == nil, channel.isActive else {
            promise.fail(LabError("the connection is closed, or in use"))
            return promise.futureResult
        }
        waiting = promise
        answer = SyncClient.Answer()
        sent = .now()
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        if let body { channel.write(HTTPClientRequestPart.body(.byteBuffer(body)), promise: nil) }
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        return promise.futureResult
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): answer.status = Int(head.status.code)
        case .body(let part): answer.body.writeImmutableBuffer(part)
        case .end:
            answer.time = .now() - sent
            let promise = waiting
            waiting = nil
            promise?.succeed(answer)
        }
    }

    func channelInactive(context: ChannelHandlerContext) { fail(LabError("the server closed the connection")) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(error)
        context.close(promise: nil)
    }

    private func fail(_ error: any Error) {
        waiting?.fail(error)
        waiting = nil
    }
}
