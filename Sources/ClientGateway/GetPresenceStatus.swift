import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

extension ClientGateway {
    /// `GET /_matrix/client/v3/presence/{userId}/status` → 200
    /// `{"presence","last_active_ago"?,"status_msg"?,"currently_active"?}`, and keys of our own: see
    /// ``MatrixWire/PresenceContent`` and ``MatrixWire/UnknownPresenceContent``.
    ///
    /// A user of whom nothing is known looks as Synapse shows one, unless configured otherwise: offline, without an age.
    /// Spec: client-server API, presence; section 2.2 of the facts.
    func getPresenceStatus(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticate(request)
        let forbidden = MatrixErrorBody(.forbidden, "You are not allowed to see their presence.")
        guard let observed = try user(in: request, at: 0) else { throw forbidden }
        if observed == key.user {
            let (own, now) = await runtime.read { engine, now in (engine.ownState(of: observed), now) }
            return .json(content(of: own, at: now).encode(busyValue: configuration.busyValue))
        }
        let (answer, now) = await runtime.read { engine, now in
            (engine.presence(of: observed, seenBy: key.user), now)
        }
        guard case .visible(let knowledge) = answer else { throw forbidden }
        if case .unknown = knowledge, configuration.unknownAs == .notFound {
            throw MatrixErrorBody(.notFound, "Nothing is known of this user's presence.")
        }
        var writer = JSONWriter()
        write(knowledge, at: now, to: &writer)
        return .json(writer.bytes)
    }
}
