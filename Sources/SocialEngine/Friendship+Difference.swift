import PresenceModel

extension Friendship {
    /// Something that one of two users did, and who of them is told.
    struct Deed: Hashable, Sendable {
        var action: FriendshipAction
        var by: SocialPair.Side
        var toldTo: [SocialPair.Side]
    }

    /// What happened between `earlier` and now, as it is told: the same whether it happened here or in another process,
    /// and whether it was one action or several. Of a block only the blocker is told; the other one learns that
    /// something ended, if it did.
    func deeds(since earlier: Friendship) -> [Deed] {
        let blockers = SocialPair.Side.allCases.filter { isBlocked(by: $0) && !earlier.isBlocked(by: $0) }
        let unblockers = SocialPair.Side.allCases.filter { !isBlocked(by: $0) && earlier.isBlocked(by: $0) }
        var deeds = blockers.map { Deed(action: .block, by: $0, toldTo: [$0]) }
        deeds += unblockers.map { Deed(action: .unblock, by: $0, toldTo: [$0]) }
        let told = SocialPair.Side.allCases.filter { !blockers.contains($0) }
        switch (earlier.state, state) {
        case (.requested(let before), .requested(let asker)) where before != asker:
            deeds.append(Deed(action: .cancel, by: before, toldTo: told))
            deeds.append(Deed(action: .request(message: message), by: asker, toldTo: told))
        case (.requested(let asker), .friends):
            deeds.append(Deed(action: .accept, by: asker.opposite, toldTo: told))
        case (.requested(let asker), .none), (.requested(let asker), .ended):
            let action = ender(blockers) == asker ? FriendshipAction.cancel : .reject
            deeds.append(Deed(action: action, by: ender(blockers), toldTo: told))
        case (.friends, .requested(let asker)):
            deeds.append(Deed(action: .delete, by: actor, toldTo: told))
            deeds.append(Deed(action: .request(message: message), by: asker, toldTo: told))
        case (.friends, .none), (.friends, .ended):
            deeds.append(Deed(action: .delete, by: ender(blockers), toldTo: told))
        case (.none, .requested(let asker)), (.ended, .requested(let asker)):
            deeds.append(Deed(action: .request(message: message), by: asker, toldTo: told))
        case (.none, .friends), (.ended, .friends):
            deeds.append(Deed(action: .accept, by: actor, toldTo: told))
        default: break
        }
        return deeds
    }

    private func ender(_ blockers: [SocialPair.Side]) -> SocialPair.Side {
        blockers.isEmpty || blockers.contains(actor) ? actor : blockers[0]
    }
}
