import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

// Who is in a room: users who share one see each other.
extension AdminGateway {
    /// `PUT /_presenced/admin/v1/rooms/{roomId}/members/{userId}` → 200 `{}`, also if they were in it. The body is not
    /// looked at.
    func putRoomMember(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let room = try room(in: request)
        try await perform(.roomJoined(try user(in: request, at: 1), room))
        return .emptyObject
    }

    /// `DELETE /_presenced/admin/v1/rooms/{roomId}/members/{userId}` → 200 `{}`, also if they were not in it.
    func deleteRoomMember(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let room = try room(in: request)
        try await perform(.roomLeft(try user(in: request, at: 1), room))
        return .emptyObject
    }

    /// `GET /_presenced/admin/v1/rooms/{roomId}/members` → 200 `{"members":["@user:server",…]}`, in the order of names.
    func getRoomMembers(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let room = try room(in: request)
        let members = await runtime.read { engine, _ in engine.members(of: room) }
        return .json(CanonicalJSON.encode(["members": .array(members.map { .string($0.text) })]))
    }

    /// `PUT /_presenced/admin/v1/rooms/{roomId}/members`: `{"members":["@user:server",…]}` → 200 `{}`, on disk by then:
    /// these are in the room, and no others. At most 100,000.
    ///
    /// If one of them can be in no further room, nothing changes. Replacements of one room must come one at a time.
    func putRoomMembers(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let room = try room(in: request)
        let bytes = try await request.bodyBytes(limit: configuration.membersLimitBytes)
        let members = try RoomMembersBody.decode(bytes)
        let (events, refusal) = await runtime.read { engine, _ -> ([PresenceEngine.Event], PresenceEngine.Refusal?) in
            let before = engine.members(of: room)
            let (old, new) = (Set(before), Set(members))
            let joining = members.filter { !old.contains($0) }.map { PresenceEngine.Event.roomJoined($0, room) }
            let leaving = before.filter { !new.contains($0) }.map { PresenceEngine.Event.roomLeft($0, room) }
            return (joining + leaving, joining.lazy.compactMap { engine.refusal(of: $0) }.first)
        }
        if let refusal { throw AdminGateway.words(for: refusal) }
        // The disk is waited for once: with the last.
        for event in events.dropLast() { await runtime.submit(.presence(event)) }
        if let last = events.last { try await perform(last) }
        return .emptyObject
    }
}
