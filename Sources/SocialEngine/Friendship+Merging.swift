import PresenceModel

extension Friendship {
    /// What two processes agree on that know different things of the same two users: whoever of them asks, in whatever
    /// order, as often as they like, the answer is the same. ``isRoomWanted`` stays what it is here.
    ///
    /// The higher revision holds. Of the same revision, crossing requests are a friendship, and an end goes before
    /// anything else. A block is lost to no revision, a room neither. Decision 26.
    public func merged(with other: Friendship) -> Friendship {
        var merged = revision == other.revision ? settled(with: other) : revision > other.revision ? self : other
        merged.blocksByLow = max(blocksByLow, other.blocksByLow)
        merged.blocksByHigh = max(blocksByHigh, other.blocksByHigh)
        merged.room = [room, other.room].compactMap { $0 }.min()
        merged.isRoomWanted = isRoomWanted
        merged.endIfBlocked(at: merged.actedAt)
        return merged
    }

    /// Whether both say the same to other processes.
    func agrees(with other: Friendship) -> Bool {
        var other = other
        other.isRoomWanted = isRoomWanted
        return self == other
    }

    /// Of the same revision: of each part the larger, so that the order in which many are merged does not matter.
    private func settled(with other: Friendship) -> Friendship {
        var merged = self
        merged.state = state.joined(with: other.state)
        merged.since = max(since, other.since)
        merged.actedAt = max(actedAt, other.actedAt)
        merged.actor = actor == other.actor ? actor : .high
        merged.origin = max(origin, other.origin)
        merged.message = [message, other.message].compactMap { $0 }.max()
        if case .requested = merged.state {} else { merged.message = nil }
        return merged
    }
}

extension Friendship.State {
    fileprivate func joined(with other: Friendship.State) -> Friendship.State {
        if case .requested(let mine) = self, case .requested(let theirs) = other, mine != theirs { return .friends }
        return rank >= other.rank ? self : other
    }

    private var rank: Int {
        switch self {
        case .none: 0
        case .requested: 1
        case .friends: 2
        case .ended: 3
        }
    }
}
