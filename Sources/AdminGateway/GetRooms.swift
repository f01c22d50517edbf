import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

extension AdminGateway {
    /// `GET /_presenced/admin/v1/rooms` → 200 `{"rooms":["!room:server",…]}`: those that anybody is in, in the order of
    /// their names.
    func getRooms(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        .json(AdminGateway.encode(await runtime.read { engine, _ in engine.allRooms }))
    }

    /// `GET /_presenced/admin/v1/users/{userId}/rooms` → 200 `{"rooms":["!room:server",…]}`, of any server's user.
    func getUserRooms(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let user = try user(in: request, at: 0)
        return .json(AdminGateway.encode(await runtime.read { engine, _ in engine.rooms(of: user) }))
    }

    /// `DELETE /_presenced/admin/v1/rooms/{roomId}` → 200 `{}`, also if nobody was in it: everybody leaves.
    func deleteRoom(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let event = PresenceEngine.Event.roomForgotten(try room(in: request))
        try await inTurn { () throws(MatrixErrorBody) in try await perform(event) }
        return .emptyObject
    }

    private static func encode(_ rooms: [RoomID]) -> [UInt8] {
        CanonicalJSON.encode(["rooms": .array(rooms.map { .string($0.text) })])
    }
}
