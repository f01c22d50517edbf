import PresenceModel
import SocialEngine

/// A link of a table, and who says so.
struct TableLink: Hashable, Sendable {
    var address: SocialAddress
    var sources: Set<LinkSource>
}

// Who is who: one user, one address. What a table says goes before the rule; of two tables the one that counts for
// more, and of equal ones what is there already.
extension BridgeEngine {
    /// Past so many, whoever's account is closed may come back by a late word.
    static let closedLimit = 100_000

    mutating func handleLink(_ event: Event, at now: Instant, into effects: inout [Effect]) {
        switch event {
        case .userKnown(let user):
            closed.remove(user)
            know(user, at: now, into: &effects)
        case .userGone(let user): forget(user, at: now, into: &effects)
        case .linkAdded(let link, let source): add(link, source, at: now, into: &effects)
        case .linkRemoved(let link, let source): remove(link, source, at: now, into: &effects)
        case .participationChosen(let user, let participates):
            choose(user, at: now, into: &effects) { $0.participates = participates }
        case .privacyChosen(let user, let privacy):
            choose(user, at: now, into: &effects) { $0.privacy = privacy }
            guard let number = memberNumbers[user] else { return }
            reviewBeats(number, at: now, into: &effects)
            reviewShowing(number, at: now, into: &effects)
        default: break
        }
    }

    /// The link that holds for a user, whether they take part or not.
    public func link(of user: UserID) -> Link? {
        if let entry = links[user] { return Link(user: user, address: entry.address) }
        guard people[user]?.isKnown ?? false, let address = ruledAddress(of: user), linkedUsers[address] == nil else {
            return nil
        }
        return Link(user: user, address: address)
    }

    /// Linked users who take part, and their addresses; sorted by user.
    public var liveLinks: [Link] {
        memberNumbers.map { Link(user: $0.key, address: addresses[$0.value]) }.sorted { $0.user < $1.user }
    }

    /// The address that a user has by rule; see ``Configuration/LinkRule``. Other spellings are other users in Matrix,
    /// and one person in the social service; they need a table.
    func ruledAddress(of user: UserID) -> SocialAddress? {
        guard user.isHosted(by: server), !isGhost(user) else { return nil }
        switch configuration.linkRule {
        case .nobody: return nil
        case .addresses:
            let name = user.localpart.utf8
            guard name.count == 42, name.starts(with: "0x".utf8), name.dropFirst(2).allSatisfy(\.isLowerHexadecimal)
            else { return nil }
        case .localparts: break
        }
        guard let address = try? SocialAddress(parsing: user.localpart), address.text == user.localpart else {
            return nil
        }
        return address
    }

    /// Somebody whom an application service made.
    private func isGhost(_ user: UserID) -> Bool {
        ghosts.address(of: user) != nil
            || configuration.foreignGhostPrefixes.contains { user.localpart.hasPrefix($0) }
    }

    mutating func know(_ user: UserID, at now: Instant, into effects: inout [Effect]) {
        guard people[user]?.isKnown != true, ruledAddress(of: user) != nil else { return }
        choose(user, at: now, into: &effects) { $0.isKnown = true }
    }

    /// Whether that is but the tidying up after an account that was closed. Whoever is there is none.
    mutating func isAfterlife(_ view: MatrixView, of user: UserID) -> Bool {
        guard closed.contains(user) else { return false }
        switch view {
        case .unknown, .visible(.offline, _, _): return true
        case .hidden, .visible:
            closed.remove(user)
            return false
        }
    }

    private mutating func forget(_ user: UserID, at now: Instant, into effects: inout [Effect]) {
        if closed.count < BridgeEngine.closedLimit { closed.insert(user) }
        if let entry = links[user] { drop(Link(user: user, address: entry.address), into: &effects) }
        if people.removeValue(forKey: user) != nil { effects.append(.save(.person(user, PersonMemory()))) }
        settle(user, forgets: true, at: now, into: &effects)
        effects.append(.note(.userForgotten(user)))
    }

    private mutating func choose(
        _ user: UserID, at now: Instant, into effects: inout [Effect], _ change: (inout PersonMemory) -> Void
    ) {
        guard user.isHosted(by: server) else { return }
        var person = people[user] ?? PersonMemory()
        let before = person
        change(&person)
        guard person != before else { return }
        people[user] = person == PersonMemory() ? nil : person
        effects.append(.save(.person(user, person)))
        settle(user, forgets: false, at: now, into: &effects)
    }

