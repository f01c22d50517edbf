import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

extension ClientGateway {
    /// `GET /_matrix/client/v3/presence/{userId}/status` → 200
    /// `{"presence","last_active_ago"?,"status_msg"?,"currently_active"?}`.
    ///
    /// A user of whom nothing is known looks as Synapse shows one: offline, without an age.
    /// Spec: client-server API, presence; section 2.2 of the facts.
    func getPresenceStatus(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try authenticate(request)
        let forbidden = MatrixErrorBody(.forbidden, "You are not allowed to see their presence.")
        guard let observed = try user(in: request, at: 0) else { throw forbidden }
        let (answer, now) = await runtime.look(at: observed, by: key.user)
        guard case .visible(let knowledge) = answer else { throw forbidden }
        return .json(content(of: knowledge, at: now).encode(busyValue: configuration.busyValue))
    }

    func content(of knowledge: Knowledge, at now: Instant) -> PresenceContent {
        guard case .known(let presence) = knowledge else { return PresenceContent(state: .offline) }
        let age = presence.coarseAgeMilliseconds(at: now, granularityMilliseconds: ageGranularityMilliseconds)
        return PresenceContent(
            state: presence.state, statusText: presence.statusText, lastActiveAgoMilliseconds: age)
    }
}
