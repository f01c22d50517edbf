import MatrixWire
import NIOCore
import NIOHTTP1
import NIOPosix

/// Presence streams of many users, a connection each, that stay open; some of them are read.
struct PresenceStreams: Sendable {
    /// Connections that come at once.
    private static let portion = 100

    private let channels: [any Channel]

    /// - Parameters:
    ///   - reading: whether what that user is told is passed on; what others are told is thrown away.
    ///   - told: a user, and their status text.
    static func open(
        for users: [LabUser], at port: Int, reading: @escaping @Sendable (Int) -> Bool = { _ in false },
        told: @escaping @Sendable (_ user: String, _ status: String) -> Void
    ) async throws -> PresenceStreams {
        var channels: [any Channel] = []
        for start in stride(from: 0, to: users.count, by: portion) {
            channels += try await withThrowingTaskGroup(of: (any Channel).self) { group in
                for number in start..<min(start + portion, users.count) {
                    group.addTask {
                        try await open(users[number], port, reading(number) ? told : nil)
                    }
                }
                var opened: [any Channel] = []
                for try await channel in group { opened.append(channel) }
                return opened
            }
        }
        return PresenceStreams(channels: channels)
    }

    private static func open(
        _ user: LabUser, _ port: Int, _ told: (@Sendable (String, String) -> Void)?
    ) async throws -> any Channel {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let begun = loop.makePromise(of: Void.self)
        let channel = try await ClientBootstrap(group: loop)
            .connectTimeout(.seconds(60))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(StreamReader(begun, told))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        let headers: HTTPHeaders = [
            "Host": ServerUnderTest.name, "Authorization": "Bearer \(user.token)", "Accept": "text/event-stream",
        ]
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET,
            uri: "/_matrix/client/unstable/org.presenced/presence/stream", headers: headers)
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        try await begun.futureResult.get()
        return channel
    }

    func close() async {
        for channel in channels { try? await channel.close() }
    }
}

/// Reads server-sent events for those who want to know.
private final class StreamReader: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let begun: EventLoopPromise<Void>
    private let told: (@Sendable (String, String) -> Void)?
    private var text = ByteBuffer()

    init(_ begun: EventLoopPromise<Void>, _ told: (@Sendable (String, String) -> Void)?) {
        self.begun = begun
        self.told = told
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            if head.status == .ok {
                begun.succeed()
            } else {
                begun.fail(LabError("a presence stream was answered by \(head.status)"))
            }
        case .body(var part):
            guard told != nil else { return }
            text.writeBuffer(&part)
            read()
        case .end: break
        }
    }

    private func read() {
        while let end = text.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
            let length = end - text.readerIndex
            let line = text.readSlice(length: length).map { String(buffer: $0) } ?? ""
            text.moveReaderIndex(forwardBy: 1)
            guard line.hasPrefix("data: "),
                let event = try? JSONParser.strict.parse(Array(line.utf8.dropFirst(6))).value,
                let user = event["sender"]?.string
            else { continue }
            told?(user, event["content"]?["status_msg"]?.string ?? "")
        }
        text.discardReadBytes()
    }

    func channelInactive(context: ChannelHandlerContext) { begun.fail(LabError("a presence stream ended")) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        begun.fail(error)
        context.close(promise: nil)
    }
}