    private mutating func add(_ link: Link, _ source: LinkSource, at now: Instant, into effects: inout [Effect]) {
        if links[link.user]?.address == link.address {
            guard let isNew = links[link.user]?.sources.insert(source).inserted, isNew else { return }
            effects.append(.save(.link(link, links[link.user]?.sources ?? [])))
            settle(link.user, forgets: false, at: now, into: &effects)
            return
        }
        if let refusal = refusal(of: link, by: source) {
            var strongest: Link?
            if case .taken(let rival, _) = refusal { strongest = rival }
            return effects.append(.note(.linkRefused(link, source, because: strongest)))
        }
        let rivals = rivals(of: link)
        for rival in rivals {
            effects.append(.note(.linkDisplaced(rival, by: link)))
            drop(rival, into: &effects)
        }
        let ruled = ruledUser(of: link.address)
        links[link.user] = TableLink(address: link.address, sources: [source])
        linkedUsers[link.address] = link.user
        effects.append(.save(.link(link, [source])))
        // Whoever had the address, or the user, before: they end first.
        for user in rivals.map(\.user) + [ruled].compactMap(\.self) where user != link.user {
            settle(user, forgets: true, at: now, into: &effects)
        }
        settle(link.user, forgets: true, at: now, into: &effects)
    }

    private mutating func remove(_ link: Link, _ source: LinkSource, at now: Instant, into effects: inout [Effect]) {
        guard var entry = links[link.user], entry.address == link.address,
            entry.sources.remove(source) != nil
        else { return }
        if entry.sources.isEmpty {
            drop(link, into: &effects)
        } else {
            links[link.user] = entry
            effects.append(.save(.link(link, entry.sources)))
        }
        settle(link.user, forgets: true, at: now, into: &effects)
        if let ruled = ruledUser(of: link.address) { settle(ruled, forgets: false, at: now, into: &effects) }
    }

    /// Links of tables that the new one cannot be beside.
    func rivals(of link: Link) -> [Link] {
        var rivals: [Link] = []
        if let entry = links[link.user] { rivals.append(Link(user: link.user, address: entry.address)) }
        if let user = linkedUsers[link.address] { rivals.append(Link(user: user, address: link.address)) }
        return rivals
    }

    private mutating func drop(_ link: Link, into effects: inout [Effect]) {
        links[link.user] = nil
        linkedUsers[link.address] = nil
        effects.append(.save(.link(link, [])))
    }

    private func ruledUser(of address: SocialAddress) -> UserID? {
        guard let user = try? UserID(parsing: "@\(address.text):\(server)"), ruledAddress(of: user) == address else {
            return nil
        }
        return user
    }

    private func takesPart(_ user: UserID) -> Bool {
        if let choice = people[user]?.participates { return choice }
        if links[user]?.sources.contains(.proof) ?? false { return true }
        return configuration.participation == .optOut
    }

    func privacy(of user: UserID) -> SocialPrivacy { people[user]?.privacy ?? .full }

    /// Makes a member of a user who should be one, and ends one who should not.
    /// - Parameter forgets: what was agreed about friendships is forgotten where a member ends.
    mutating func settle(_ user: UserID, forgets: Bool, at now: Instant, into effects: inout [Effect]) {
        let wanted = takesPart(user) ? link(of: user)?.address : nil
        if let number = memberNumbers[user], addresses[number] != wanted {
            endMember(number, forgets: forgets, at: now, into: &effects)
        }
        guard let wanted, memberNumbers[user] == nil else { return }
        if let number = numbers[wanted], let holder = members[number]?.user {
            settle(holder, forgets: true, at: now, into: &effects)
        }
        beginMember(user, wanted, at: now, into: &effects)
    }

    private mutating func beginMember(
        _ user: UserID, _ address: SocialAddress, at now: Instant, into effects: inout [Effect]
    ) {
        let number = intern(address)
        takeAway(number, at: now, into: &effects)
        if let tidied = tidiedAt[user] { figures[number].shownAt = max(figures[number].shownAt ?? .epoch, tidied) }
        members[number] = Member(user: user)
        memberNumbers[user] = number
        members[number]?.lostAt = now
        effects.append(.openSession(address, for: user))
        effects.append(.readList(user))
        rebase(number, at: now, into: &effects)
    }

    private mutating func endMember(
        _ number: Int, forgets: Bool, at now: Instant, into effects: inout [Effect]
    ) {
        guard let member = members[number] else { return }
        stopBeating(number, at: now, into: &effects)
        takeAway(number, at: now, into: &effects)
        members[number] = nil
        memberNumbers[member.user] = nil
        beatDeadlines.set(number, to: nil)
        memberDeadlines.set(number, to: nil)
        effects.append(.closeSession(addresses[number]))
        for seen in member.sees {
            figures[seen].voters.removeRising(number)
            reviewShowing(seen, at: now, into: &effects)
        }
        rebase(number, at: now, into: &effects)
        if forgets { forgetPairs(of: number, into: &effects) }
        reviewShowing(number, at: now, into: &effects)
        releaseIfUnneeded(number)
    }
}

extension UInt8 {
    fileprivate var isLowerHexadecimal: Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(self)
    }
}
