import MatrixWire
import NIOCore
import NIOHTTP1
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

    private let server: PlainServer
    private let rooms: Rooms

    private init(_ server: PlainServer, rooms: Rooms) {
        self.server = server
        self.rooms = rooms
    }

    static func start(name: String) async throws -> StubHomeserver {
        let rooms = Rooms(name: name)
        let server = try await PlainServer.start { request in
            let (status, text) = rooms.answer(request.method, request.target, token: request.token)
            return (status, ByteBuffer(string: text))
        }
        return StubHomeserver(server, rooms: rooms)
    }

    var port: Int { server.port }

    /// From now on whoever shows it is let in.
    func expect(token: String) { rooms.token.withLock { $0 = token } }

    func setMembers(_ members: [String], of room: String) { rooms.state.withLock { $0.members[room] = members } }

    /// Method and target, decoded.
    var questions: [String] { rooms.state.withLock { $0.questions } }

    func waits(_ what: String, until isSo: @Sendable () async throws -> Bool) async throws {
        do {
            try await server.waits(what, until: isSo)
        } catch let failure as Child.Failure {
            throw Child.Failure(description: "\(failure); asked: \(questions)")
        }
    }

    func stop() async throws { try await server.stop() }
}
