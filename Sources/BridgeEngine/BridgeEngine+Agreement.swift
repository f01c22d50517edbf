import PresenceModel
import SocialEngine

// Friendship ↔ presence list: what both sides are to be, and the way there.
extension BridgeEngine {
    /// A side may be another than it was: what an order brought about is taken as done, anything else moves the aim.
    mutating func count(_ side: Side, _ index: Int, since: Instant, into effects: inout [Effect]) {
        var pair = pairs[index]
        guard let bond = side == .matrix ? pair.matrix : pair.social else { return }
        let (counted, expected) =
            side == .matrix
            ? (pair.countedMatrix, pair.expectedMatrix) : (pair.countedSocial, pair.expectedSocial)
        guard bond != counted else { return }
        if side == .matrix {
            pair.countedMatrix = bond
            pair.expectedMatrix = nil
        } else {
            pair.countedSocial = bond
            pair.expectedSocial = nil
        }
        // Whatever was ordered there, it is another one now.
        if pair.order?.side == side { pair.order = nil }
        pair.isLeft = false
        pair.failures = 0
        pair.notBefore = nil
        if bond == expected {
            tally.echoesSuppressed += 1
        } else {
            var settled = Bond.settled(base: counted, one: bond, other: pair.aim, isOneLater: since > pair.aimAt)
            if configuration.canary == .grantBeatsRevocation, [bond, pair.aim].contains(.friends), pair.aim != counted {
                settled = .friends
            }
            if pair.aim != counted, pair.aim != bond {
                tally.conflicts += 1
                let (matrix, social) = side == .matrix ? (bond, pair.aim) : (pair.aim, bond)
                effects.append(
                    .note(
                        .conflictDecided(
                            addresses[pair.first], addresses[pair.second], matrix: matrix, social: social,
                            decided: settled)))
            }
            if settled != pair.aim { pair.aimAt = since }
            pair.aim = settled
            pair.lowerAim()
        }
        pairs[index] = pair
        keepPair(index, into: &effects)
    }

    /// Gives the next order about a pair, if one is due.
    mutating func drive(_ index: Int, at now: Instant, into effects: inout [Effect]) {
        let pair = pairs[index]
        guard pairNumbers[pair.key] == index else { return }
        if let order = pair.order {
            guard order.until <= now else { return pairDeadlines.set(index, to: order.until) }
            return giveUp(index, at: now, into: &effects)
        }
        pairDeadlines.set(index, to: nil)
        guard !pair.isLeft, let matrix = pair.matrix, let social = pair.social, let first = pair.users[0],
            let second = pair.users[1]
        else { return }
        if matrix == pair.aim, social == pair.aim {
            if pair.failures > 0 { pairs[index].failures = 0 }
            return releasePairIfNothing(index, into: &effects)
        }
        if let notBefore = pair.notBefore, notBefore > now { return pairDeadlines.set(index, to: notBefore) }
        guard pair.failures < configuration.ordersPerChange else { return leave(index, nil, into: &effects) }
        if social != pair.aim,
            let step = social.step(towards: pair.aim, able: { members[pair.number($0)] != nil })
        {
            return actSocially(step.by, step.1, index, at: now, into: &effects)
        }
        if matrix != pair.aim, let step = matrix.step(towards: pair.aim, able: { _ in true }) {
            for number in [pair.first, pair.second] where members[number] == nil {
                guard isGhostReady(number, at: now, into: &effects) else {
                    if case .waiting(let until, _) = figures[number].ghost { pairDeadlines.set(index, to: until) }
                    return
                }
            }
            return edit(step.by, step.1, [first, second], index, at: now, into: &effects)
        }
    }

    private mutating func actSocially(
        _ actor: Bond.Partner, _ action: FriendshipAction, _ index: Int, at now: Instant, into effects: inout [Effect]
    ) {
        let pair = pairs[index]
        guard members[pair.number(actor)]?.isOpen ?? false else { return }
        pairs[index].expectedSocial = pair.social?.after(action, by: actor)
        order(.social, actor, action, index, at: now)
        tally.socialActs += 1
        effects.append(
            .actSocially(addresses[pair.number(actor)], action, towards: addresses[pair.number(actor.other)]))
    }

