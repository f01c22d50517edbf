import MatrixWire
import PresenceModel

// What friends' rooms need, in the name of one of the friends. Spec: client-server API, room creation, directory,
// account data; application service API, identity assertion.
extension HomeserverClient {
    /// Whether the homeserver has such a user, for whom we may act.
    func isThere(_ user: UserID) async throws(HomeserverTrouble) -> Bool {
        let target = "/_matrix/client/v3/account/whoami?user_id=\(PercentEncoding.encode(user.text))"
        do throws(HomeserverTrouble) {
            let answer = try await ask(HomeserverQuestion("GET", target, token: ownToken), "whoami as a user")
            return answer["user_id"]?.string == user.text
        } catch {
            guard error.isRefusal(403, 404) else { throw error }
            return false
        }
    }

    /// `nil` for an alias that names no room.
    func room(withAlias alias: String) async throws(HomeserverTrouble) -> RoomID? {
        let path = "/_matrix/client/v3/directory/room/\(PercentEncoding.encode(alias))"
        do throws(HomeserverTrouble) {
            return try room(in: try await ask(HomeserverQuestion("GET", path, token: ownToken), "directory"))
        } catch {
            guard error.isRefusal(404) else { throw error }
            return nil
        }
    }

    /// Makes a private room for two, invites the other, and returns its id.
    func createRoom(
        as user: UserID, inviting other: UserID, aliasLocalpart: String?
    ) async throws(HomeserverTrouble) -> RoomID {
        var content = JSONObject()
        content["preset"] = "trusted_private_chat"
        content["visibility"] = "private"
        content["is_direct"] = true
        content["invite"] = [.string(other.text)]
        if let aliasLocalpart { content["room_alias_name"] = .string(aliasLocalpart) }
        return try room(in: try await post("createRoom", content, as: user))
    }

    /// Joins; who is in already stays in.
    func join(_ room: RoomID, as user: UserID) async throws(HomeserverTrouble) {
        _ = try await post("rooms/\(PercentEncoding.encode(room.text))/join", JSONObject(), as: user)
    }

    /// Invites `user`, in the name of a member.
    func invite(_ user: UserID, to room: RoomID, as member: UserID) async throws(HomeserverTrouble) {
        var content = JSONObject()
        content["user_id"] = .string(user.text)
        _ = try await post("rooms/\(PercentEncoding.encode(room.text))/invite", content, as: member)
    }

    /// Everybody who ever had to do with a room, as one of its members sees it: those who are in, who were invited, who
    /// left and who were banned. For rooms of few.
    func everyMember(of room: RoomID, as user: UserID) async throws(HomeserverTrouble) -> Set<String> {
        let path = "/_matrix/client/v3/rooms/\(PercentEncoding.encode(room.text))/members"
        let target = "\(path)?user_id=\(PercentEncoding.encode(user.text))"
        let answer = try await ask(HomeserverQuestion("GET", target, token: ownToken), "members")
        guard let events = answer["chunk"]?.array else {
            throw HomeserverTrouble(.malformed, "members: no list in the answer")
        }
        var members: Set<String> = []
        for event in events {
            guard let member = event["state_key"]?.string else {
                throw HomeserverTrouble(.malformed, "members: an event of nobody")
            }
            members.insert(member)
        }
        return members
    }

    /// The user's account data `m.direct`: rooms by user; empty if there is none.
    func directRooms(of user: UserID) async throws(HomeserverTrouble) -> JSONObject {
        do throws(HomeserverTrouble) {
            let answer = try await ask(
                HomeserverQuestion("GET", HomeserverClient.direct(user), token: ownToken), "m.direct")
            return answer.object ?? JSONObject()
        } catch {
            guard error.isRefusal(404) else { throw error }
            return JSONObject()
        }
    }

    /// Replaces the user's account data `m.direct`.
    func setDirectRooms(of user: UserID, to rooms: JSONObject) async throws(HomeserverTrouble) {
        let body = CanonicalJSON.encode(.object(rooms))
        _ = try await ask(
            HomeserverQuestion("PUT", HomeserverClient.direct(user), token: ownToken, body: body), "m.direct")
    }

    private func post(
        _ path: String, _ content: JSONObject, as user: UserID
    ) async throws(HomeserverTrouble) -> JSONValue {
        let target = "/_matrix/client/v3/\(path)?user_id=\(PercentEncoding.encode(user.text))"
        let body = CanonicalJSON.encode(.object(content))
        let name = path.split(separator: "/").last.map(String.init) ?? path
        return try await ask(HomeserverQuestion("POST", target, token: ownToken, body: body), name)
    }

    private func room(in answer: JSONValue) throws(HomeserverTrouble) -> RoomID {
        guard let room = answer["room_id"]?.string.flatMap({ try? RoomID(parsing: $0) }) else {
            throw HomeserverTrouble(.malformed, "no room in the answer")
        }
        return room
    }

    private static func direct(_ user: UserID) -> String {
        let name = PercentEncoding.encode(user.text)
        return "/_matrix/client/v3/user/\(name)/account_data/m.direct?user_id=\(name)"
    }
}
