import LoopbackTLS
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// A server that speaks HTTP over TLS on the loopback address, and answers as it is told.
final class LoopbackHTTPS: Sendable {
    struct Request: Hashable, Sendable {
        var method: String
        var target: String
        var host: String
        var body: String
    }

    enum Response: Sendable {
        case answer(Int, [String: String], String)
        /// Nothing comes, ever.
        case silence
        /// A head that promises a body, of which one byte comes.
        case stall
        /// The connection is closed without a word.
        case hangUp

        static func answer(_ status: Int, _ body: String) -> Response { .answer(status, [:], body) }
    }

    private struct Record {
        var requests: [Request] = []
        var connections = 0
        var open: [any Channel] = []
    }

    private let record = Mutex(Record())
    private let listener = Mutex<(any Channel)?>(nil)

    /// - Parameter address: one of 127.0.0.0/8.
    init(
        _ files: PrivateAuthority.Files, address: String = "127.0.0.1",
        respond: @escaping @Sendable (Request) -> Response
    ) async throws {
        let chain = try NIOSSLCertificate.fromPEMFile(files.certificate).map { NIOSSLCertificateSource.certificate($0) }
        let key = NIOSSLPrivateKeySource.privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem))
        let tls = try NIOSSLContext(
            configuration: .makeServerConfiguration(certificateChain: chain, privateKey: key))
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { [weak self] channel in
                self?.record.withLock { record in
                    record.connections += 1
                    record.open.append(channel)
                }
                return channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(NIOSSLServerHandler(context: tls))
                    try pipeline.configureHTTPServerPipeline()
                    try pipeline.addHandler(
                        Responding { request in
                            self?.record.withLock { $0.requests.append(request) }
                            return respond(request)
                        })
                }
            }.bind(host: address, port: 0).get()
        listener.withLock { $0 = channel }
    }

    deinit { stop() }

    var port: Int { listener.withLock { $0?.localAddress?.port } ?? 0 }
    var requests: [Request] { record.withLock { $0.requests } }
    /// How many connections were made to it.
    var connections: Int { record.withLock { $0.connections } }

    /// Closes the connections there are, and waits until they are closed; it goes on listening.
    func hangUp() async throws {
        for channel in record.withLock({ $0.open }) where channel.isActive { try await channel.close().get() }
    }

    func stop() { listener.withLock { $0?.close(promise: nil) } }
}

private final class Responding: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let respond: (LoopbackHTTPS.Request) -> LoopbackHTTPS.Response
    private var head: HTTPRequestHead?
    private var body = ""

    init(_ respond: @escaping (LoopbackHTTPS.Request) -> LoopbackHTTPS.Response) { self.respond = respond }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = ""
        case .body(let bytes): body += String(buffer: bytes)
        case .end:
            guard let head else { return }
            let request = LoopbackHTTPS.Request(
                method: head.method.rawValue, target: head.uri, host: head.headers.first(name: "Host") ?? "",
                body: body)
            answer(respond(request), context)
        }
    }

    private func answer(_ response: LoopbackHTTPS.Response, _ context: ChannelHandlerContext) {
        func write(_ status: Int, _ fields: [String: String], _ body: String, length: Int, isWhole: Bool) {
            var headers = HTTPHeaders(fields.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
            headers.add(name: "Content-Length", value: "\(length)")
            let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
            if isWhole { context.write(wrapOutboundOut(.end(nil)), promise: nil) }
            context.flush()
        }
        switch response {
        case .answer(let status, let fields, let body):
            write(status, fields, body, length: body.utf8.count, isWhole: true)
        case .silence: break
        case .stall: write(200, [:], "{", length: 1000, isWhole: false)
        case .hangUp: context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