    private mutating func edit(
        _ actor: Bond.Partner, _ action: FriendshipAction, _ users: [UserID], _ index: Int, at now: Instant,
        into effects: inout [Effect]
    ) {
        let pair = pairs[index]
        var said = action
        if case .request = action { said = .request(message: pair.message) }
        pairs[index].expectedMatrix = pair.matrix?.after(action, by: actor)
        order(.matrix, actor, action, index, at: now)
        tally.listEdits += 1
        let (user, other) = actor == .first ? (users[0], users[1]) : (users[1], users[0])
        effects.append(.editList(user, said, towards: other))
    }

    private mutating func order(
        _ side: Side, _ actor: Bond.Partner, _ action: FriendshipAction, _ index: Int, at now: Instant
    ) {
        let until = now + configuration.orderPatience
        pairs[index].order = Pair.Order(side: side, actor: actor, action: action, until: until)
        pairDeadlines.set(index, to: until)
    }

    /// The last order led nowhere: another one later, after a look at how things are.
    mutating func giveUp(_ index: Int, at now: Instant, into effects: inout [Effect]) {
        guard let order = pairs[index].order else { return }
        tally.failures += 1
        pairs[index].order = nil
        pairs[index].failures += 1
        let factor = Int64(1) << Int64(min(pairs[index].failures - 1, 20))
        let wait = min(
            configuration.orderRetryFirst.inMilliseconds * factor, configuration.orderRetryLimit.inMilliseconds)
        let jitter = Int64(Double(wait) * configuration.orderRetryJitter * Double.random(in: 0..<1, using: &generator))
        let notBefore = now.advanced(byMilliseconds: wait + jitter)
        pairs[index].notBefore = notBefore
        pairDeadlines.set(index, to: notBefore)
        if order.side == .social {
            for number in [pairs[index].first, pairs[index].second] { askReading(number, at: now, into: &effects) }
        } else {
            for user in pairs[index].users.compactMap(\.self) where memberNumbers[user] != nil {
                effects.append(.readList(user))
            }
        }
    }

    /// The two sides stay as they are until one of them changes.
    mutating func leave(_ index: Int, _ refusal: FriendshipRefusal?, into effects: inout [Effect]) {
        let pair = pairs[index]
        pairs[index].order = nil
        pairs[index].isLeft = true
        pairDeadlines.set(index, to: nil)
        effects.append(
            .note(
                .leftDifferent(
                    addresses[pair.first], addresses[pair.second], matrix: pair.matrix ?? .nothing,
                    social: pair.social ?? .nothing, refusal)))
    }

    // MARK: Pairs

    /// The pair of two figures, a new one if there is none; `nil` if a member has too many.
    mutating func openPair(_ one: Int, _ other: Int) -> Int? {
        if let index = pair(one, other) { return index }
        for number in [one, other] where members[number] != nil {
            guard figures[number].pairs.count < configuration.pairsPerUser else { return nil }
        }
        let (first, second) = addresses[one] < addresses[other] ? (one, other) : (other, one)
        var pair = Pair(first: first, second: second, users: [user(of: first), user(of: second)])
        if members[first]?.hasReadList ?? members[second]?.hasReadList ?? false { pair.matrix = .nothing }
        for partner in Bond.Partner.allCases {
            guard let member = members[pair.number(partner)] else { continue }
            pair[partner].isMember = true
            pair[partner].hasRead = member.knowsFriends
            if member.hasReadFriendships, pair.authority == nil { pair.authority = partner }
        }
        let index: Int
        if let free = freePairs.popLast() {
            index = free
            pairs[index] = pair
        } else {
            index = pairs.count
            pairs.append(pair)
        }
        pairNumbers[pair.key] = index
        figures[first].pairs.insertRising(index)
        figures[second].pairs.insertRising(index)
        return index
    }

    private func user(of number: Int) -> UserID? { members[number]?.user ?? ghosts.user(for: addresses[number]) }

    private mutating func releasePairIfNothing(_ index: Int, into effects: inout [Effect]) {
        guard pairs[index].isNothing else { return }
        closePair(index, into: &effects)
    }

