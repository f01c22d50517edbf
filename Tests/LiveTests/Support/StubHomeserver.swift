import MatrixWire
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A homeserver as an application service sees it: plain HTTP on a free loopback port, rooms, their members, and what was
/// asked.
final class StubHomeserver: Sendable {
    private final class Rooms: Sendable {
        struct State {
            var members: [String: [String]] = [:]
            var questions: [String] = []
        }

        let name: String
        let token = Mutex("")
        let state = Mutex(State())

        init(name: String) { self.name = name }

        func answer(_ method: String, _ target: String, token shown: String?) -> (HTTPResponseStatus, String) {
            let target = PercentEncoding.decode(target) ?? target
            let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
            let path = parts[0].split(separator: "/").map(String.init)
            let user = parts.count > 1 ? String(parts[1].dropFirst("user_id=".count)) : "@presenced:\(name)"
            return state.withLock { state in
                state.questions.append("\(method) \(target)")
                guard shown == token.withLock({ "Bearer \($0)" }) else {
                    return (.unauthorized, #"{"errcode":"M_UNKNOWN_TOKEN","error":""}"#)
                }
                switch path.last {
                case "whoami": return (.ok, #"{"user_id":"\#(user)"}"#)
                case "ping": return (.ok, #"{"duration_ms":1}"#)
                case "joined_rooms":
                    let rooms = state.members.filter { $0.value.contains(user) }.keys.sorted()
                    return (.ok, #"{"joined_rooms":[\#(rooms.map { "\"\($0)\"" }.joined(separator: ","))]}"#)
                case "joined_members":
                    guard path.count > 4, let members = state.members[path[4]], members.contains(user) else {
                        return (.forbidden, #"{"errcode":"M_FORBIDDEN","error":""}"#)
                    }
                    return (.ok, #"{"joined":{\#(members.map { "\"\($0)\":{}" }.joined(separator: ","))}}"#)
                case "leave":
                    return (.ok, "{}")
                default: return (.notFound, #"{"errcode":"M_UNRECOGNIZED","error":""}"#)
                }
            }
        }
    }

    let port: Int
    private let channel: any Channel
    private let rooms: Rooms

    private init(channel: any Channel, rooms: Rooms) {
        self.channel = channel
        self.rooms = rooms
        port = channel.localAddress?.port ?? 0
    }

    static func start(name: String) async throws -> StubHomeserver {
        let rooms = Rooms(name: name)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Connection(rooms))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return StubHomeserver(channel: channel, rooms: rooms)
    }

    /// From now on whoever shows it is let in.
    func expect(token: String) { rooms.token.withLock { $0 = token } }

    func setMembers(_ members: [String], of room: String) { rooms.state.withLock { $0.members[room] = members } }

    /// Method and target, decoded.
    var questions: [String] { rooms.state.withLock { $0.questions } }

    /// Looks every few milliseconds until it is so, or the deadline passes.
    func waits(_ what: String, until isSo: @Sendable () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline {
            if try await isSo() { return }
            try await channel.eventLoop.scheduleTask(in: .milliseconds(20)) {}.futureResult.get()
        }
        throw Child.Failure(description: "\(what): not so after 30 s; asked: \(questions)")
    }

    func stop() async throws { try await channel.close() }

    private final class Connection: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let rooms: Rooms
        private var head: HTTPRequestHead?

        init(_ rooms: Rooms) { self.rooms = rooms }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): self.head = head
            case .body: break
            case .end:
                guard let head else { return }
                let (status, text) = rooms.answer(
                    head.method.rawValue, head.uri, token: head.headers.first(name: "Authorization"))
                let body = ByteBuffer(string: text)
                let headers: HTTPHeaders = [
                    "Content-Length": "\(body.readableBytes)", "Content-Type": "application/json",
                ]
                context.write(
                    wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))),
                    promise: nil)
                context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
