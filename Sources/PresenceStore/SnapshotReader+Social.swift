import GRDB
import PresenceModel
import SocialEngine

extension SnapshotReader {
    mutating func social() throws -> SocialEngine.Snapshot {
        var snapshot = SocialEngine.Snapshot()
        let columns = [
            "low", "high", "state", "asker", "since", "message", "blocks_by_low", "blocks_by_high", "actor",
            "acted_at", "room", "is_room_wanted", "revision", "origin",
        ]
        snapshot.friendships = try rows(of: "friendship", columns, by: "low, high") {
            (row) throws(UnparsableColumn) in
            (try row.pair(0, 1), try SnapshotReader.friendship(in: row))
        }
        snapshot.settings = try rows(
            of: "social_settings",
            ["user", "privacy", "privacy_revision", "is_concealed", "concealment_revision"], by: "user"
        ) { (row) throws(UnparsableColumn) in
            var settings = SocialSettings()
            settings.privacy = try row.word(1)
            settings.privacyRevision = try row.present(2, row.integer)
            settings.isConcealed = try row.flag(3)
            settings.concealmentRevision = try row.present(4, row.integer)
            return (try row.address(0), settings)
        }
        return snapshot
    }

    mutating func history(of pair: SocialPair) throws -> [FriendshipEvent] {
        let sql = """
            SELECT actor, action, message, at, revision FROM friendship_event WHERE low = ? AND high = ? ORDER BY number
            """
        let cursor = try Row.fetchCursor(database, sql: sql, arguments: [pair.low.text, pair.high.text])
        var events: [FriendshipEvent] = []
        while let next = try cursor.next() {
            let row = StoredRow(next)
            guard
                let word = try row.text(1, limitBytes: 16),
                let action = FriendshipAction(word: word, message: try row.text(2, limitBytes: .max))
            else { throw UnparsableColumn(number: 1) }
            events.append(
                FriendshipEvent(
                    pair: pair, actor: try row.word(0), action: action, at: try row.present(3, row.instant),
                    revision: try row.present(4, row.integer)))
        }
        return events
    }

    private static func friendship(in row: StoredRow) throws(UnparsableColumn) -> Friendship {
        var friendship = Friendship()
        let asker: SocialPair.Side? = row.isNull(3) ? nil : try row.word(3)
        guard let word = try row.text(2, limitBytes: 16), let state = Friendship.State(word: word, asker: asker) else {
            throw UnparsableColumn(number: 2)
        }
        friendship.state = state
        friendship.since = try row.present(4, row.instant)
        friendship.message = try row.text(5, limitBytes: .max)
        friendship.blocksByLow = try row.present(6, row.integer)
        friendship.blocksByHigh = try row.present(7, row.integer)
        friendship.actor = try row.word(8)
        friendship.actedAt = try row.present(9, row.instant)
        friendship.room = row.isNull(10) ? nil : try row.room(10)
        friendship.isRoomWanted = try row.flag(11)
        friendship.revision = try row.present(12, row.integer)
        friendship.origin = UInt64(bitPattern: try row.present(13, row.integer))
        return friendship
    }
}

extension StoredRow {
    func address(_ column: Int) throws(UnparsableColumn) -> SocialAddress {
        guard let text = try text(column, limitBytes: 255), let address = try? SocialAddress(parsing: text),
            address.text == text
        else { throw UnparsableColumn(number: column) }
        return address
    }

    func pair(_ low: Int, _ high: Int) throws(UnparsableColumn) -> SocialPair {
        let first = try address(low)
        guard let pair = SocialPair(first, try address(high)), pair.low == first else {
            throw UnparsableColumn(number: high)
        }
        return pair
    }
}
