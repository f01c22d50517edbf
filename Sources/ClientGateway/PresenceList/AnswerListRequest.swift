import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

// Requests of others to see the caller. Seed: presence list, permission.
extension ClientGateway {
    /// `GET …/org.presenced/presence/list/requests` → 200 `{"requests":[{"user_id","note"?,"since_ts"}]}`: those that
    /// wait, the oldest first.
    func getListRequests(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticate(request)
        let waiting = await runtime.read { engine, _ in engine.requests(to: key.user) }
        var writer = JSONWriter(capacity: 64 + 128 * waiting.count)
        writer.beginObject()
        writer.key("requests")
        writer.beginArray()
        for view in waiting {
            writer.beginObject()
            writer.key("user_id")
            writer.string(view.user.text)
            if let note = view.note {
                writer.key("note")
                writer.string(note)
            }
            writer.key("since_ts")
            writer.integer(view.since.millisecondsSinceEpoch)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return .json(writer.bytes)
    }

    /// `POST …/org.presenced/presence/list/requests/{userId}/accept` → 200 `{}`; 404 if they did not ask. The body is
    /// not looked at.
    func acceptListRequest(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateChange(request)
        try await perform(.requestAccepted(observed: key.user, observer: try somebody(in: request, at: 0)))
        return .emptyObject
    }

    /// `POST …/org.presenced/presence/list/requests/{userId}/deny` → 200 `{}`; 404 if they did not ask. They may ask
    /// again. The body is not looked at.
    func denyListRequest(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateChange(request)
        try await perform(.requestDenied(observed: key.user, observer: try somebody(in: request, at: 0)))
        return .emptyObject
    }

    /// `POST …/org.presenced/presence/list/requests/{userId}/block` → 200 `{}`: as ``putBlock(_:)``. The body is not
    /// looked at.
    func blockListRequest(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        try await putBlock(request)
    }
}
