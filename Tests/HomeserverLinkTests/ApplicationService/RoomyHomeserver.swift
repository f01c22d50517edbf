import MatrixWire
import Synchronization
import Testing

@testable import HomeserverLink

/// A homeserver `x.org` without sockets, that has users, rooms, invitations, aliases and account data.
final class RoomyHomeserver: HomeserverAsking {
    struct Room: Hashable {
        var joined: [String] = []
        var invited: [String] = []
        var isDirect = false
        var left: [String] = []
    }

    struct State {
        var users = ["@0xaa:x.org", "@0xbb:x.org", "@0xcc:x.org", "@presenced:x.org"]
        var rooms: [String: Room] = [:]
        var aliases: [String: String] = [:]
        var direct: [String: JSONObject] = [:]
        var questions: [String] = []
        /// The first question whose text holds this gets no answer, though it was carried out.
        var answerLost: String?
        /// Questions whose text holds this are refused.
        var refused: (word: String, status: Int, code: String)?
        var isDown = false
    }

    static let ownToken = "as-token-of-the-tests"
    private let state = Mutex(State())

    var now: State { state.withLock { $0 } }

    func change(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }

    func asked(_ word: String) -> [String] { now.questions.filter { $0.contains(word) } }

    func ask(_ question: HomeserverQuestion) async throws(HomeserverTrouble) -> HomeserverAnswer {
        #expect(question.token == RoomyHomeserver.ownToken)
        await Task.yield()
        let answer = state.withLock { state -> HomeserverAnswer? in
            let text = "\(question.method) \(PercentEncoding.decode(question.target) ?? question.target)"
            state.questions.append(text)
            if state.isDown { return nil }
            if let refused = state.refused, text.contains(refused.word) {
                return RoomyHomeserver.refusal(refused.status, refused.code)
            }
            let answer = RoomyHomeserver.answer(question, &state)
            if let lost = state.answerLost, text.contains(lost) {
                state.answerLost = nil
                return nil
            }
            return answer
        }
        guard let answer else { throw HomeserverTrouble(.unreachable, "no answer") }
        return answer
    }

    private static func refusal(_ status: Int, _ code: String) -> HomeserverAnswer {
        HomeserverAnswer(status: status, body: Array(#"{"errcode":"\#(code)","error":""}"#.utf8))
    }

    private static func found(_ value: JSONValue) -> HomeserverAnswer {
        HomeserverAnswer(status: 200, body: CanonicalJSON.encode(value))
    }

    private static func answer(_ question: HomeserverQuestion, _ state: inout State) -> HomeserverAnswer {
        let parts = question.target.split(separator: "?", maxSplits: 1)
        let path = parts[0].split(separator: "/").map { PercentEncoding.decode($0) ?? "" }
        let query = parts.count > 1 ? PercentEncoding.decode(parts[1]) ?? "" : ""
        let user = query.hasPrefix("user_id=") ? String(query.dropFirst("user_id=".count)) : "@presenced:x.org"
        guard state.users.contains(user) else { return refusal(403, "M_FORBIDDEN") }
        let body = question.body.flatMap { try? JSONParser.strict.parse($0).value } ?? .null
        switch (path[3], path.last) {
        case ("account", _): return found(["user_id": .string(user)])
        case ("directory", let alias?):
            guard let room = state.aliases[alias] else { return refusal(404, "M_NOT_FOUND") }
            return found(["room_id": .string(room)])
        case ("createRoom", _): return create(body, by: user, &state)
        case ("user", _):
            if question.method == "PUT" {
                state.direct[user] = body.object
                return found(.object(JSONObject()))
            }
            return state.direct[user].map { found(.object($0)) } ?? refusal(404, "M_NOT_FOUND")
        case ("rooms", let verb?): return act(verb, in: path[4], body, by: user, &state)
        default: return refusal(404, "M_UNRECOGNIZED")
        }
    }

    private static func create(_ body: JSONValue, by user: String, _ state: inout State) -> HomeserverAnswer {
        let alias = body["room_alias_name"]?.string.map { "#\($0):x.org" }
        if let alias, state.aliases[alias] != nil { return refusal(400, "M_ROOM_IN_USE") }
        let id = "!room\(state.rooms.count):x.org"
        state.rooms[id] = Room(
            joined: [user], invited: body["invite"]?.array?.compactMap(\.string) ?? [],
            isDirect: body["is_direct"]?.bool == true && body["preset"]?.string == "trusted_private_chat")
        if let alias { state.aliases[alias] = id }
        return found(["room_id": .string(id)])
    }

    private static func act(
        _ verb: String, in id: String, _ body: JSONValue, by user: String, _ state: inout State
    ) -> HomeserverAnswer {
        guard var room = state.rooms[id] else { return refusal(404, "M_NOT_FOUND") }
        let isIn = room.joined.contains(user)
        switch verb {
        case "joined_members":
            guard isIn else { return refusal(403, "M_FORBIDDEN") }
            var members = JSONObject()
            for member in room.joined { members[member] = .object(JSONObject()) }
            return found(["joined": .object(members)])
        case "members":
            guard isIn || room.left.contains(user) else { return refusal(403, "M_FORBIDDEN") }
            let memberships = [("join", room.joined), ("invite", room.invited), ("leave", room.left)]
            let events = memberships.flatMap { membership, users in
                users.map { user -> JSONValue in
                    ["state_key": .string(user), "content": ["membership": .string(membership)]]
                }
            }
            return found(["chunk": .array(events)])
        case "join":
            guard isIn || room.invited.contains(user) else { return refusal(403, "M_FORBIDDEN") }
            if !isIn { room.joined.append(user) }
            room.invited.removeAll { $0 == user }
            room.left.removeAll { $0 == user }
        case "invite":
            guard isIn, let other = body["user_id"]?.string, !room.joined.contains(other) else {
                return refusal(403, "M_FORBIDDEN")
            }
            room.invited.append(other)
        default: return refusal(404, "M_UNRECOGNIZED")
        }
        state.rooms[id] = room
        return found(["room_id": .string(id)])
    }
}
