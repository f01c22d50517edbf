import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

extension ClientGateway {
    /// `GET …/org.presenced/presence/list` → 200 `{"entries":[…]}`, in the order of names; with `?group=`, those in it.
    ///
    /// An entry: `{"user_id","state","since_ts","note"?,"acl"?,"groups":[…],"presence"?}`; `presence` as
    /// ``getPresenceStatus(_:)`` answers, and only of those whom the caller may see. Of those that are not known it
    /// says so.
    func getPresenceList(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticate(request)
        var group: GroupName?
        if let text = try request.queryValue("group") {
            guard let name = try? GroupName(parsing: text) else { throw .notAGroupName }
            group = name
        }
        let (entries, now) = await runtime.read { [group] engine, now in
            let isThere = group.map { name in engine.groups(of: key.user).contains { $0.name == name } } ?? true
            return (isThere ? engine.list(of: key.user, group: group) : nil, now)
        }
        guard let entries else { throw MatrixErrorBody(.noSuchGroup) }
        var writer = JSONWriter(capacity: 64 + 256 * entries.count)
        writer.beginObject()
        writer.key("entries")
        writer.beginArray()
        for entry in entries { write(entry, at: now, to: &writer) }
        writer.endArray()
        writer.endObject()
        return .json(writer.bytes)
    }

    func write(_ view: PresenceEngine.EntryView, at now: Instant, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("user_id")
        writer.string(view.user.text)
        writer.key("state")
        writer.string(view.entry.state.rawValue)
        writer.key("since_ts")
        writer.integer(view.entry.since.millisecondsSinceEpoch)
        if let note = view.entry.note {
            writer.key("note")
            writer.string(note)
        }
        if let acl = view.entry.acl {
            writer.key("acl")
            writer.string(acl)
        }
        writer.key("groups")
        writer.beginArray()
        for group in view.groups { writer.string(group.text) }
        writer.endArray()
        if let knowledge = view.knowledge {
            writer.key("presence")
            write(knowledge, at: now, to: &writer)
        }
        writer.endObject()
    }
}
