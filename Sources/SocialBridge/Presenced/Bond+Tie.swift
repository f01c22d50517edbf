import BridgeEngine
import PresenceEngine

extension Bond {
    /// What the presence lists of two users say; seen from the one whom the tie is seen from.
    ///
    /// A block goes before everything. Who has the other in the group wants the friendship, unless the other denied it.
    public init(_ tie: PresenceEngine.Tie) {
        var blockers = Blockers()
        if tie.blocks { blockers.insert(.first) }
        if tie.isBlocked { blockers.insert(.second) }
        self =
            switch (tie.wants, tie.isWanted) {
            case _ where !blockers.isEmpty: .blocked(by: blockers)
            case (true, true): .friends
            case (true, false): .requested(by: .first)
            case (false, true): .requested(by: .second)
            case (false, false): .nothing
            }
    }

    /// Whether something is left in the lists of what was between two that now is this, and was not taken back by a
    /// request's own end: a friendship that one of them ended, or whatever a block ended.
    func leavesRemains(of before: Bond) -> Bool {
        switch (before, self) {
        case (.friends, .requested), (.friends, .blocked), (.requested, .blocked): true
        default: false
        }
    }
}
