import Foundation
import PresenceModel
import SocialEngine

/// An update as processes write it to Redis: JSON. What it does not know it leaves out, so that later versions may say
/// more.
struct SharedMessage: Codable {
    struct Place: Codable {
        var realm: String?
        var x: Int32?
        var y: Int32?
    }

    struct Presence: Codable {
        var user: String
        var sequence: UInt64
        var state: String
        var place: Place?
        var at: Int64
        var placedBy: UInt64
        /// Only a bridge holds the user there; left out if not.
        var bridged: Bool?
    }

    struct Pair: Codable {
        var low: String
        var high: String
        var state: String
        var since: Int64
        var message: String?
        var blocks: [Int64]
        var actor: String
        var actedAt: Int64
        var room: String?
        var revision: Int64
        var origin: UInt64
    }

    struct Settings: Codable {
        var user: String
        var privacy: String
        var privacyRevision: Int64
        var isConcealed: Bool
        var concealmentRevision: Int64
    }

    /// Who says so.
    var process: UInt64
    var presence: Presence?
    var pair: Pair?
    var settings: Settings?
}

/// Between updates and their text.
enum SharedText {
    static func encode(_ update: SocialEngine.SharedUpdate, of process: UInt64) -> String {
        var message = SharedMessage(process: process)
        switch update {
        case .presence(let presence): message.presence = SharedMessage.Presence(presence)
        case .friendship(let pair, let friendship): message.pair = SharedMessage.Pair(pair, friendship)
        case .settings(let user, let settings):
            message.settings = SharedMessage.Settings(
                user: user.text, privacy: settings.privacy.rawValue, privacyRevision: settings.privacyRevision,
                isConcealed: settings.isConcealed, concealmentRevision: settings.concealmentRevision)
        }
        // Numbers and valid texts only: this does not fail.
        guard let data = try? JSONEncoder().encode(message) else { return "" }
        return String(decoding: data, as: UTF8.self)
    }

    /// - Parameter validFor: how long what it says of presence holds.
    /// - Returns: `nil` for a text that says nothing we know.
    static func decode(
        _ text: String, validFor: Duration
    ) -> (process: UInt64, update: SocialEngine.SharedUpdate)? {
        guard let message = try? JSONDecoder().decode(SharedMessage.self, from: Data(text.utf8)) else { return nil }
        let update: SocialEngine.SharedUpdate?
        if let presence = message.presence {
            update = presence.value(of: message.process, validFor: validFor)
        } else if let pair = message.pair {
            update = pair.value
        } else {
            update = message.settings?.value
        }
        return update.map { (message.process, $0) }
    }

    /// Further than anybody counts, and far enough from the end that counting on does no harm.
    fileprivate static let countLimit: Int64 = 1 << 53

    fileprivate static func isCount(_ number: Int64) -> Bool { (0...countLimit).contains(number) }

    /// A time that a foreign hand wrote, within the axis.
    fileprivate static func instant(_ milliseconds: Int64) -> Instant {
        Instant(millisecondsSinceEpoch: max(0, min(milliseconds, Instant.distantFuture.millisecondsSinceEpoch)))
    }
}

extension SharedMessage.Presence {
    fileprivate init(_ presence: SocialEngine.SharedPresence) {
        user = presence.user.text
        sequence = presence.sequence
        state = presence.state.rawValue
        at = presence.at.millisecondsSinceEpoch
        placedBy = presence.placedBy
        bridged = presence.isBridged ? true : nil
        place = presence.whereabouts.map {
            SharedMessage.Place(realm: $0.realm, x: $0.parcel?.x, y: $0.parcel?.y)
        }
    }

    fileprivate func value(of process: UInt64, validFor: Duration) -> SocialEngine.SharedUpdate? {
        guard let user = try? SocialAddress(parsing: user), let state = FriendState(rawValue: state) else { return nil }
        if let realm = place?.realm, realm.utf8.count > 255 { return nil }
        let whereabouts = place.map { place in
            var parcel: Whereabouts.Parcel?
            if let x = place.x, let y = place.y { parcel = Whereabouts.Parcel(x: x, y: y) }
            return Whereabouts(realm: place.realm, parcel: parcel)
        }
        return .presence(
            SocialEngine.SharedPresence(
                user: user, process: process, sequence: sequence, state: state, whereabouts: whereabouts,
                at: SharedText.instant(at), placedBy: placedBy, validFor: validFor,
                isBridged: bridged ?? false))
    }
}

extension SharedMessage.Pair {
    fileprivate init(_ pair: SocialPair, _ friendship: Friendship) {
        low = pair.low.text
        high = pair.high.text
        state =
            switch friendship.state {
            case .none: "none"
            case .requested(let asker): "requested by \(asker.rawValue)"
            case .friends: "friends"
            case .ended: "ended"
            }
        since = friendship.since.millisecondsSinceEpoch
        message = friendship.message
        blocks = [friendship.blocksByLow, friendship.blocksByHigh]
        actor = friendship.actor.rawValue
        actedAt = friendship.actedAt.millisecondsSinceEpoch
        room = friendship.room?.text
        revision = friendship.revision
        origin = friendship.origin
    }

    private static let states: [String: Friendship.State] = [
        "none": .none, "requested by low": .requested(by: .low), "requested by high": .requested(by: .high),
        "friends": .friends, "ended": .ended,
    ]

    fileprivate var value: SocialEngine.SharedUpdate? {
        guard let first = try? SocialAddress(parsing: low), let second = try? SocialAddress(parsing: high),
            let pair = SocialPair(first, second), pair.low == first, let state = SharedMessage.Pair.states[state],
            let side = SocialPair.Side(rawValue: actor), blocks.count == 2, blocks.allSatisfy(SharedText.isCount),
            SharedText.isCount(revision), (message?.utf8.count ?? 0) <= SharedMessage.Pair.messageLimitBytes
        else { return nil }
        var friendship = Friendship()
        friendship.state = state
        friendship.since = SharedText.instant(since)
        friendship.message = message
        (friendship.blocksByLow, friendship.blocksByHigh) = (blocks[0], blocks[1])
        friendship.actor = side
        friendship.actedAt = SharedText.instant(actedAt)
        if let room {
            guard let id = try? RoomID(parsing: room) else { return nil }
            friendship.room = id
        }
        friendship.revision = revision
        friendship.origin = origin
        return .friendship(pair, friendship)
    }

    /// More than any process lets a user say; the engine cuts it to what it allows itself.
    private static let messageLimitBytes = 1_048_576
}

extension SharedMessage.Settings {
    fileprivate var value: SocialEngine.SharedUpdate? {
        guard let user = try? SocialAddress(parsing: user), let privacy = SocialPrivacy(rawValue: privacy),
            SharedText.isCount(privacyRevision), SharedText.isCount(concealmentRevision)
        else { return nil }
        var settings = SocialSettings()
        settings.privacy = privacy
        settings.privacyRevision = privacyRevision
        settings.isConcealed = isConcealed
        settings.concealmentRevision = concealmentRevision
        return .settings(user, settings)
    }
}
