import PresenceModel

/// The type of an EDU about leave to see a user: `org.presenced.presence_invite`, `…_accept`, `…_deny`, or the
/// historical forms of 2014, with `m.` for `org.presenced.`.
///
/// Spec: DESIGN, server to server.
struct PermissionWord: Hashable, Sendable {
    /// What is said.
    var kind: PermissionMessage.Kind
    /// The form of 2014: understood, never sent.
    var isHistorical: Bool

    /// - Returns: `nil` for the type of any other EDU.
    init?(type: String) {
        switch type {
        case "org.presenced.presence_invite": (kind, isHistorical) = (.invite, false)
        case "org.presenced.presence_accept": (kind, isHistorical) = (.accept, false)
        case "org.presenced.presence_deny": (kind, isHistorical) = (.deny, false)
        case "m.presence_invite": (kind, isHistorical) = (.invite, true)
        case "m.presence_accept": (kind, isHistorical) = (.accept, true)
        case "m.presence_deny": (kind, isHistorical) = (.deny, true)
        default: return nil
        }
    }
}

extension PermissionMessage {
    /// A message taken from the wire; flawed if a note was of the wrong kind and has been left out.
    typealias Decoded = (message: PermissionMessage, isFlawed: Bool)

    /// Takes the content `{"observed_user","observer_user","org.presenced.request"?,"org.presenced.note"?}`.
    ///
    /// - Returns: `nil` without two good user identifiers, or with a request number that is none: which request it is
    ///   about would not be known. `null` is as good as absent. A note counts only with an invite.
    static func decode(_ word: PermissionWord, _ content: JSONObject) -> Decoded? {
        guard let observed = user(content["observed_user"]), let observer = user(content["observer_user"]) else {
            return nil
        }
        var message = PermissionMessage(word.kind, observed: observed, observer: observer)
        if let request = content[ExtensionKey.request], !request.isNull {
            guard let number = request.integer else { return nil }
            message.request = number
        }
        guard word.kind == .invite, let note = content[ExtensionKey.note], !note.isNull else { return (message, false) }
        message.note = note.string.flatMap { StatusText.truncating($0, toBytes: EntryText.noteLimitBytes) }
        return (message, isFlawed: note.string == nil)
    }

    private static func user(_ value: JSONValue?) -> UserID? {
        value?.string.flatMap { try? UserID(parsing: $0) }
    }

    /// The whole EDU, `{"content":{…},"edu_type":"org.presenced.presence_…"}`, in canonical form.
    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("content")
        writer.beginObject()
        writer.key("observed_user")
        writer.string(observed.text)
        writer.key("observer_user")
        writer.string(observer.text)
        if kind == .invite, let note {
            writer.key("org.presenced.note")
            writer.string(note)
        }
        if let request {
            writer.key("org.presenced.request")
            writer.integer(request)
        }
        writer.endObject()
        writer.key("edu_type")
        writer.string("org.presenced.presence_\(kind.rawValue)")
        writer.endObject()
    }
}
