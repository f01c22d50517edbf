import FixtureReplay
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A real HTTP server on a free loopback port, whose answers a closure gives.
final class LoopbackServer: Sendable {
    /// What it was asked.
    struct Asked: Sendable {
        var method: String
        var target: String
        var headers: HTTPHeaders
        var body: [UInt8]
    }

    typealias Answering = @Sendable (Asked) -> ReceivedAnswer

    let url: String
    private let channel: any Channel
    private let log: AskedLog

    /// Everything it was asked, in order.
    var asked: [Asked] { log.all }

    private init(channel: any Channel, log: AskedLog) {
        self.channel = channel
        self.log = log
        url = "http://127.0.0.1:\(channel.localAddress?.port ?? 0)"
    }

    /// Runs a server for as long as `body` does.
    static func serving<Result>(
        _ answering: @escaping Answering, _ body: (LoopbackServer) async throws -> Result
    ) async throws -> Result {
        let log = AskedLog()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Responder(answering, log: log))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = LoopbackServer(channel: channel, log: log)
        do {
            let result = try await body(server)
            try await channel.close()
            return result
        } catch {
            try? await channel.close()
            throw error
        }
    }
}

final class AskedLog: Sendable {
    private let entries = Mutex<[LoopbackServer.Asked]>([])

    var all: [LoopbackServer.Asked] { entries.withLock { $0 } }

    func note(_ asked: LoopbackServer.Asked) { entries.withLock { $0.append(asked) } }
}

private final class Responder: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let answering: LoopbackServer.Answering
    private let log: AskedLog
    private var current: LoopbackServer.Asked?

    init(_ answering: @escaping LoopbackServer.Answering, log: AskedLog) {
        self.answering = answering
        self.log = log
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            current = LoopbackServer.Asked(
                method: head.method.rawValue, target: head.uri, headers: head.headers, body: [])
        case .body(let part): current?.body += Array(part.readableBytesView)
        case .end:
            guard let asked = current else { return }
            log.note(asked)
            respond(answering(asked), to: asked, context)
        }
    }

    private func respond(_ answer: ReceivedAnswer, to asked: LoopbackServer.Asked, _ context: ChannelHandlerContext) {
        let headers: HTTPHeaders = ["Content-Length": "\(answer.body.count)"]
        let head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: answer.status), headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if asked.method != "HEAD" {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: answer.body)))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}
