import MatrixHTTP
import MatrixWire
import PresenceModel
import PresenceRuntime

extension ClientGateway {
    /// `PUT /_matrix/client/v3/presence/{userId}/status`: `{"presence","status_msg"?}` → 200 `{}`, on disk by then.
    ///
    /// Spec: client-server API, presence; refusals as Synapse words them (section 2.2 of the facts).
    func putPresenceStatus(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try authenticate(request)
        guard try user(in: request, at: 0) == key.user else {
            throw MatrixErrorBody(.forbidden, "Can only set your own presence state")
        }
        try putRate.take(for: key.user)
        let bytes = try await request.bodyBytes(limit: configuration.bodyLimitBytes)
        let body = try PutPresenceBody.decode(bytes, allowsBusy: configuration.acceptsBusy)
        guard (body.statusText?.utf8.count ?? 0) <= configuration.statusTextLimitBytes else {
            throw MatrixErrorBody(
                .tooLarge, "status_msg must not be longer than \(configuration.statusTextLimitBytes) bytes.")
        }
        do {
            try await runtime.choose(body.state, text: body.statusText, on: key)
        } catch {
            throw .notStored
        }
        return .emptyObject
    }
}

extension MatrixErrorBody {
    /// The engine took it and the disk did not; the row is kept in memory and tried again.
    static let notStored = MatrixErrorBody(
        .unknown, "The change holds for now but could not be written to disk; try again.", status: 503)
}
