import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

extension ClientGateway {
    /// `GET …/org.presenced/presence/list/policy` → 200 `{"policy"}`: what requests are answered with, or `null` for
    /// what the server is configured for.
    func getListPolicy(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticate(request)
        let policy = await runtime.read { engine, _ in engine.listPolicy(of: key.user) }
        return .json(ListPolicyBody(policy: policy).encode())
    }

    /// `PUT …/org.presenced/presence/list/policy`: `{"policy":"ask"|"accept_shared_room"|"accept_all"|"deny_all"|null}`
    /// → 200 `{}`, on disk by then. Requests that wait already go on waiting.
    func putListPolicy(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateChange(request)
        let body = try ListPolicyBody.decode(try await self.body(of: request))
        try await perform(.listPolicyChosen(key.user, body.policy))
        return .emptyObject
    }
}
