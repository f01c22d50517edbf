import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

// Who may open a one-to-one chat with whom. Seed: presence and permissions.
extension ClientGateway {
    /// `GET …/org.presenced/contact_policy` → 200, a rule for each of five states: MatrixWire/ContactPolicyBody.
    func getContactPolicy(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticate(request)
        return .json(ContactPolicyBody.encode(await runtime.read { engine, _ in engine.contactPolicy(of: key.user) }))
    }

    /// `PUT …/org.presenced/contact_policy` → 200, the policy that holds now: what is not named stays. `refuse_invites`:
    /// invitations that the rules do not allow are left on the user's behalf, where a homeserver lets presenced do so.
    func putContactPolicy(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateChange(request)
        let body = try ContactPolicyBody.decode(try await self.body(of: request))
        let policy = body.applied(to: await runtime.read { engine, _ in engine.contactPolicy(of: key.user) })
        try await perform(.contactPolicyChosen(key.user, policy))
        return .json(ContactPolicyBody.encode(policy))
    }

    /// `POST …/org.presenced/contact_policy/check`: `{"from"?,"to"?}` → 200 `{"allowed","decided_here"}`.
    ///
    /// The caller is one of the two, and stands for the one that is left out. Of another server's user only that
    /// server knows: allowed, and not decided here.
    func checkContact(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateChange(request)
        let body = try ContactCheckBody.decode(try await self.body(of: request))
        let (from, to) = (body.from ?? key.user, body.to ?? key.user)
        guard from == key.user || to == key.user else {
            throw MatrixErrorBody(.forbidden, "Can only ask about chats of your own")
        }
        let decision = await runtime.read { engine, _ in engine.mayContact(from: from, to: to) }
        return .json(ContactCheckBody.encodeAnswer(decision))
    }
}
