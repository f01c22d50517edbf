import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

extension AdminGateway {
    /// `POST /_presenced/admin/v1/contact_policy/check`: `{"from","to"}` → 200 `{"allowed","decided_here"}`: whether the
    /// one may open a one-to-one chat with the other. Of another server's user only that server knows.
    func checkContact(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let body = try ContactCheckBody.decode(try await request.bodyBytes(limit: configuration.bodyLimitBytes))
        guard let from = body.from, let to = body.to else {
            throw MatrixErrorBody(.missingParameter, "from and to are both needed.")
        }
        let decision = await runtime.read { engine, _ in engine.mayContact(from: from, to: to) }
        return .json(ContactCheckBody.encodeAnswer(decision))
    }
}
