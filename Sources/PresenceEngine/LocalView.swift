import PresenceModel

/// How a local user is, for whoever goes by their devices: a bridge.
public enum LocalView: Hashable, Sendable {
    /// By what a user is visible.
    public enum Basis: UInt8, Hashable, Sendable {
        /// A device of another type than `world` is connected, or was the last one that was.
        case devices
        /// Devices of the type `world` alone.
        case world
        /// This server's memory of before its start: by what, it does not remember.
        case memory
    }

    /// What others see; offline too. The text is of the user's choice, also where others see that of a device; none of
    /// who is offline.
    case visible(PublishedState, text: String?, by: Basis)
    /// The user chose to be hidden.
    case hidden
    /// The account was closed.
    case closed
}

/// What somebody who knows says of a device.
public struct DeviceShowing: Hashable, Sendable {
    /// Whether anybody is at it.
    public enum Use: Hashable, Sendable {
        /// Until it is said otherwise.
        case inUse
        /// Just now; idle by time, as other devices.
        case usedNow
        /// Nobody, until it is said otherwise.
        case idle
    }

    /// While it is connected; nothing of it is kept.
    public var type: DeviceType
    /// See ``Use``.
    public var use: Use
    /// What others see while the device is there, of a user who chose no text: ``StatusText``.
    public var text: String?

    /// A word as given; the text's length is not checked here.
    public init(type: DeviceType, use: Use, text: String?) {
        self.type = type
        self.use = use
        self.text = text
    }
}

/// The text of a device that is shown.
struct DeviceText: Sendable {
    let device: DeviceID
    let text: String
}

/// A device that is gone, and nobody knows what became of it.
struct DeviceLoss: Sendable {
    var device: DeviceID
    var since: Instant
    /// A device came since.
    var isOver = false
}
