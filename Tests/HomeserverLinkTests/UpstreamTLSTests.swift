import Foundation
import HomeserverLink
import LoopbackTLS
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Testing

@Suite(.timeLimit(.minutes(2))) struct `A homeserver behind TLS` {
    @Test func `is believed with a certificate of an authority that is trusted`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("link-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let authority = try PrivateAuthority(folder: folder)
        let files = try authority.issue(label: "homeserver", names: ["localhost"])
        let listener = try await listen(files)
        let origin = try HomeserverOrigin(parsing: "https://localhost:\(listener.localAddress?.port ?? 0)")
        var configuration = Upstream.Configuration(origin: origin)
        let group = MultiThreadedEventLoopGroup.singleton
        let stranger = try Upstream(configuration, group: group, logger: LinkBench.quiet)
        await #expect(throws: UpstreamError.self) { _ = try await stranger.send(Upstream.Call("GET", "/a")) }
        configuration.extraAuthorities = authority.path
        let upstream = try Upstream(configuration, group: group, logger: LinkBench.quiet)
        let answer = try await upstream.ask(Upstream.Call("GET", "/a"), within: .seconds(20), limit: 100)
        #expect(answer.status == 200)
        #expect(String(decoding: answer.body, as: UTF8.self) == "/a")
        configuration.extraAuthorities = files.key
        #expect(throws: (any Error).self) { try Upstream(configuration, group: group, logger: LinkBench.quiet) }
        try await listener.close()
    }

    /// Answers everything with its target.
    private func listen(_ files: PrivateAuthority.Files) async throws -> any Channel {
        let chain = try NIOSSLCertificate.fromPEMFile(files.certificate).map { NIOSSLCertificateSource.certificate($0) }
        let key = NIOSSLPrivateKeySource.privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem))
        let tls = try NIOSSLContext(configuration: .makeServerConfiguration(certificateChain: chain, privateKey: key))
        return try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(NIOSSLServerHandler(context: tls))
                    try pipeline.configureHTTPServerPipeline()
                    try pipeline.addHandler(Echo())
                }
            }.bind(host: "localhost", port: 0).get()
    }
}

private final class Echo: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = unwrapInboundIn(data) else { return }
        let fields = HTTPHeaders([("Content-Length", "\(head.uri.utf8.count)")])
        context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: .ok, headers: fields))), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: head.uri)))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
