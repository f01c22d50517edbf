import PresenceModel
import SocialEngine

// Friendship ↔ presence list: what each side reports of two users.
extension BridgeEngine {
    mutating func handleFriendship(_ event: Event, at now: Instant, into effects: inout [Effect]) {
        switch event {
        case .listReported(let user, let other, let bond, let at):
            guard let (watcher, number) = matrixPartners(user, other) else { return }
            takeMatrix(bond, of: watcher, number, since: at, at: now, into: &effects)
        case .listRead(let user, let bonds): readList(user, bonds, at: now, into: &effects)
        case .editRefused(let user, let action, let other):
            guard let (watcher, number) = matrixPartners(user, other), let pair = pair(watcher, number) else { return }
            guard let order = pairs[pair].order, order.side == .matrix, order.action.isSame(as: action),
                pairs[pair].number(order.actor) == watcher
            else { return }
            // Users may have changed it meanwhile; a look at the list tells.
            giveUp(pair, at: now, into: &effects)
        case .friendshipReported(let news, let observer): take(news, seenBy: observer, at: now, into: &effects)
        case .friendshipsRead(let reading, let observer): take(reading, seenBy: observer, at: now, into: &effects)
        case .actAnswered(let actor, let action, let other):
            guard let (watcher, number) = socialPartners(actor, other) else { return }
            takeSocial(action, by: watcher, of: watcher, number, since: now, at: now, into: &effects)
        case .actRefused(let actor, let action, let other, let refusal):
            refused(actor, action, other, refusal, at: now, into: &effects)
        case .actFailed(let actor, let action, let other):
            guard let (watcher, number) = socialPartners(actor, other), let pair = pair(watcher, number),
                let order = pairs[pair].order, order.side == .social, order.action.isSame(as: action)
            else { return }
            giveUp(pair, at: now, into: &effects)
        default: break
        }
    }

    // MARK: Who it is about

    private func socialPartners(_ observer: SocialAddress, _ other: SocialAddress) -> (Int, Int)? {
        guard observer != other, let watcher = numbers[observer], members[watcher] != nil, let number = numbers[other]
        else { return nil }
        return (watcher, number)
    }

    /// The figures that two Matrix users are, at least one of them a member, which comes first.
    private mutating func matrixPartners(_ user: UserID, _ other: UserID) -> (Int, Int)? {
        guard user != other else { return nil }
        if let watcher = memberNumbers[user] { return figure(of: other).map { (watcher, $0) } }
        guard memberNumbers[other] != nil else { return nil }
        // A report in the name of a ghost says the same as one of the member's.
        return nil
    }

    private mutating func figure(of user: UserID) -> Int? {
        if let number = memberNumbers[user] { return number }
        // Who is linked is not spoken of by a ghost any more.
        guard let address = ghosts.address(of: user), numbers[address].map({ members[$0] == nil }) ?? true else {
            return nil
        }
        return intern(address)
    }

    func pair(_ one: Int, _ other: Int) -> Int? {
        let isInOrder = addresses[one] < addresses[other]
        return pairNumbers[isInOrder ? PairKey(first: one, second: other) : PairKey(first: other, second: one)]
    }

    /// Whether a member's session says that the two are friends; also if it did not say anything of friendships yet.
    func isFriend(_ number: Int, to watcher: Int) -> Bool {
        guard members[watcher]?.knowsFriends ?? false else { return true }
        guard let pair = pair(watcher, number) else { return false }
        return pairs[pair][pairs[pair].partner(watcher)].seen == .friends
    }

    // MARK: From Matrix

    private mutating func takeMatrix(
        _ bond: Bond, of watcher: Int, _ number: Int, since: Instant, at now: Instant, into effects: inout [Effect]
    ) {
        guard let index = bond == .nothing ? pair(watcher, number) : openPair(watcher, number) else {
            return releaseIfUnneeded(number)
        }
        let seen = pairs[index].partner(watcher) == .first ? bond : bond.turned
        let before = pairs[index].matrix
        pairs[index].matrix = configuration.carriesBlocks ? pairs[index].comparable(seen) : seen.withoutBlocks
        if before != pairs[index].matrix, pairs[index].order?.side == .matrix { pairs[index].order = nil }
        count(.matrix, index, since: since, into: &effects)
        drive(index, at: now, into: &effects)
    }

