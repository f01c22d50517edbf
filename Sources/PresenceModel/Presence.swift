/// What the user picked; one per user, the same on all devices.
///
/// Any state may follow any other. Seed: presence information.
public enum ChosenState: String, Hashable, Sendable, CaseIterable {
    case freeForChat = "free_for_chat"
    /// The state of who never chose.
    case online
    case busy
    case unavailable
    case offline
    /// Offline for others, in every byte and every timing; the user themself sees it.
    case hidden
}

/// What observers see of a user's availability, derived from the chosen state and the devices.
public enum PublishedState: String, Hashable, Sendable, CaseIterable {
    case freeForChat = "free_for_chat"
    case online
    case busy
    /// Chosen, or every connected device is idle.
    case unavailable
    case offline

    /// The user is at a device and takes part: `currently_active` of an `m.presence` event.
    public var isCurrentlyActive: Bool { self == .online || self == .freeForChat }
}

/// What a user's server says of the user: state, text, and the last sign of activity.
public struct Presence: Hashable, Sendable {
    /// What others see of the user's availability.
    public var state: PublishedState
    /// ``StatusText``, at most 1,024 UTF-8 bytes.
    public var statusText: String?
    /// `nil` for a user who was never active.
    public var lastActive: Instant?
    /// Of the device that the user is at; `nil` if not told, or offline.
    public var deviceType: DeviceType?

    /// A presence as given; the text's length is not checked here.
    public init(
        state: PublishedState, statusText: String? = nil, lastActive: Instant? = nil, deviceType: DeviceType? = nil
    ) {
        self.state = state
        self.statusText = statusText
        self.lastActive = lastActive
        self.deviceType = deviceType
    }

    /// A user who exists and was never seen.
    public static let neverActive = Presence(state: .offline)

    /// Equal in what is worth a message: the age of the last activity is not.
    public func says(theSameAs other: Presence) -> Bool {
        state == other.state && statusText == other.statusText && deviceType == other.deviceType
    }
}

/// Limits of a status text.
public enum StatusText {
    /// From a local user a longer text is refused; from another server it is cut at a character.
    public static let limitBytes = 1024

    /// The longest beginning of `text` within `limit` bytes of UTF-8 that does not cut a character in two, an emoji of
    /// several parts included; `nil` if empty.
    public static func truncating(_ text: String, toBytes limit: Int) -> String? {
        guard !text.isEmpty else { return nil }
        guard text.utf8.count > limit else { return text }
        var room = limit
        let kept = text.prefix { character in
            room -= character.utf8.count
            return room >= 0
        }
        return kept.isEmpty ? nil : String(kept)
    }

    /// As ``truncating(_:toBytes:)``, to ``limitBytes``.
    public static func truncating(_ text: String) -> String? { truncating(text, toBytes: limitBytes) }
}

/// Why nothing is known of a user.
public enum UnknownReason: String, Hashable, Sendable, CaseIterable {
    /// The user's server has not said anything yet.
    case neverHeard = "never_heard"
    /// The promise of the user's server ran out, and it has not renewed it.
    case promiseLapsed = "promise_lapsed"
    /// Nobody connected here cares, so this server has told the user's server that it need not report.
    case notAsked = "not_asked"
    /// The user's server does not answer any more; what it said last may no longer hold.
    case serverSilent = "server_silent"
    /// A local user who was seen through a social service alone, which does not say any more how they are.
    case socialSideLost = "social_side_lost"
}

/// What this server can say of a user: a presence, or that it does not know.
public enum Knowledge: Hashable, Sendable {
    case known(Presence)
    case unknown(UnknownReason, since: Instant)
}
