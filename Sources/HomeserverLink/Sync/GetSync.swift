import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel

extension SyncGateway {
    /// `GET /_matrix/client/{v3,r0}/sync`: the homeserver's answer, with presence in it.
    ///
    /// `set_presence` is `online` (or left out: the device is in use), `unavailable` (it is idle), or `offline` (the sync
    /// does not touch presence); anything else is 400 `M_INVALID_PARAM`. The device is connected as long as the request
    /// lasts. Spec: client-server API, syncing; facts 2.2 and 2.4.
    func getSync(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        guard request.method == "GET", let caller = try? await tokens.caller(of: request),
            caller.kind != .applicationService, let query = Query(request)
        else { return try await pass.answer(request) }
        guard let presence = query.presence else { throw .badSetPresence }
        let filter = await filter(query.filter, for: caller.key.user, request)
        var wish: Wish?
        if let filter, !filter.blocksEverything {
            wish = Wish(
                shape: .sync, key: caller.key, filter: filter,
                start: start(of: caller.key, token: query.since, realm: "sync", isFull: query.isFull), realm: "sync")
        }
        let hangup = await request.hangup()
        let call = try pass.call(for: request, hangup: hangup)
        return try await answer(request, by: call, on: caller.key, presence, wish)
    }

    /// What the query of a sync says; `nil` if it cannot be read.
    private struct Query {
        var since: String?
        var filter: String?
        var isFull: Bool
        /// `nil`: not one of the three words.
        var presence: SetPresence?

        init?(_ request: MatrixRequest) {
            do throws(MatrixErrorBody) {
                since = try request.queryValue("since")
                filter = try request.queryValue("filter")
                isFull = try request.queryValue("full_state") == "true"
                presence = SetPresence(rawValue: try request.queryValue("set_presence") ?? SetPresence.online.rawValue)
            } catch {
                return nil
            }
        }
    }

    /// - Returns: `nil` if it is not known what the filter says.
    private func filter(_ text: String?, for user: UserID, _ request: MatrixRequest) async -> SyncFilter? {
        guard let text else { return .everything }
        if text.first == "{" { return SyncFilter(decoding: Array(text.utf8)) }
        return await filters.filter(text, of: user, for: request)
    }
}