    private mutating func readList(
        _ user: UserID, _ bonds: [UserID: Bond], at now: Instant, into effects: inout [Effect]
    ) {
        guard let watcher = memberNumbers[user] else { return }
        members[watcher]?.hasReadList = true
        var mentioned: [Int] = []
        for (other, bond) in bonds.sorted(by: { $0.key < $1.key }) {
            guard other != user, let number = figure(of: other) else { continue }
            mentioned.insertRising(number)
            takeMatrix(bond, of: watcher, number, since: .epoch, at: now, into: &effects)
        }
        for pair in figures[watcher].pairs {
            let number = pairs[pair].other(than: watcher)
            guard !mentioned.containsRising(number) else { continue }
            takeMatrix(.nothing, of: watcher, number, since: .epoch, at: now, into: &effects)
        }
    }

    // MARK: From the social side

    private mutating func take(
        _ news: FriendshipNews, seenBy observer: SocialAddress, at now: Instant, into effects: inout [Effect]
    ) {
        guard case .acted(let action, let at) = news.body, news.other != observer, let watcher = numbers[observer],
            members[watcher]?.isOpen ?? false
        else { return }
        let number = intern(news.other)
        takeSocial(action, by: news.isOwn ? watcher : number, of: watcher, number, since: at, at: now, into: &effects)
        releaseIfUnneeded(number)
    }

    private mutating func takeSocial(
        _ action: FriendshipAction, by actor: Int, of watcher: Int, _ number: Int, since: Instant, at now: Instant,
        into effects: inout [Effect]
    ) {
        guard let index = openPair(watcher, number) else { return }
        let (partner, viewer) = (pairs[index].partner(actor), pairs[index].partner(watcher))
        let before = pairs[index][viewer].seen
        if case .request(let message) = action { pairs[index].message = message }
        see(before.after(action, by: partner) ?? Bond(byWordOf: action, partner, before), index, viewer, at: now)
        afterSocial(index, since: since, at: now, into: &effects)
        reviewShowing(number, at: now, into: &effects)
    }

    /// All of a user's friendships at once.
    private mutating func take(
        _ reading: FriendshipReading, seenBy observer: SocialAddress, at now: Instant, into effects: inout [Effect]
    ) {
        guard let watcher = numbers[observer], members[watcher]?.isOpen ?? false,
            believes(reading, seenBy: watcher, at: now, into: &effects)
        else { return }
        members[watcher]?.hasReadFriendships = true
        members[watcher]?.knowsFriends = true
        var bonds: [(SocialAddress, Bond, FriendRequest?)] = reading.friends.map { ($0, .friends, nil) }
        bonds += reading.outgoing.map { ($0.other, .requested(by: .first), $0) }
        bonds += reading.incoming.map { ($0.other, .requested(by: .second), $0) }
        bonds += reading.blocked.map { ($0, .blocked(by: .first), nil) }
        reconsider(watcher)
        let unknown = Set(reading.unknown)
        var mentioned: [Int] = []
        for (other, bond, request) in bonds where other != observer {
            let number = intern(other)
            guard let index = openPair(watcher, number) else { continue }
            mentioned.insertRising(number)
            let viewer = pairs[index].partner(watcher)
            if let request { pairs[index].message = request.message }
            see(viewer == .first ? bond : bond.turned, index, viewer, at: now)
            claim(index, viewer)
            afterSocial(index, since: request?.createdAt ?? .epoch, at: now, into: &effects)
        }
        for index in figures[watcher].pairs where !mentioned.containsRising(pairs[index].other(than: watcher)) {
            let viewer = pairs[index].partner(watcher)
            guard !unknown.contains(addresses[pairs[index].other(than: watcher)]) else {
                // As it was counted last: after a restart nothing was seen yet.
                if !pairs[index][viewer].hasRead { see(pairs[index].countedSocial, index, viewer, at: now) }
                continue
            }
            see(.nothing, index, viewer, at: now)
            claim(index, viewer)
            afterSocial(index, since: .epoch, at: now, into: &effects)
        }
        for number in friends(of: watcher) { reviewShowing(number, at: now, into: &effects) }
    }

