import Foundation
import NIOCore
import NIOPosix
import NIOSSL

/// Another server that takes every transaction, and notes when it came.
final class LivingServer: Sendable {
    let port: Int
    let arrivals: Arrivals
    private let channel: any Channel
    private let group: MultiThreadedEventLoopGroup

    /// What arrived, from the event loop to who asks.
    actor Arrivals {
        struct Request: Sendable {
            var at: ContinuousClock.Instant
            var headBytes: Int
            var body: String
        }

        private(set) var requests: [Request] = []

        func add(_ request: Request) { requests.append(request) }

        /// When a body with `text` in it came.
        func arrival(of text: String) -> ContinuousClock.Instant? {
            requests.first { $0.body.contains(text) }?.at
        }
    }

    init(certificate: String, key: String) async throws {
        let chain = try NIOSSLCertificate.fromPEMFile(certificate).map { NIOSSLCertificateSource.certificate($0) }
        let tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain, privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
        let context = try NIOSSLContext(configuration: tls)
        let arrivals = Arrivals()
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        channel = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(NIOSSLServerHandler(context: context))
                    try pipeline.addHandler(LivingConnection { request in Task { await arrivals.add(request) } })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.arrivals = arrivals
        port = channel.localAddress?.port ?? 0
    }

    func stop() async {
        try? await channel.close()
        try? await group.shutdownGracefully()
    }
}

/// Answers 200 to whatever has a head and a body of the length that the head says.
private final class LivingConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let note: @Sendable (LivingServer.Arrivals.Request) -> Void
    private var read = ByteBuffer()

    init(note: @escaping @Sendable (LivingServer.Arrivals.Request) -> Void) { self.note = note }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        read.writeImmutableBuffer(unwrapInboundIn(data))
        let text = String(buffer: read)
        guard let end = text.range(of: "\r\n\r\n") else { return }
        let head = text[..<end.upperBound]
        let length = head.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
            .flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) }
        let needed = head.utf8.count + (length ?? 0)
        guard read.readableBytes >= needed else { return }
        note(.init(at: .now, headBytes: head.utf8.count, body: String(text[end.upperBound...])))
        read.clear()
        let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"pdus\":{}}"
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// A listener that takes connections and never says anything.
struct BlackHole {
    let port: Int
    private let channel: any Channel

    init() async throws {
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 4096)
            .childChannelOption(.autoRead, value: false)
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
    }

    func stop() async { try? await channel.close() }
}
