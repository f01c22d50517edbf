import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A homeserver as syncing clients see it, on one thread: knows its users' tokens, holds a long-poll for the time that
/// was asked for, answers a first sync at length, and counts what it is asked.
final class PollingHomeserver: Sendable {
    /// What it was asked so far.
    struct Counts: Sendable {
        /// Syncs, held or quick.
        var syncs = 0
        /// Of them those that are held at this moment.
        var held = 0
        var whoami = 0
        /// Everything else.
        var others = 0
        /// Connections at this moment.
        var connections = 0
    }

    /// What the first sync of a client holds: some 200 kB.
    static let initialEvents = 200

    let port: Int
    private let channel: any Channel
    private let group: MultiThreadedEventLoopGroup
    private let desk: PollingDesk

    init(users: [LabUser]) async throws {
        let desk = PollingDesk(users)
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(PollingConnection(desk))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.desk = desk
        port = channel.localAddress?.port ?? 0
    }

    var counts: Counts { desk.counts }

    func stop() async {
        try? await channel.close()
        try? await group.shutdownGracefully()
    }

    /// The batch after `since`, so that whoever asks the same gets the same.
    static func batch(after since: String?) -> String { "s\((since.flatMap { Int($0.dropFirst()) } ?? 0) + 1)" }
}

/// What all connections share.
private final class PollingDesk: Sendable {
    private let users: [String: String]
    private let state = Mutex(PollingHomeserver.Counts())

    init(_ users: [LabUser]) {
        self.users = Dictionary(uniqueKeysWithValues: users.map { ("Bearer \($0.token)", $0.id) })
    }

    var counts: PollingHomeserver.Counts { state.withLock { $0 } }

    func note(_ change: (inout sending PollingHomeserver.Counts) -> Void) { state.withLock { change(&$0) } }

    /// The answer, and for how long it is held.
    func answer(_ head: HTTPRequestHead) -> (status: HTTPResponseStatus, body: String, wait: TimeAmount) {
        let parts = head.uri.split(separator: "?", maxSplits: 1)
        guard let user = head.headers["authorization"].first.flatMap({ users[$0] }) else {
            note { $0.others += 1 }
            return (.unauthorized, #"{"errcode":"M_UNKNOWN_TOKEN","error":"Invalid access token passed."}"#, .zero)
        }
        switch parts.first {
        case "/_matrix/client/v3/account/whoami":
            note { $0.whoami += 1 }
            return (.ok, #"{"user_id":"\#(user)","device_id":"LAB","is_guest":false}"#, .zero)
        case "/_matrix/client/v3/sync":
            note { $0.syncs += 1 }
            var query: [Substring: String] = [:]
            for pair in parts.dropFirst().first?.split(separator: "&") ?? [] {
                let parts = pair.split(separator: "=", maxSplits: 1)
                if parts.count == 2 { query[parts[0]] = String(parts[1]) }
            }
            let batch = PollingHomeserver.batch(after: query["since"])
            let wait = Int64(query["timeout"] ?? "") ?? 0
            if query["since"] == nil { return (.ok, PollingDesk.everything(batch), .zero) }
            return (.ok, wait > 0 ? PollingDesk.nothing(batch) : PollingDesk.message(batch), .milliseconds(wait))
        default:
            note { $0.others += 1 }
            return (.notFound, #"{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request"}"#, .zero)
        }
    }

    private static let keys =
        #""device_one_time_keys_count":{"signed_curve25519":50},"device_unused_fallback_key_types":["signed_curve25519"]"#

    private static func nothing(_ batch: String) -> String { #"{"next_batch":"\#(batch)",\#(keys)}"# }

    /// As to a client that holds nothing yet: `initialEvents` times some 1 kB of account data.
    private static func everything(_ batch: String) -> String {
        #"{"next_batch":"\#(batch)",\#(keys),"account_data":{"events":[\#(accountData)]}}"#
    }

    private static let accountData = (0..<PollingHomeserver.initialEvents).map { number in
        #"{"type":"localhost.lab.\#(number)","content":{"text":"\#(ciphertext)\#(ciphertext)"}}"#
    }.joined(separator: ",")

    /// One encrypted message and a receipt: some 1.2 kB.
    private static func message(_ batch: String) -> String {
        let room = "!room:\(ServerUnderTest.name)"
        let sender = "@someone:\(ServerUnderTest.name)"
        let event =
            #"{"type":"m.room.encrypted","sender":"\#(sender)","content":{"algorithm":"m.megolm.v1.aes-sha2","#
            + #""ciphertext":"\#(ciphertext)","session_id":"sessionsessionsession","device_id":"LAB"},"#
            + #""origin_server_ts":1700000000000,"unsigned":{"age":42},"event_id":"$\#(batch)-event"}"#
        let receipt =
            #"{"type":"m.receipt","content":{"$event":{"m.read":{"\#(sender)":{"ts":1700000000000}}}}}"#
        return #"{"next_batch":"\#(batch)",\#(keys),"rooms":{"join":{"\#(room)":{"timeline":{"events":[\#(event)],"#
            + #""prev_batch":"\#(batch)","limited":false},"state":{"events":[]},"account_data":{"events":[]},"#
            + #""ephemeral":{"events":[\#(receipt)]},"unread_notifications":{"notification_count":1,"#
            + #""highlight_count":0},"summary":{}}}}}"#
    }

    private static let ciphertext = String(repeating: "AwgAEnAbCdEf", count: 40)
}

/// One request after the other.
private final class PollingConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let desk: PollingDesk
    private var head: HTTPRequestHead?
    private var held: Scheduled<Void>?

    init(_ desk: PollingDesk) { self.desk = desk }

    func channelActive(context: ChannelHandlerContext) {
        desk.note { $0.connections += 1 }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body: break
        case .end:
            guard let head else { return }
            let answer = desk.answer(head)
            guard answer.wait > .zero else { return write(answer.status, answer.body, context) }
            desk.note { $0.held += 1 }
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            held = context.eventLoop.scheduleTask(in: answer.wait) {
                let (connection, context) = bound.value
                connection.letGo()
                connection.write(answer.status, answer.body, context)
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        desk.note { $0.connections -= 1 }
        held?.cancel()
        letGo()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func letGo() {
        if held != nil { desk.note { $0.held -= 1 } }
        held = nil
    }

    private func write(_ status: HTTPResponseStatus, _ body: String, _ context: ChannelHandlerContext) {
        let headers: HTTPHeaders = [
            "Content-Type": "application/json", "Content-Length": "\(body.utf8.count)", "Server": "Laboratory",
            "Cache-Control": "no-cache, no-store, must-revalidate",
        ]
        context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: status, headers: headers))), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}
