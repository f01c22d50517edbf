import PresenceModel
import SocialEngine

/// Two figures, the one of the lesser address first.
struct PairKey: Hashable, Sendable {
    var first: Int
    var second: Int
}

/// One of the two sides of the bridge.
enum Side: Hashable, Sendable {
    case matrix, social
}

/// What is between two of the social side, at least one of them a member, on both sides of the bridge. Bonds are seen
/// from the first.
///
/// What both sides are to be is the aim. A side that changed since it was last taken into account, and not by an order,
/// moves the aim; then both are driven there, an order at a time.
struct Pair: Sendable {
    let first: Int
    let second: Int
    /// Who they are in Matrix; `nil` inside: nobody can stand for them.
    var users: [UserID?]
    var aim = Bond.nothing
    /// When what moved it last came about.
    var aimAt = Instant.epoch

    // The sides as they are; of Matrix `nil` if it was not read.
    var matrix: Bond?
    var eyes = [Eye(), Eye()]
    /// Whose session counts: two sessions may tell the same things at different times.
    var authority: Bond.Partner?

    // The sides as they were taken into account.
    var countedMatrix = Bond.nothing
    var countedSocial = Bond.nothing

    // What the last order on a side leads to, if it was not seen yet.
    var expectedMatrix: Bond?
    var expectedSocial: Bond?
    /// Not answered yet.
    var order: Order?
    /// Orders in a row that led nowhere.
    var failures = 0
    var notBefore: Instant?
    /// Left as it is, until a side is another.
    var isLeft = false
    /// What was said with a request of the social side.
    var message: String?
    var kept: PairMemory?

    /// What is known of the social side through one of the two.
    struct Eye: Hashable, Sendable {
        var isMember = false
        /// Friendships were read in this run of the bridge, since they are a member.
        var hasRead = false
        /// What was told last.
        var seen = Bond.nothing
    }

    struct Order: Hashable, Sendable {
        var side: Side
        var actor: Bond.Partner
        var action: FriendshipAction
        var until: Instant
    }

    var key: PairKey { PairKey(first: first, second: second) }

    /// The social side as the session that counts has it; `nil` if none does. Blocks only as the one who blocks is told
    /// of them: the other may never be.
    var social: Bond? {
        guard let authority else { return nil }
        let blockers = Bond.Partner.allCases.reduce(Bond.Blockers()) { $0.union(blocks(of: $1)) }
        return blockers.isEmpty ? self[authority].seen.withoutBlocks : .blocked(by: blockers)
    }

    private func blocks(of partner: Bond.Partner) -> Bond.Blockers {
        let own = Bond.Blockers(partner)
        guard self[partner].isMember else { return [] }
        // Until they read, it is as it was.
        return (self[partner].hasRead ? self[partner].seen : countedSocial).blockers.intersection(own)
    }

    /// Where the social side cannot be brought to the aim by members alone, it is the aim itself; but for friends in
    /// Matrix whom a member can ask there: those two stay friends until the other one answers.
    mutating func lowerAim() {
        var (bond, steps) = (countedSocial, 0)
        while let step = bond.step(towards: aim, able: { self[$0].isMember }), steps < 5 {
            guard let next = bond.after(step.1, by: step.by) else { break }
            bond = next
            steps += 1
        }
        if bond == aim { return }
        if aim == .friends, countedMatrix == .friends, case .requested = bond { return }
        aim = countedSocial
    }

    /// A bond without the blocks of who is no member: nobody says when they end.
    func comparable(_ bond: Bond) -> Bond {
        let strangers = Bond.Partner.allCases.filter { !self[$0].isMember }.map { Bond.Blockers($0) }
        let blockers = strangers.reduce(bond.blockers) { $0.subtracting($1) }
        return blockers.isEmpty ? bond.withoutBlocks : .blocked(by: blockers)
    }

    subscript(_ partner: Bond.Partner) -> Eye {
        get { eyes[partner == .first ? 0 : 1] }
        set { eyes[partner == .first ? 0 : 1] = newValue }
    }

    func partner(_ number: Int) -> Bond.Partner { number == first ? .first : .second }
    func number(_ partner: Bond.Partner) -> Int { partner == .first ? first : second }
    func other(than number: Int) -> Int { number == first ? second : first }

    func user(_ partner: Bond.Partner) -> UserID? { partner == .first ? users[0] : users[1] }

    /// Nothing is between the two, and nothing is under way.
    var isNothing: Bool {
        aim == .nothing && (matrix ?? countedMatrix) == .nothing && countedMatrix == .nothing
            && countedSocial == .nothing && eyes.allSatisfy { $0.seen == .nothing } && order == nil
    }
}