    private mutating func closePair(_ index: Int, into effects: inout [Effect]) {
        let pair = pairs[index]
        if pair.kept != nil {
            effects.append(.save(.pair(addresses[pair.first], addresses[pair.second], nil)))
        }
        pairNumbers[pair.key] = nil
        pairDeadlines.set(index, to: nil)
        freePairs.append(index)
        for number in [pair.first, pair.second] {
            figures[number].pairs.removeRising(index)
            releaseIfUnneeded(number)
        }
    }

    mutating func keepPair(_ index: Int, into effects: inout [Effect]) {
        let pair = pairs[index]
        guard let first = pair.users[0], let second = pair.users[1] else { return }
        let memory = PairMemory(
            firstUser: first, secondUser: second, aim: pair.aim, matrix: pair.countedMatrix,
            social: pair.countedSocial)
        let isNothing = pair.aim == .nothing && pair.countedMatrix == .nothing && pair.countedSocial == .nothing
        let kept = isNothing ? nil : memory
        guard kept != pair.kept else { return }
        pairs[index].kept = kept
        effects.append(.save(.pair(addresses[pair.first], addresses[pair.second], kept)))
    }

    mutating func drivePairs(of number: Int, at now: Instant, into effects: inout [Effect]) {
        for index in figures[number].pairs { drive(index, at: now, into: &effects) }
    }

    /// Somebody is another user in Matrix now, or their sessions begin or end: what was known of the sides is not any
    /// more.
    mutating func rebase(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        for index in figures[number].pairs {
            let pair = pairs[index]
            let users = [user(of: pair.first), user(of: pair.second)]
            pairs[index].order = nil
            pairs[index].isLeft = false
            pairDeadlines.set(index, to: nil)
            if pair.authority == pair.partner(number) { pairs[index].authority = nil }
            pairs[index][pair.partner(number)] = Pair.Eye(isMember: members[number] != nil)
            let isReadByOther = members[pair.other(than: number)]?.hasReadList ?? false
            if users != pair.users {
                stand(users, index, into: &effects)
                if isReadByOther, let user = members[pair.other(than: number)]?.user { effects.append(.readList(user)) }
            } else if !isReadByOther {
                pairs[index].matrix = nil
            }
            forgetStrangersDoings(index, into: &effects)
            drive(index, at: now, into: &effects)
        }
    }

    /// The two are those users in Matrix from now on; between whom nothing is known to be, if they are others than
    /// before.
    mutating func stand(_ users: [UserID?], _ index: Int, into effects: inout [Effect]) {
        guard users != pairs[index].users else { return }
        endOldStanding(pairs[index], into: &effects)
        pairs[index].users = users
        pairs[index].countedMatrix = .nothing
        pairs[index].expectedMatrix = nil
        pairs[index].matrix = nil
        forgetStrangersDoings(index, into: &effects)
    }

    /// Nobody says when the blocks of who is no member end; and what they did not do on the social side, nobody can do
    /// there in their name.
    private mutating func forgetStrangersDoings(_ index: Int, into effects: inout [Effect]) {
        let pair = pairs[index]
        pairs[index].aim = pair.comparable(pair.aim)
        pairs[index].countedMatrix = pair.comparable(pair.countedMatrix)
        pairs[index].countedSocial = pair.comparable(pair.countedSocial)
        pairs[index].lowerAim()
        keepPair(index, into: &effects)
    }

    /// A ghost that nobody speaks through any more keeps no friends.
    private mutating func endOldStanding(_ pair: Pair, into effects: inout [Effect]) {
        guard let first = pair.users[0], let second = pair.users[1],
            ghosts.address(of: first) != nil || ghosts.address(of: second) != nil,
            let step = pair.countedMatrix.step(towards: .nothing, able: { _ in true })
        else { return }
        let (user, other) = step.by == .first ? (first, second) : (second, first)
        effects.append(.editList(user, step.1, towards: other))
    }

    /// Nothing is remembered of the friendships of who is not linked any more, where the other is not either.
    mutating func forgetPairs(of number: Int, into effects: inout [Effect]) {
        for index in figures[number].pairs where members[pairs[index].other(than: number)] == nil {
            closePair(index, into: &effects)
        }
    }
}
