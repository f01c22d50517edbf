import MatrixHTTP
import MatrixWire
import PresenceModel
import PresenceRuntime

extension ClientGateway {
    /// `PUT /_matrix/client/v3/presence/{userId}/status`: `{"presence","status_msg"?,"org.presenced.state"?}`
    /// → 200 `{}`, on disk by then.
    ///
    /// Spec: client-server API, presence; refusals as Synapse words them (section 2.2 of the facts).
    func putPresenceStatus(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticate(request)
        guard try user(in: request, at: 0) == key.user else {
            throw MatrixErrorBody(.forbidden, "Can only set your own presence state")
        }
        try putRate.take(for: key.user)
        let bytes = try await self.body(of: request)
        let body = try PutPresenceBody.decode(bytes, allowsBusy: configuration.acceptsBusy)
        guard (body.statusText?.utf8.count ?? 0) <= configuration.statusTextLimitBytes else {
            throw MatrixErrorBody(
                .tooLarge, "status_msg must not be longer than \(configuration.statusTextLimitBytes) bytes.")
        }
        try await perform(.statusChosen(key, body.state, text: body.statusText))
        return .emptyObject
    }
}
