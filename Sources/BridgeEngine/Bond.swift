import SocialEngine

/// What is between two users, on one side of the bridge; seen from one of them, the first.
///
/// In Matrix, an entry in the group `friends` says that its owner wants the friendship: of one of the two it is a
/// request, of both a friendship, and both let themselves be seen then.
///
/// | act | in the presence list |
/// |---|---|
/// | request | an entry in the group, its note the message |
/// | accept | the request granted, and an entry in the group |
/// | reject | the request denied |
/// | cancel | the own entry taken out of the list |
/// | delete | both consents revoked, both entries taken out of the group |
/// | block, unblock | the same, and the other blocked; no longer blocked |
///
/// From nothing to requested or friends; from requested to nothing or friends; from friends to nothing; from each to
/// blocked, and from there to nothing.
public enum Bond: Hashable, Sendable {
    case nothing
    case requested(by: Partner)
    case friends
    case blocked(by: Blockers)

    /// One of the two.
    public enum Partner: Hashable, Sendable, CaseIterable {
        case first, second

        /// Not this one.
        public var other: Partner { self == .first ? .second : .first }
    }

    /// Who of the two blocked the other; never nobody.
    public struct Blockers: OptionSet, Hashable, Sendable {
        /// One bit each.
        public let rawValue: UInt8
        /// Those whose bits are set.
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// The first blocked the second.
        public static let first = Blockers(rawValue: 1)
        /// The second blocked the first.
        public static let second = Blockers(rawValue: 2)

        /// That one alone.
        public init(_ partner: Partner) { self = partner == .first ? .first : .second }
    }

    /// Seen from the other one.
    public var turned: Bond {
        switch self {
        case .nothing, .friends: self
        case .requested(let partner): .requested(by: partner.other)
        case .blocked(.first): .blocked(by: .second)
        case .blocked(.second): .blocked(by: .first)
        case .blocked: self
        }
    }

    /// What an act makes of it; `nil` if the act does not apply.
    public func after(_ action: FriendshipAction, by partner: Partner) -> Bond? {
        switch (action, self) {
        case (.request, .nothing): .requested(by: partner)
        case (.request, .requested(partner.other)): .friends
        case (.accept, .requested(partner.other)): .friends
        case (.reject, .requested(partner.other)): Bond.nothing
        case (.cancel, .requested(partner)): Bond.nothing
        case (.delete, .friends): Bond.nothing
        case (.block, .blocked(let blockers)): .blocked(by: blockers.union(Blockers(partner)))
        case (.block, _): .blocked(by: Blockers(partner))
        case (.unblock, .blocked(let blockers)) where blockers.contains(Blockers(partner)):
            Bond(blockers: blockers.subtracting(Blockers(partner)))
        default: nil
        }
    }

    init(blockers: Blockers) { self = blockers.isEmpty ? .nothing : .blocked(by: blockers) }

    var blockers: Blockers {
        guard case .blocked(let blockers) = self else { return [] }
        return blockers
    }

    /// How much the two let each other see.
    private var closeness: Int {
        switch self {
        case .blocked, .nothing: 0
        case .requested: 1
        case .friends: 2
        }
    }

    /// What is to hold where two sides that agreed on `base` are now `one` and `other`, not knowing of each other.
    ///
    /// Each block and each end of a block counts. A side that took something back goes before one that gave something;
    /// of two that took back different things, the later act; of two that gave, who gave more. Requests that crossed
    /// make friends.
    /// - Parameter isOneLater: whether `one` came about after `other`.
    static func settled(base: Bond, one: Bond, other: Bond, isOneLater: Bool) -> Bond {
        if one == other || other == base { return one }
        if one == base { return other }
        let changed = base.blockers.symmetricDifference(one.blockers)
        let blockers = one.blockers.intersection(changed).union(other.blockers.subtracting(changed))
        if !blockers.isEmpty { return .blocked(by: blockers) }
        let (first, second) = (one.unblocked, other.unblocked)
        switch (first.closeness < base.closeness, second.closeness < base.closeness) {
        case (true, false): return first
        case (false, true): return second
        case (true, true): return isOneLater ? first : second
        case (false, false): break
        }
        if case .requested(let asker) = first, second == .requested(by: asker.other) { return .friends }
        return first.closeness >= second.closeness ? first : second
    }

    private var unblocked: Bond { closeness == 0 ? .nothing : self }

    /// The next act on the way to `aim`; `nil` if there is none that one of `able` can do.
    func step(towards aim: Bond, able: (Partner) -> Bool) -> (by: Partner, FriendshipAction)? {
        guard self != aim else { return nil }
        for partner in Partner.allCases where able(partner) {
            let isWanted = aim.blockers.contains(Blockers(partner))
            if isWanted != blockers.contains(Blockers(partner)) { return (partner, isWanted ? .block : .unblock) }
        }
        switch self {
        case .blocked: return nil
        case .nothing:
            switch aim {
            case .requested(let asker): return able(asker) ? (asker, .request(message: nil)) : nil
            case .friends: return Partner.allCases.first(where: able).map { ($0, .request(message: nil)) }
            case .nothing, .blocked: return nil
            }
        case .requested(let asker):
            if aim == .friends { return able(asker.other) ? (asker.other, .accept) : nil }
            if able(asker) { return (asker, .cancel) }
            return able(asker.other) ? (asker.other, .reject) : nil
        case .friends: return Partner.allCases.first(where: able).map { ($0, .delete) }
        }
    }
}
