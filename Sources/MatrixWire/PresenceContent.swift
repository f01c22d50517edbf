import PresenceModel

/// What a client is told of a user: the answer to `GET …/presence/{userId}/status`, and the content of an
/// `m.presence` event.
///
/// `{"presence":…,"last_active_ago"?:…,"status_msg"?:…,"currently_active"?:true,"org.presenced.state"?:…}`; the last
/// only for what `presence` cannot say. Spec: client-server API, presence; m.presence.
public struct PresenceContent: Hashable, Sendable {
    /// The state that the reader may see.
    public var state: PublishedState
    /// `nil` for none.
    public var statusText: String?
    /// The age of the last activity at the moment of writing; `nil` for a user who was never active.
    public var lastActiveAgoMilliseconds: Int64?

    /// A user's presence, at the moment of writing.
    public init(state: PublishedState, statusText: String? = nil, lastActiveAgoMilliseconds: Int64? = nil) {
        self.state = state
        self.statusText = statusText
        self.lastActiveAgoMilliseconds = lastActiveAgoMilliseconds
    }

    /// - Parameter busyValue: what stands in `presence` for a busy user.
    public func encode(busyValue: BusyValue = .msc3026) -> [UInt8] {
        var writer = JSONWriter()
        write(to: &writer, busyValue: busyValue)
        return writer.bytes
    }

    /// As one value of a larger document.
    public func write(to writer: inout JSONWriter, busyValue: BusyValue = .msc3026) {
        writer.beginObject()
        writer.key("presence")
        writer.string(state.wireValue(busyValue: busyValue))
        if let lastActiveAgoMilliseconds {
            writer.key("last_active_ago")
            writer.integer(lastActiveAgoMilliseconds)
        }
        if let statusText {
            writer.key("status_msg")
            writer.string(statusText)
        }
        if state.isCurrentlyActive {
            writer.key("currently_active")
            writer.bool(true)
        }
        if let refinement = state.refinement {
            writer.key("org.presenced.state")
            writer.string(refinement)
        }
        writer.endObject()
    }

    /// As the event `{"type":"m.presence","sender":…,"content":{…}}`.
    public func writeEvent(sender: UserID, to writer: inout JSONWriter, busyValue: BusyValue = .msc3026) {
        writer.beginObject()
        writer.key("type")
        writer.string("m.presence")
        writer.key("sender")
        writer.string(sender.text)
        writer.key("content")
        write(to: &writer, busyValue: busyValue)
        writer.endObject()
    }
}
