/// A device of one user, as its access token names it: 1 to 255 UTF-8 bytes without control characters.
///
/// Spec: client-server API, relationship between access tokens and devices.
public struct DeviceID: Hashable, Comparable, Sendable {
    /// The longest device id, in UTF-8 bytes.
    public static let limitBytes = 255

    /// The id as it was parsed.
    public let text: String

    /// - Throws: ``IdentifierError``, naming the first rule broken.
    public init(parsing text: some StringProtocol) throws(IdentifierError) {
        guard !text.isEmpty else { throw .empty }
        guard text.utf8.count <= DeviceID.limitBytes else { throw .tooLong(limitBytes: DeviceID.limitBytes) }
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { throw .forbiddenCharacter }
        self.text = String(text)
    }

    /// The order of the texts.
    public static func < (left: DeviceID, right: DeviceID) -> Bool { left.text < right.text }
}

extension DeviceID: CustomStringConvertible {
    /// The id itself.
    public var description: String { text }
}

/// One device of one user.
public struct DeviceKey: Hashable, Sendable {
    /// The device's owner: device ids are unique only within one user.
    public var user: UserID
    /// The device among its owner's.
    public var device: DeviceID

    /// The key of `device` of `user`.
    public init(user: UserID, device: DeviceID) {
        self.user = user
        self.device = device
    }
}
