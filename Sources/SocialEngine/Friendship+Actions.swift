import PresenceModel

extension Friendship {
    /// What becomes of the friendship when `side` does `action`; limits are not looked at.
    ///
    /// Two requests that cross are a friendship. A block ends what there is; while either blocks the other there is no
    /// request. Facts: social service, sections 4.3 and 6.4; decision 25.
    /// - Throws: ``FriendshipRefusal``, if the action is not allowed.
    public func after(
        _ action: FriendshipAction, by side: SocialPair.Side, at now: Instant
    ) throws(FriendshipRefusal) -> Friendship {
        var next = self
        switch action {
        case .request(let message):
            guard !isBlocked else { throw .blocked }
            switch state {
            case .none, .ended: next.enter(.requested(by: side), at: now, message: message)
            case .requested(let asker) where asker != side: next.enter(.friends, at: now)
            case .requested, .friends: throw .transition
            }
        case .accept:
            guard try asker() != side else { throw .actingUser(action) }
            next.enter(.friends, at: now)
        case .reject:
            guard try asker() != side else { throw .actingUser(action) }
            next.enter(.ended, at: now)
        case .cancel:
            guard try asker() == side else { throw .actingUser(action) }
            next.enter(.ended, at: now)
        case .delete:
            guard state == .friends else { throw misplaced }
            next.enter(.ended, at: now)
        case .block:
            guard !isBlocked(by: side) else { throw .transition }
            next.countBlock(by: side)
            next.endIfBlocked(at: now)
        case .unblock:
            guard isBlocked(by: side) else { throw misplaced }
            next.countBlock(by: side)
        }
        next.actor = side
        next.actedAt = now
        next.revision += 1
        return next
    }

    /// Who asked.
    private func asker() throws(FriendshipRefusal) -> SocialPair.Side {
        guard case .requested(let asker) = state else { throw misplaced }
        return asker
    }

    /// Whom somebody blocked without ever having to do with them does not learn from a refusal that there is a row.
    private var misplaced: FriendshipRefusal { state == .none ? .unknownPair : .transition }

    private mutating func enter(_ state: State, at now: Instant, message: String? = nil) {
        self.state = state
        since = now
        self.message = message
    }

    mutating func endIfBlocked(at now: Instant) {
        guard isBlocked else { return }
        switch state {
        case .requested, .friends: enter(.ended, at: now)
        case .none, .ended: break
        }
    }
}
