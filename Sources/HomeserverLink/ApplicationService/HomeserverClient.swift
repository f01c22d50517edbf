import MatrixWire
import PresenceModel

/// What presenced asks its homeserver as an application service, and with an administrator's token.
///
/// Spec: application service API, client-server API extensions; Synapse's admin API. Decision 22.
struct HomeserverClient: Sendable {
    /// A page of the homeserver's rooms.
    struct RoomPage: Hashable, Sendable {
        /// Those with a local member.
        var rooms: [RoomID]
        /// `nil` after the last page.
        var next: Int64?
    }

    /// A page of the homeserver's users.
    struct UserPage: Hashable, Sendable {
        var deactivated: [UserID]
        /// `nil` after the last page.
        var next: String?
    }

    /// Of the largest room: names and pictures of some 100,000 members.
    static let memberListLimitBytes = 64 << 20

    let homeserver: any HomeserverAsking
    let ownToken: String
    let id: String
    /// `nil`: no admin API.
    let adminToken: String?

    // MARK: As the application service

    /// Whom the homeserver takes us for.
    func ownUser() async throws(HomeserverTrouble) -> UserID {
        let question = HomeserverQuestion("GET", "/_matrix/client/v3/account/whoami", token: ownToken)
        let answer = try await ask(question, "whoami")
        guard let user = answer["user_id"]?.string.flatMap({ try? UserID(parsing: $0) }) else {
            throw HomeserverTrouble(.malformed, "whoami: no user in the answer")
        }
        return user
    }

    /// Has the homeserver ask us back.
    func ping(transaction: String) async throws(HomeserverTrouble) {
        let body = CanonicalJSON.encode(["transaction_id": .string(transaction)])
        let path = "/_matrix/client/v1/appservice/\(PercentEncoding.encode(id))/ping"
        _ = try await ask(HomeserverQuestion("POST", path, token: ownToken, body: body), "ping")
    }

    /// The rooms that a local user is in.
    func joinedRooms(of user: UserID) async throws(HomeserverTrouble) -> [RoomID] {
        let question = HomeserverQuestion(
            "GET", "/_matrix/client/v3/joined_rooms?user_id=\(PercentEncoding.encode(user.text))", token: ownToken,
            answerLimitBytes: 16 << 20)
        guard let rooms = try await ask(question, "joined_rooms")["joined_rooms"]?.array else {
            throw HomeserverTrouble(.malformed, "joined_rooms: no list in the answer")
        }
        return rooms.compactMap { $0.string.flatMap { try? RoomID(parsing: $0) } }
    }

    /// Who is in a room, as one of its members sees it.
    func joinedMembers(of room: RoomID, as user: UserID) async throws(HomeserverTrouble) -> [UserID] {
        let path = "/_matrix/client/v3/rooms/\(PercentEncoding.encode(room.text))/joined_members"
        let target = "\(path)?user_id=\(PercentEncoding.encode(user.text))"
        return try await members(HomeserverQuestion("GET", target, token: ownToken), "joined_members")
    }

    /// Leaves a room, or an invitation to it, in the name of a local user.
    func leave(_ room: RoomID, as user: UserID) async throws(HomeserverTrouble) {
        let path = "/_matrix/client/v3/rooms/\(PercentEncoding.encode(room.text))/leave"
        let target = "\(path)?user_id=\(PercentEncoding.encode(user.text))"
        _ = try await ask(HomeserverQuestion("POST", target, token: ownToken, body: Array("{}".utf8)), "leave")
    }

    // MARK: As an administrator

    /// Rooms that a local user is in, by their names.
    func rooms(from start: Int64, adminToken: String) async throws(HomeserverTrouble) -> RoomPage {
        let question = HomeserverQuestion(
            "GET", "/_synapse/admin/v1/rooms?from=\(start)&limit=100&order_by=name", token: adminToken,
            answerLimitBytes: 4 << 20)
        let answer = try await ask(question, "admin rooms")
        guard let rooms = answer["rooms"]?.array else {
            throw HomeserverTrouble(.malformed, "admin rooms: no list in the answer")
        }
        let found = rooms.filter { $0["joined_local_members"]?.integer != 0 }
            .compactMap { $0["room_id"]?.string.flatMap { try? RoomID(parsing: $0) } }
        // A page that leads back would never end.
        let next = answer["next_batch"]?.integer.flatMap { $0 > start ? $0 : nil }
        return RoomPage(rooms: found, next: next)
    }

    /// Who is in a room.
    func members(of room: RoomID, adminToken: String) async throws(HomeserverTrouble) -> [UserID] {
        let path = "/_synapse/admin/v1/rooms/\(PercentEncoding.encode(room.text))/members"
        return try await members(HomeserverQuestion("GET", path, token: adminToken), "admin members")
    }

    /// Users who are no more, page by page. - Parameter start: `"0"`, or the page before's ``UserPage/next``.
    func users(from start: String, adminToken: String) async throws(HomeserverTrouble) -> UserPage {
        let query = "from=\(PercentEncoding.encode(start))&limit=500&deactivated=true&guests=false"
        let question = HomeserverQuestion(
            "GET", "/_synapse/admin/v2/users?\(query)", token: adminToken, answerLimitBytes: 4 << 20)
        let answer = try await ask(question, "admin users")
        guard let users = answer["users"]?.array else {
            throw HomeserverTrouble(.malformed, "admin users: no list in the answer")
        }
        let deactivated = users.filter { $0["deactivated"]?.bool == true || $0["deactivated"]?.integer == 1 }
            .compactMap { $0["name"]?.string.flatMap { try? UserID(parsing: $0) } }
        let next = answer["next_token"]?.string
        return UserPage(deactivated: deactivated, next: next == start ? nil : next)
    }

    // MARK: Answers

    private func members(
        _ question: HomeserverQuestion, _ name: String
    ) async throws(HomeserverTrouble) -> [UserID] {
        var question = question
        question.answerLimitBytes = HomeserverClient.memberListLimitBytes
        let body = try await body(question, name)
        guard let users = RoomMemberList.decode(body) else {
            throw HomeserverTrouble(.malformed, "\(name): no members in the answer")
        }
        return users
    }

    /// Takes a question to the homeserver; the answer is a JSON object.
    func ask(_ question: HomeserverQuestion, _ name: String) async throws(HomeserverTrouble) -> JSONValue {
        let body = try await body(question, name)
        guard let parsed = try? JSONParser.lenient.parse(body), parsed.value.object != nil else {
            throw HomeserverTrouble(.malformed, "\(name): the answer is no JSON object")
        }
        return parsed.value
    }

    private func body(_ question: HomeserverQuestion, _ name: String) async throws(HomeserverTrouble) -> [UInt8] {
        let answer = try await homeserver.ask(question)
        guard !(200..<300).contains(answer.status) else { return answer.body }
        let refusal = (try? JSONParser.lenient.parse(answer.body))?.value
        let code = refusal?["errcode"]?.string ?? ""
        let message = "\(name): \(answer.status) \(code)"
        if answer.status == 429 || answer.status >= 500 {
            throw HomeserverTrouble(
                .unreachable, message, retryAfterMilliseconds: refusal?["retry_after_ms"]?.integer)
        }
        throw HomeserverTrouble(.refused(status: answer.status, MatrixErrorCode(rawValue: code)), message)
    }
}
