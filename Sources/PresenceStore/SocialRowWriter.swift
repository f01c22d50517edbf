import Foundation
import GRDB
import PresenceModel
import SocialEngine

/// Writes records of the social service as rows, inside a transaction of the caller.
struct SocialRowWriter {
    private let database: Database

    init(_ database: Database) { self.database = database }

    mutating func write(_ record: SocialEngine.Record) throws {
        switch record {
        case .friendship(let pair, let friendship): try write(friendship, of: pair)
        case .event(let event): try write(event)
        case .settings(let user, let settings):
            try execute(
                """
                INSERT OR REPLACE INTO social_settings
                    (user, privacy, privacy_revision, is_concealed, concealment_revision)
                VALUES (?, ?, ?, ?, ?)
                """,
                [
                    user.text, settings.privacy.rawValue, settings.privacyRevision, settings.isConcealed,
                    settings.concealmentRevision,
                ])
        }
    }

    private func write(_ friendship: Friendship, of pair: SocialPair) throws {
        try execute(
            """
            INSERT OR REPLACE INTO friendship (low, high, state, asker, since, message, blocks_by_low, blocks_by_high,
                actor, acted_at, room, is_room_wanted, revision, origin)
            VALUES (?, ?, ?, ?, ?, CAST(? AS TEXT), ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                pair.low.text, pair.high.text, friendship.state.word, friendship.state.asker?.rawValue,
                friendship.since.millisecondsSinceEpoch, friendship.message.map { Data($0.utf8) },
                friendship.blocksByLow, friendship.blocksByHigh, friendship.actor.rawValue,
                friendship.actedAt.millisecondsSinceEpoch, friendship.room?.text, friendship.isRoomWanted,
                friendship.revision, Int64(bitPattern: friendship.origin),
            ])
    }

    private func write(_ event: FriendshipEvent) throws {
        var message: String?
        if case .request(let said) = event.action { message = said }
        try execute(
            """
            INSERT INTO friendship_event (low, high, actor, action, message, at, revision)
            VALUES (?, ?, ?, ?, CAST(? AS TEXT), ?, ?)
            """,
            [
                event.pair.low.text, event.pair.high.text, event.actor.rawValue, event.action.word,
                message.map { Data($0.utf8) }, event.at.millisecondsSinceEpoch, event.revision,
            ])
    }

    private func execute(_ sql: String, _ arguments: StatementArguments) throws {
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
    }
}

extension Friendship.State {
    fileprivate var word: String {
        switch self {
        case .none: "none"
        case .requested: "requested"
        case .friends: "friends"
        case .ended: "ended"
        }
    }

    fileprivate var asker: SocialPair.Side? {
        if case .requested(let asker) = self { asker } else { nil }
    }

    init?(word: String, asker: SocialPair.Side?) {
        switch (word, asker) {
        case ("none", nil): self = .none
        case ("requested", let asker?): self = .requested(by: asker)
        case ("friends", nil): self = .friends
        case ("ended", nil): self = .ended
        default: return nil
        }
    }
}

extension FriendshipAction {
    fileprivate var word: String {
        switch self {
        case .request: "request"
        case .accept: "accept"
        case .reject: "reject"
        case .cancel: "cancel"
        case .delete: "delete"
        case .block: "block"
        case .unblock: "unblock"
        }
    }

    init?(word: String, message: String?) {
        let plain: [String: FriendshipAction] = [
            "accept": .accept, "reject": .reject, "cancel": .cancel, "delete": .delete, "block": .block,
            "unblock": .unblock,
        ]
        if word == "request" {
            self = .request(message: message)
        } else if let action = plain[word], message == nil {
            self = action
        } else {
            return nil
        }
    }
}
