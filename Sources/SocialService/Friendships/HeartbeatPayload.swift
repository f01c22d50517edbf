import FoundationEssentials
import SocialEngine
import SocialWire

/// What a heartbeat says, in whichever layout it came.
///
/// | layout | field 1 | field 2 |
/// |---|---|---|
/// | A, first generation | token | Position |
/// | B, first generation later, and second | Position | Payload with the token |
///
/// Field 1 is a Position if it is empty or begins with the mark of one of a Position's fields: a token begins with a
/// printable character, which those are not. Without field 1, field 2 could be either; it counts as layout A without a
/// token, as the first service answers. Facts: section 2.2.
struct HeartbeatPayload: Hashable, Sendable {
    var token: String?
    var missing: SocialCredentials.MissingToken
    var position: FriendshipsPosition?
    /// Field 3 in both layouts; readers of old do not know it.
    var state: FriendState

    init(_ frame: FriendshipsPositionPayloadFrame) throws(SocialRefusal) {
        switch frame.state {
        case .unspecified, .online: state = .online
        case .away: state = .away
        case .offline: state = .offline
        case .UNRECOGNIZED: throw .badRequest("`state` is not known")
        }
        let isLayoutB = frame.hasFirst && HeartbeatPayload.isPosition(frame.first)
        do {
            if isLayoutB {
                missing = .authToken
                position = try FriendshipsPosition(serializedBytes: frame.first)
                let payload = frame.hasSecond ? try FriendshipsPayload(serializedBytes: frame.second) : nil
                token = payload.flatMap { $0.hasSynapseToken ? $0.synapseToken : nil }
            } else {
                missing = .synapseToken
                token = frame.hasFirst ? String(decoding: frame.first, as: UTF8.self) : nil
                position = frame.hasSecond ? try FriendshipsPosition(serializedBytes: frame.second) : nil
            }
        } catch {
            throw .badRequest("`position` does not decode")
        }
    }

    private static func isPosition(_ bytes: Data) -> Bool {
        guard let mark = bytes.first else { return true }
        return mark == 0x0A || mark == 0x12 || mark == 0x1A
    }
}

extension Whereabouts {
    /// The longest realm, in UTF-8 bytes.
    static let realmLimitBytes = 255

    /// What a heartbeat says of where its user is; `nil` for nothing, which leaves what was said before.
    ///
    /// Empty texts count as left out. x and y are decimal integers of 32 bits and come together; a realm may come alone,
    /// and so may they.
    init?(_ position: FriendshipsPosition) throws(SocialRefusal) {
        let isThere = [
            position.hasRealm && !position.realm.isEmpty, position.hasX && !position.x.isEmpty,
            position.hasY && !position.y.isEmpty,
        ]
        guard isThere.contains(true) else { return nil }
        guard isThere[1] == isThere[2] else { throw .badRequest("`x` and `y` belong together") }
        if isThere[0] {
            guard position.realm.utf8.count <= Whereabouts.realmLimitBytes else {
                throw .badRequest("`realm` is longer than \(Whereabouts.realmLimitBytes) bytes")
            }
            // U+0000 to U+001F and U+007F would break out of lines and texts that readers put it into.
            guard !position.realm.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
                throw .badRequest("`realm` holds control characters")
            }
        }
        var parcel: Parcel?
        if isThere[1] {
            guard let x = Whereabouts.coordinate(position.x), let y = Whereabouts.coordinate(position.y) else {
                throw .badRequest("`x` and `y` are decimal integers")
            }
            parcel = Parcel(x: x, y: y)
        }
        self.init(realm: isThere[0] ? position.realm : nil, parcel: parcel)
    }

    private static func coordinate(_ text: String) -> Int32? {
        text.utf8.first == UInt8(ascii: "+") ? nil : Int32(text)
    }
}

extension FriendshipsPosition {
    /// Realm and coordinates as far as known.
    init(_ whereabouts: Whereabouts?) {
        self.init()
        guard let whereabouts else { return }
        if let realm = whereabouts.realm { self.realm = realm }
        if let parcel = whereabouts.parcel {
            x = String(parcel.x)
            y = String(parcel.y)
        }
    }
}
