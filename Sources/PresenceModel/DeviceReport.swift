/// What kind of thing a device is: `desktop`, `mobile`, `web`, `tablet`, `console`, `bot`, `world`, or any token of 1 to
/// 32 characters out of `a-z`, `0-9`, `.`, `_` and `-`.
///
/// Seed: device type.
public struct DeviceType: Hashable, Comparable, Sendable {
    /// The longest token, in UTF-8 bytes.
    public static let limitBytes = 32

    /// The token.
    public let text: String

    /// - Throws: ``IdentifierError``, naming the first rule broken.
    public init(parsing text: some StringProtocol) throws(IdentifierError) {
        guard !text.isEmpty else { throw .empty }
        guard text.utf8.count <= DeviceType.limitBytes else { throw .tooLong(limitBytes: DeviceType.limitBytes) }
        let isToken = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
            default: false
            }
        }
        guard isToken else { throw .forbiddenCharacter }
        self.text = String(text)
    }

    /// In the world of a social service, and not in front of a client of Matrix.
    public var isWorld: Bool { text == "world" }

    /// The order of the texts.
    public static func < (left: DeviceType, right: DeviceType) -> Bool { left.text < right.text }
}

extension DeviceType: CustomStringConvertible {
    /// The token itself.
    public var description: String { text }
}

/// What a device says of itself, once; the server goes on from there.
///
/// Seed: report per-device idle time, report per-device type.
public struct DeviceReport: Hashable, Sendable {
    /// What became of the device's idleness.
    public enum Idleness: Hashable, Sendable {
        /// Nothing is said of it.
        case unchanged
        /// Idle for so many milliseconds, 0 or more, and counting until activity or ``active``.
        case idle(milliseconds: Int64)
        /// Somebody is there: cancels idleness, and is activity.
        case active
    }

    /// What is said of the idleness.
    public var idleness: Idleness
    /// The device's type from now on; `nil`: as before.
    public var type: DeviceType?

    /// A report as given; negative times count as 0.
    public init(idleness: Idleness = .unchanged, type: DeviceType? = nil) {
        self.idleness = idleness
        self.type = type
    }
}

/// What a sync says of its device: the parameter `set_presence`.
///
/// Spec: client-server API, sync.
public enum SetPresence: String, Hashable, Sendable, CaseIterable {
    /// The device is in use. Also what a sync means that says nothing.
    case online
    /// The device is idle.
    case unavailable
    /// The sync is not to touch presence. It sets nobody offline.
    case offline
}
