import NIOCore
import NIOPosix

/// Why a connection to Redis is of no use.
struct RedisFailure: Error, Hashable, CustomStringConvertible {
    var description: String
}

/// One connection to Redis: commands in, replies out in their order; after a subscription, what is published.
final class RedisConnection: Sendable {
    /// Past this the connection ends: what was missed is to be read again.
    static let publishedWaiting = 100_000

    private let channel: any Channel
    private let handler: NIOLoopBound<RedisChannel>
    /// What is published to the connection's subscriptions; throws when the connection ends.
    let published: AsyncThrowingStream<RedisReply, any Error>

    private init(
        _ channel: any Channel, _ handler: NIOLoopBound<RedisChannel>,
        _ published: AsyncThrowingStream<RedisReply, any Error>
    ) {
        self.channel = channel
        self.handler = handler
        self.published = published
    }

    /// Connects, and logs in and picks the database if the URL says so.
    static func open(_ url: RedisURL, within limit: Duration) async throws -> RedisConnection {
        let (published, publishing) = AsyncThrowingStream.makeStream(
            of: RedisReply.self, bufferingPolicy: .bufferingOldest(publishedWaiting))
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(TimeAmount(limit))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
        let (channel, handler) = try await bootstrap.connect(host: url.host, port: url.port) { channel in
            channel.eventLoop.makeCompletedFuture {
                let handler = RedisChannel(publishing: publishing, answerLimit: TimeAmount(limit))
                try channel.pipeline.syncOperations.addHandler(handler)
                return (channel, NIOLoopBound(handler, eventLoop: channel.eventLoop))
            }
        }
        let connection = RedisConnection(channel, handler, published)
        var greetings: [[String]] = []
        if let password = url.password { greetings.append(["AUTH"] + [url.user].compactMap { $0 } + [password]) }
        if url.database != 0 { greetings.append(["SELECT", "\(url.database)"]) }
        do {
            if !greetings.isEmpty { _ = try await connection.send(greetings) }
        } catch {
            connection.close()
            throw error
        }
        return connection
    }

    /// Sends commands together.
    /// - Returns: a reply to each.
    /// - Throws: ``RedisFailure`` if one of them is an error, or what ended the connection.
    func send(_ commands: [[String]]) async throws -> [RedisReply] {
        let bytes = commands.flatMap { RedisCommand.encode($0.map { Array($0.utf8) }) }
        let replies = try await channel.eventLoop.flatSubmit { [handler, channel] in
            let promise = channel.eventLoop.makePromise(of: [RedisReply].self)
            handler.value.expect(commands.count, promise, on: channel)
            channel.writeAndFlush(channel.allocator.buffer(bytes: bytes), promise: nil)
            return promise.futureResult
        }.get()
        for case .error(let text) in replies { throw RedisFailure(description: text) }
        return replies
    }

    /// From now on the connection hears what is published on `channel`, in ``published``, and sends nothing else.
    func subscribe(to name: String) async throws {
        _ = try await send([["SUBSCRIBE", name]])
        try await channel.eventLoop.submit { [handler] in handler.value.isSubscribed = true }.get()
    }

    /// Of a connection that is subscribed: throws if nothing was heard since the last time it asked.
    func probe() async throws {
        let bytes = RedisCommand.encode([Array("PING".utf8)])
        try await channel.eventLoop.submit { [handler, channel] in
            guard handler.value.wasHeard else { throw RedisFailure(description: "no answer to a ping") }
            handler.value.wasHeard = false
            channel.writeAndFlush(channel.allocator.buffer(bytes: bytes), promise: nil)
        }.get()
    }

    func close() { channel.close(promise: nil) }
}

/// The connection's end of the pipeline; on its event loop.
private final class RedisChannel: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// Commands that were sent together.
    private struct Awaited {
        var missing: Int
        var replies: [RedisReply] = []
        var promise: EventLoopPromise<[RedisReply]>
        var limit: Scheduled<Void>
    }

    var isSubscribed = false
    var wasHeard = true
    private let reader = RedisReplyReader()
    private let publishing: AsyncThrowingStream<RedisReply, any Error>.Continuation
    private let answerLimit: TimeAmount
    private var awaited: CircularBuffer<Awaited> = []
    private var end: (any Error)?

    init(publishing: AsyncThrowingStream<RedisReply, any Error>.Continuation, answerLimit: TimeAmount) {
        self.publishing = publishing
        self.answerLimit = answerLimit
    }

    func expect(_ count: Int, _ promise: EventLoopPromise<[RedisReply]>, on channel: any Channel) {
        if let end { return promise.fail(end) }
        let limit = channel.eventLoop.assumeIsolated().scheduleTask(in: answerLimit) { [self] in
            finish(RedisFailure(description: "no answer in time"))
            channel.close(promise: nil)
        }
        awaited.append(Awaited(missing: count, promise: promise, limit: limit))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        wasHeard = true
        do {
            let replies = try unwrapInboundIn(data).withUnsafeReadableBytes { try reader.feed($0) }
            for reply in replies { take(reply) }
        } catch {
            finish(RedisFailure(description: "not the protocol of Redis"))
            context.close(promise: nil)
        }
    }

    private func take(_ reply: RedisReply) {
        guard !isSubscribed, !awaited.isEmpty else {
            if case .dropped = publishing.yield(reply) {
                finish(RedisFailure(description: "more was published than could be taken up"))
            }
            return
        }
        awaited[awaited.startIndex].replies.append(reply)
        awaited[awaited.startIndex].missing -= 1
        guard awaited[awaited.startIndex].missing == 0 else { return }
        let first = awaited.removeFirst()
        first.limit.cancel()
        first.promise.succeed(first.replies)
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(RedisFailure(description: "the connection was closed"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish(RedisFailure(description: "\(error)"))
        context.close(promise: nil)
    }

    private func finish(_ failure: RedisFailure) {
        guard end == nil else { return }
        end = failure
        for waiting in awaited {
            waiting.limit.cancel()
            waiting.promise.fail(failure)
        }
        awaited.removeAll()
        publishing.finish(throwing: failure)
    }
}
