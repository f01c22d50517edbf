import PresenceModel

/// One user's presence, as one server tells another: an element of `push`.
///
/// Spec: server-server API, m.presence.
public struct PresencePush: Hashable, Sendable {
    /// Whose presence.
    public var user: UserID
    /// The state, `org.presenced.state` taken into account.
    public var state: PublishedState
    /// Within the limit of ``PresenceModel/StatusText``; `nil` for none.
    public var statusText: String?
    /// How long ago the user was last active, when the message was sent. 0 or more; `nil` for never or not told.
    public var lastActiveAgoMilliseconds: Int64?
    /// The user takes part right now, so that the age is only a rough one.
    public var currentlyActive: Bool
    /// Of the device that the user is at, `org.presenced.device_type`; `nil` if not told, or offline.
    public var deviceType: DeviceType?

    /// - Parameter currentlyActive: follows from the state if left out.
    public init(
        user: UserID, state: PublishedState, statusText: String? = nil, lastActiveAgoMilliseconds: Int64? = nil,
        currentlyActive: Bool? = nil, deviceType: DeviceType? = nil
    ) {
        self.user = user
        self.state = state
        self.statusText = statusText
        self.lastActiveAgoMilliseconds = lastActiveAgoMilliseconds
        self.currentlyActive = currentlyActive ?? state.isCurrentlyActive
        self.deviceType = deviceType
    }
}

extension PresencePush {
    /// What a homeserver answers to a question for one user's presence, which does not name the user.
    /// - Returns: `nil` without a known state.
    public init?(decoding answer: JSONValue, of user: UserID) {
        guard let content = answer.object, let word = content["presence"]?.string,
            let state = PublishedState(wireValue: word)
        else { return nil }
        var decoded = Decoded(push: PresencePush(user: user, state: state, currentlyActive: false))
        for member in content.members { decoded.take(member) }
        self = decoded.push
    }
}

extension PresencePush {
    /// A push taken from the wire.
    struct Decoded {
        var push: PresencePush
        /// Something optional was of the wrong kind and has been left out.
        var isFlawed = false
        /// A key of presenced's own was there.
        var carriesExtension = false
    }

    /// - Returns: `nil` without a good user identifier and a known state. `null` is as good as absent.
    static func decode(_ value: JSONValue) -> Decoded? {
        guard let element = value.object, let name = element["user_id"]?.string,
            let user = try? UserID(parsing: name), let word = element["presence"]?.string,
            let state = PublishedState(wireValue: word)
        else { return nil }
        var decoded = Decoded(push: PresencePush(user: user, state: state, currentlyActive: false))
        for member in element.members { decoded.take(member) }
        if decoded.push.state == .offline { decoded.push.deviceType = nil }
        return decoded
    }

    /// Members in canonical order.
    func write(to writer: inout JSONWriter, busyValue: BusyValue) {
        writer.beginObject()
        if currentlyActive && state.isCurrentlyActive {
            writer.key("currently_active")
            writer.bool(true)
        }
        if let lastActiveAgoMilliseconds {
            writer.key("last_active_ago")
            writer.integer(lastActiveAgoMilliseconds)
        }
        if let deviceType, state != .offline {
            writer.key("org.presenced.device_type")
            writer.string(deviceType.text)
        }
        if let refinement = state.refinement {
            writer.key("org.presenced.state")
            writer.string(refinement)
        }
        writer.key("presence")
        writer.string(state.wireValue(busyValue: busyValue))
        if let statusText {
            writer.key("status_msg")
            writer.string(statusText)
        }
        writer.key("user_id")
        writer.string(user.text)
        writer.endObject()
    }
}

extension PresencePush.Decoded {
    fileprivate mutating func take(_ member: JSONObject.Member) {
        switch member.key {
        case "user_id", "presence": break
        case "status_msg":
            push.statusText = member.value.string.flatMap(StatusText.truncating)
            if member.value.string == nil { noteFlaw(in: member.value) }
        case "last_active_ago":
            push.lastActiveAgoMilliseconds = member.value.integer.map { max($0, 0) }
            if member.value.integer == nil { noteFlaw(in: member.value) }
        case "currently_active":
            push.currentlyActive = member.value.bool ?? false
            if member.value.bool == nil { noteFlaw(in: member.value) }
        case ExtensionKey.deviceType:
            carriesExtension = true
            push.deviceType = member.value.string.flatMap { try? DeviceType(parsing: $0) }
            if push.deviceType == nil { noteFlaw(in: member.value) }
        case ExtensionKey.state:
            carriesExtension = true
            if let state = member.value.string.flatMap(PublishedState.init(rawValue:)) { push.state = state }
        default:
            if member.key.hasPrefix(ExtensionKey.prefix) { carriesExtension = true }
        }
    }

    private mutating func noteFlaw(in value: JSONValue) {
        if !value.isNull { isFlawed = true }
    }
}
