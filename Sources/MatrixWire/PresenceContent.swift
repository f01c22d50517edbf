import PresenceModel

/// What a client is told of a user: the answer to `GET …/presence/{userId}/status`, and the content of an
/// `m.presence` event.
///
/// `{"presence":…,"last_active_ago"?:…,"status_msg"?:…,"currently_active"?:true,"org.presenced.state"?:…,
/// "org.presenced.device_type"?:…}` and, for the user themself, ``Own``. `org.presenced.state` is only there for what
/// `presence` cannot say. Spec: client-server API, presence; m.presence.
public struct PresenceContent: Hashable, Sendable {
    /// What only the user themself is told: `"org.presenced.chosen"?`, `"org.presenced.override"?:{"presence",
    /// "until_ts"?}`, `"org.presenced.waiting_requests"?`, and `hidden` as `org.presenced.state`.
    public struct Own: Hashable, Sendable {
        /// The user is hidden: others see them offline.
        public var isHidden: Bool
        /// What was picked; written where it is not what is shown.
        public var chosen: ChosenState
        /// What the user insists on, if anything.
        public var override: PresenceOverride?
        /// How many wait to be let see the user; 0 is not written.
        public var waitingRequests: Int

        /// What a user is told of themself.
        public init(
            isHidden: Bool, chosen: ChosenState, override: PresenceOverride? = nil, waitingRequests: Int = 0
        ) {
            self.isHidden = isHidden
            self.chosen = chosen
            self.override = override
            self.waitingRequests = waitingRequests
        }
    }

    /// The state that the reader may see.
    public var state: PublishedState
    /// `nil` for none.
    public var statusText: String?
    /// The age of the last activity at the moment of writing; `nil` for a user who was never active.
    public var lastActiveAgoMilliseconds: Int64?
    /// Of the device that the user is at; `nil` if not told.
    public var deviceType: DeviceType?
    /// `nil` where another user reads.
    public var own: Own?

    /// A user's presence, at the moment of writing.
    public init(
        state: PublishedState, statusText: String? = nil, lastActiveAgoMilliseconds: Int64? = nil,
        deviceType: DeviceType? = nil, own: Own? = nil
    ) {
        self.state = state
        self.statusText = statusText
        self.lastActiveAgoMilliseconds = lastActiveAgoMilliseconds
        self.deviceType = deviceType
        self.own = own
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
        writeMembers(to: &writer, busyValue: busyValue)
        writer.endObject()
    }

    /// As members of an object that the caller has begun and will end.
    public func writeMembers(to writer: inout JSONWriter, busyValue: BusyValue = .msc3026) {
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
        let refinement = own?.isHidden == true ? ChosenState.hidden.rawValue : state.refinement
        if let refinement {
            writer.key("org.presenced.state")
            writer.string(refinement)
        }
        if let deviceType {
            writer.key("org.presenced.device_type")
            writer.string(deviceType.text)
        }
        own?.write(shown: refinement ?? state.rawValue, to: &writer)
    }

    /// As the event `{"type":"m.presence","sender":…,"content":{…}}`.
    public func writeEvent(sender: UserID, to writer: inout JSONWriter, busyValue: BusyValue = .msc3026) {
        writer.presenceEvent(sender: sender) { write(to: &$0, busyValue: busyValue) }
    }
}

extension PresenceContent.Own {
    fileprivate func write(shown: String, to writer: inout JSONWriter) {
        if chosen.rawValue != shown {
            writer.key("org.presenced.chosen")
            writer.string(chosen.rawValue)
        }
        if let override {
            writer.key("org.presenced.override")
            writer.beginObject()
            writer.key("presence")
            writer.string(override.state.rawValue)
            if let until = override.until {
                writer.key("until_ts")
                writer.integer(until.millisecondsSinceEpoch)
            }
            writer.endObject()
        }
        if waitingRequests > 0 {
            writer.key("org.presenced.waiting_requests")
            writer.integer(Int64(waitingRequests))
        }
    }
}

extension JSONWriter {
    /// The event `{"type":"m.presence","sender":…,"content":…}`.
    mutating func presenceEvent(sender: UserID, content: (inout JSONWriter) -> Void) {
        beginObject()
        key("type")
        string("m.presence")
        key("sender")
        string(sender.text)
        key("content")
        content(&self)
        endObject()
    }
}