    /// Whether a reading is taken as it is. Of many friends and requests not one left: that is sooner a service that
    /// begins anew, or has lost its memory for a while, than somebody's doing; another reading is to say so too.
    private mutating func believes(
        _ reading: FriendshipReading, seenBy watcher: Int, at now: Instant, into effects: inout [Effect]
    ) -> Bool {
        let isEmpty = reading.friends.isEmpty && reading.outgoing.isEmpty && reading.incoming.isEmpty
        let counted = isEmpty ? figures[watcher].pairs.count { pairs[$0].countedSocial.withoutBlocks != .nothing } : 0
        guard counted >= configuration.doubtfulLoss else {
            members[watcher]?.doubtedAt = nil
            return true
        }
        let doubtedAt = members[watcher]?.doubtedAt
        if doubtedAt == nil { effects.append(.note(.readingDoubted(addresses[watcher], friends: counted))) }
        let again = (doubtedAt ?? now) + configuration.doubtfulReadingAfter
        let isConfirmed = again <= now
        members[watcher]?.doubtedAt = isConfirmed ? nil : doubtedAt ?? now
        guard !isConfirmed else { return true }
        let regular = members[watcher]?.rereadAt ?? again
        members[watcher]?.rereadAt = min(again, regular)
        reviewSession(watcher, at: now, into: &effects)
        return false
    }

    /// Pairs that were left different get one more order: what stood in the way, a block for one, may be gone unheard.
    private mutating func reconsider(_ watcher: Int) {
        for index in figures[watcher].pairs where pairs[index].isLeft {
            pairs[index].isLeft = false
            pairs[index].failures = configuration.ordersPerChange - 1
        }
    }

    private func friends(of watcher: Int) -> [Int] { members[watcher]?.sees ?? [] }

    private mutating func see(_ bond: Bond, _ index: Int, _ viewer: Bond.Partner, at now: Instant) {
        let before = pairs[index][viewer].seen
        pairs[index][viewer].seen = configuration.carriesBlocks ? bond : bond.withoutBlocks
        guard (before == .friends) != (bond == .friends) else { return }
        // What was seen of each other under an earlier friendship says nothing any more.
        let (watcher, number) = (pairs[index].number(viewer), pairs[index].number(viewer.other))
        let isFresh = figures[number].seenAt.map { $0 + configuration.lateness > now } ?? false
        if bond != .friends || !isFresh { vote(watcher, against: number) }
    }

    /// From a reading on, a session counts for the pair, unless the other one does already.
    private mutating func claim(_ index: Int, _ viewer: Bond.Partner) {
        pairs[index][viewer].hasRead = true
        if pairs[index].authority == nil { pairs[index].authority = viewer }
    }

    private mutating func afterSocial(_ index: Int, since: Instant, at now: Instant, into effects: inout [Effect]) {
        if let order = pairs[index].order, order.side == .social, pairs[index].social == pairs[index].expectedSocial {
            pairs[index].order = nil
        }
        count(.social, index, since: since, into: &effects)
        drive(index, at: now, into: &effects)
    }

    /// The session of a member is lost: others that know of its pairs are asked anew.
    mutating func handOverPairs(of number: Int, at now: Instant, into effects: inout [Effect]) {
        for index in figures[number].pairs where pairs[index].authority == pairs[index].partner(number) {
            pairs[index].authority = nil
            pairs[index].order = pairs[index].order?.side == .social ? nil : pairs[index].order
            askReading(pairs[index].other(than: number), at: now, into: &effects)
        }
    }

    private mutating func refused(
        _ actor: SocialAddress, _ action: FriendshipAction, _ other: SocialAddress, _ refusal: FriendshipRefusal,
        at now: Instant, into effects: inout [Effect]
    ) {
        guard let (watcher, number) = socialPartners(actor, other), let index = pair(watcher, number),
            let order = pairs[index].order, order.side == .social, order.action.isSame(as: action)
        else { return }
        tally.failures += 1
        pairs[index].expectedSocial = nil
        switch refusal {
        case .transition, .actingUser, .unknownPair, .tooOften, .notStored:
            // It is not as it was thought to be, or will be another time.
            giveUp(index, at: now, into: &effects)
        case .toOneself, .blocked, .tooManyFriends, .tooManyRequests, .tooManyBlocked, .messageTooLong:
            leave(index, refusal, into: &effects)
        }
    }
}

extension Bond {
    /// What there is after an act that does not fit what was there: word of acts before it was missed.
    init(byWordOf action: FriendshipAction, _ partner: Partner, _ before: Bond) {
        self =
            switch action {
            case .request: before == .friends ? .friends : .requested(by: partner)
            case .accept: .friends
            case .reject, .cancel, .delete: .nothing
            case .block: .blocked(by: Blockers(partner))
            case .unblock: Bond(blockers: before.blockers.subtracting(Blockers(partner)))
            }
    }

    /// For a side that does not know blocks.
    var withoutBlocks: Bond { blockers.isEmpty ? self : .nothing }
}

extension FriendshipAction {
    /// The same act, whatever is said with it.
    func isSame(as other: FriendshipAction) -> Bool {
        if case .request = self, case .request = other { return true }
        return self == other
    }
}
