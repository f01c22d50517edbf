import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

extension ClientGateway {
    /// `GET …/org.presenced/presence/list/blocks` → 200 `{"blocked":["@user:server",…]}`, in the order of names.
    func getBlocks(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticate(request)
        let users = await runtime.read { engine, _ in engine.blocked(by: key.user) }
        return .json(CanonicalJSON.encode(["blocked": .array(users.map { .string($0.text) })]))
    }

    /// `PUT …/org.presenced/presence/list/blocks/{userId}` → 200 `{}`, also if they were blocked: they do not see the
    /// caller, whatever else holds, and need not ask. The body is not looked at.
    func putBlock(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateChange(request)
        try await perform(.userBlocked(by: key.user, try somebody(in: request, at: 0)))
        return .emptyObject
    }

    /// `DELETE …/org.presenced/presence/list/blocks/{userId}` → 200 `{}`, also if they were not blocked: they may ask
    /// again. What was granted before stays taken away.
    func deleteBlock(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateChange(request)
        try await perform(.userUnblocked(by: key.user, try somebody(in: request, at: 0)))
        return .emptyObject
    }
}
