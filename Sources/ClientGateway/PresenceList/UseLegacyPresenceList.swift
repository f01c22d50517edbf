import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

// The presence list of the specification until 2019, on the list of today. Facts: section 7.3.
extension ClientGateway {
    /// `GET /_matrix/client/r0/presence/list/{userId}` → 200 `[{"user_id","presence",…,"accepted":true}]`: those who
    /// accepted, in the order of names.
    func getLegacyPresenceList(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticate(request)
        try check(request, isAbout: key.user, orElse: "Cannot get another user's presence list")
        let (entries, now) = await runtime.read { engine, now in (engine.list(of: key.user), now) }
        var writer = JSONWriter(capacity: 64 + 256 * entries.count)
        writer.beginArray()
        for view in entries where view.entry.state == .accepted {
            writer.beginObject()
            writer.key("user_id")
            writer.string(view.user.text)
            writeMembers(of: view.knowledge ?? .unknown(.neverHeard, since: .epoch), at: now, to: &writer)
            writer.key("accepted")
            writer.bool(true)
            writer.endObject()
        }
        writer.endArray()
        return .json(writer.bytes)
    }

    /// `POST /_matrix/client/r0/presence/list/{userId}`: `{"invite"?:[…],"drop"?:[…]}` → 200 `{}`, on disk by then.
    ///
    /// Invites go first. What can be done is done; then the first thing that could not be is answered.
    func postLegacyPresenceList(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticate(request)
        try check(request, isAbout: key.user, orElse: "Cannot modify another user's presence list")
        try putRate.take(for: key.user)
        let body = try LegacyPresenceListBody.decode(try await self.body(of: request))
        var failure = body.flaw
        func attempt(_ event: PresenceEngine.Event) async {
            do throws(MatrixErrorBody) {
                try await perform(event)
            } catch {
                if failure == nil { failure = error }
            }
        }
        // What newer clients wrote to an entry stays.
        let before = await runtime.read { engine, _ in engine.list(of: key.user) }
        for user in body.invite {
            let entry = before.first { $0.user == user }?.entry
            await attempt(.entryAdded(observer: key.user, observed: user, note: entry?.note, acl: entry?.acl))
        }
        for user in body.drop {
            await attempt(.entryRemoved(observer: key.user, observed: user))
        }
        if let failure { throw failure }
        return .emptyObject
    }

    private func check(
        _ request: MatrixRequest, isAbout caller: UserID, orElse words: String
    ) throws(MatrixErrorBody) {
        guard let user = try user(in: request, at: 0), user.isHosted(by: server) else {
            throw MatrixErrorBody(.unknown, "User not hosted on this Home Server")
        }
        guard user == caller else { throw MatrixErrorBody(.unknown, words) }
    }
}
