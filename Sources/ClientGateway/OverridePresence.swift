import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

// A state that a user insists on. MSC4043, with a text and a time limit added: MatrixWire/PresenceOverrideBody.
extension ClientGateway {
    /// `PUT …/presence/{userId}/override`: `{"presence_override","status_msg"?,"org.presenced.timeout_ms"?}` → 200
    /// `{}`, on disk by then. An empty `presence_override` ends the override.
    func putPresenceOverride(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateOwner(of: request)
        try putRate.take(for: key.user)
        let body = try PresenceOverrideBody.decode(
            try await self.body(of: request), allowsBusy: configuration.acceptsBusy)
        if case .replaced(let text?) = body.text, text.utf8.count > configuration.statusTextLimitBytes {
            throw MatrixErrorBody(
                .tooLarge, "status_msg must not be longer than \(configuration.statusTextLimitBytes) bytes.")
        }
        let now = await runtime.read { _, now in now }
        try await perform(.overrideSet(key, body.override(from: now)))
        return .emptyObject
    }

    /// `GET …/presence/{userId}/override` → 200
    /// `{"presence_override","status_msg"?,"org.presenced.until_ts"?}`, with an empty `presence_override` for none.
    func getPresenceOverride(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateOwner(of: request)
        let override = await runtime.read { engine, _ in engine.ownState(of: key.user).override }
        return .json(PresenceOverrideBody.encode(override))
    }

    /// `DELETE …/presence/{userId}/override` → 200 `{}`, also if there was none.
    func deletePresenceOverride(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateOwner(of: request)
        try putRate.take(for: key.user)
        try await perform(.overrideSet(key, nil))
        return .emptyObject
    }

    private func authenticateOwner(of request: MatrixRequest) async throws(MatrixErrorBody) -> DeviceKey {
        let key = try await authenticate(request)
        guard try user(in: request, at: 0) == key.user else {
            throw MatrixErrorBody(.forbidden, "Can only see and set your own presence override")
        }
        return key
    }
}
