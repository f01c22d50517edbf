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
        let event = PresenceEngine.Event.roomJoined(try user(in: request, at: 1), try room(in: request))
        try await inTurn { () throws(MatrixErrorBody) in try await perform(event) }
        return .emptyObject
    }

    /// `DELETE /_presenced/admin/v1/rooms/{roomId}/members/{userId}` → 200 `{}`, also if they were not in it.
    func deleteRoomMember(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let event = PresenceEngine.Event.roomLeft(try user(in: request, at: 1), try room(in: request))
        try await inTurn { () throws(MatrixErrorBody) in try await perform(event) }
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
    /// If one of them can be in no further room, nothing changes. Changes of rooms happen one after the other.
    func putRoomMembers(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let room = try room(in: request)
        let bytes = try await request.bodyBytes(limit: configuration.membersLimitBytes)
        let members = try RoomMembersBody.decode(bytes)
        try await inTurn { () throws(MatrixErrorBody) in try await replace(members, in: room) }
        return .emptyObject
    }

    func inTurn(
        _ edit: @escaping @Sendable () async throws(MatrixErrorBody) -> Void
    ) async throws(MatrixErrorBody) {
        try await edits.run(edit).get()
    }

    private func replace(_ members: [UserID], in room: RoomID) async throws(MatrixErrorBody) {
        let (events, refusal) = await runtime.read { engine, _ -> ([PresenceEngine.Event], PresenceEngine.Refusal?) in
            let before = engine.members(of: room)
            let (old, new) = (Set(before), Set(members))
            let joining = members.filter { !old.contains($0) }.map { PresenceEngine.Event.roomJoined($0, room) }
            let leaving = before.filter { !new.contains($0) }.map { PresenceEngine.Event.roomLeft($0, room) }
            // Who is to see nothing any more comes first: a fall in between must not leave them in.
            return (leaving + joining, joining.lazy.compactMap { engine.refusal(of: $0) }.first)
        }
        if let refusal { throw AdminGateway.words(for: refusal) }
        // The disk is waited for once: with the last.
        for event in events.dropLast() { await runtime.submit(.presence(event)) }
        if let last = events.last { try await perform(last) }
    }
}
