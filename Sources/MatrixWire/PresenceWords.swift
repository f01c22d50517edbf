import PresenceModel

/// The keys of presenced's own that travel beside those of the specification.
enum ExtensionKey {
    static let prefix = "org.presenced."
    static let state = "org.presenced.state"
    static let deviceType = "org.presenced.device_type"
    static let query = "org.presenced.query"
    static let watch = "org.presenced.watch"
    static let promise = "org.presenced.promise_ms"
    static let reminder = "org.presenced.reminder"
    static let request = "org.presenced.request"
    static let note = "org.presenced.note"
}

extension PublishedState {
    /// What a `presence` value means; `nil` for a value that nobody knows.
    init?(wireValue: String) {
        switch wireValue {
        case "online": self = .online
        case "unavailable": self = .unavailable
        case "offline": self = .offline
        case "free_for_chat": self = .freeForChat
        case "busy", "org.matrix.msc3026.busy": self = .busy
        default: return nil
        }
    }

    /// What stands in `presence`.
    func wireValue(busyValue: BusyValue) -> String {
        switch self {
        case .freeForChat: "online"
        case .busy: busyValue.rawValue
        case .online, .unavailable, .offline: rawValue
        }
    }

    /// What stands in `org.presenced.state`: only what `presence` does not say.
    var refinement: String? {
        switch self {
        case .freeForChat, .busy: rawValue
        case .online, .unavailable, .offline: nil
        }
    }
}
