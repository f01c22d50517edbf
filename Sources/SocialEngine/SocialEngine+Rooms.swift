import PresenceModel

// The Matrix rooms of friendships.
extension SocialEngine {
    /// Asks for those that were asked for before the start.
    mutating func askForRooms(at now: Instant, into effects: inout [Effect]) {
        guard configuration.makesRooms else { return }
        for number in pairs.indices { askForRoom(of: number, at: now, into: &effects) }
    }

    mutating func askForRoom(of number: Int, at now: Instant, into effects: inout [Effect]) {
        guard pairs[number].friendship.isRoomWanted, !pairs[number].isRoomAsked else { return }
        pairs[number].isRoomAsked = true
        roomDeadlines.set(number, to: nil)
        effects.append(.makeRoom(pair(number)))
    }

    mutating func delayRoom(of pair: SocialPair, at now: Instant) {
        guard let number = pairNumber(of: pair), pairs[number].isRoomAsked else { return }
        pairs[number].isRoomAsked = false
        guard pairs[number].friendship.isRoomWanted else { return }
        let longest = configuration.roomAgainAfterAtMost
        // Doubled as often as it can without passing the longest.
        var wait = configuration.roomAgainAfter
        for _ in 0..<pairs[number].roomFailures where wait < longest { wait = min(wait * 2, longest) }
        pairs[number].roomFailures += 1
        roomDeadlines.set(number, to: now.advanced(by: wait))
    }

    /// After a change of the friendship.
    mutating func followUp(
        _ number: Int, since before: Friendship, at now: Instant, into effects: inout [Effect]
    ) {
        let friendship = pairs[number].friendship
        if friendship.room != nil {
            pairs[number].isRoomAsked = false
            pairs[number].roomFailures = 0
        }
        if !friendship.isRoomWanted {
            roomDeadlines.set(number, to: nil)
        } else if !before.isRoomWanted {
            askForRoom(of: number, at: now, into: &effects)
        }
    }
}
