import PresenceModel

/// What a client is told of a user of whom nothing is known, in the places of a ``PresenceContent``:
/// `{"presence":…,"org.presenced.state":"unknown","org.presenced.unknown":{"reason":…,"since_ts"?:…}}`.
///
/// `reason` is a ``PresenceModel/UnknownReason``. `presence` has a value for clients that know nothing of the rest.
public struct UnknownPresenceContent: Hashable, Sendable {
    /// What stands in `presence`.
    public enum Value: String, Hashable, Sendable, CaseIterable {
        /// As Synapse shows a user of whom it knows nothing.
        case offline
        /// MSC4042: clients that do not know the value show "unknown".
        case disabled = "support.feline.msc4042.v1.disabled"
    }

    /// Why nothing is known.
    public var reason: UnknownReason
    /// Since when; not told of a user who was never heard of.
    public var since: Instant?
    /// See ``Value``.
    public var value: Value

    /// - Parameter since: not looked at for ``PresenceModel/UnknownReason/neverHeard``.
    public init(reason: UnknownReason, since: Instant, value: Value = .offline) {
        self.reason = reason
        self.since = reason == .neverHeard ? nil : since
        self.value = value
    }

    /// The whole document.
    public func encode() -> [UInt8] {
        var writer = JSONWriter()
        write(to: &writer)
        return writer.bytes
    }

    /// As one value of a larger document.
    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writeMembers(to: &writer)
        writer.endObject()
    }

    /// As members of an object that the caller has begun and will end.
    public func writeMembers(to writer: inout JSONWriter) {
        writer.key("presence")
        writer.string(value.rawValue)
        writer.key("org.presenced.state")
        writer.string("unknown")
        writer.key("org.presenced.unknown")
        writer.beginObject()
        writer.key("reason")
        writer.string(reason.rawValue)
        if let since {
            writer.key("since_ts")
            writer.integer(since.millisecondsSinceEpoch)
        }
        writer.endObject()
    }

    /// As the event `{"type":"m.presence","sender":…,"content":{…}}`.
    public func writeEvent(sender: UserID, to writer: inout JSONWriter) {
        writer.presenceEvent(sender: sender) { write(to: &$0) }
    }
}
