import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

extension ClientGateway {
    /// `GET …/org.presenced/presence/list/grants` → 200 `{"granted":["@user:server",…]}`: who may see the caller by
    /// leave, in the order of names.
    func getGrants(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticate(request)
        let users = await runtime.read { engine, _ in engine.granted(by: key.user) }
        return .json(CanonicalJSON.encode(["granted": .array(users.map { .string($0.text) })]))
    }

    /// `DELETE …/org.presenced/presence/list/grants/{userId}` → 200 `{}`: they see the caller no longer, from this
    /// instant; 404 if nothing was granted and they did not ask.
    func deleteGrant(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateChange(request)
        try await perform(.requestDenied(observed: key.user, observer: try somebody(in: request, at: 0)))
        return .emptyObject
    }
}
