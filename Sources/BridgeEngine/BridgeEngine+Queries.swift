import PresenceModel
import SocialEngine

/// Why a link is not made.
public enum LinkRefusal: Hashable, Sendable {
    /// The user is of another server.
    case strangersUser
    /// There are ``BridgeEngine/Configuration/linksLimit`` of them.
    case full
    /// The user, or the address, has a link that counts for as much or more, by that source.
    case taken(by: Link, LinkSource)
}

/// How it stands with one user of this server.
public struct MemberView: Hashable, Sendable {
    /// The link that holds; `nil`: there is none.
    public var link: Link?
    /// Who says so, rising; empty: the rule.
    public var sources: [LinkSource]
    /// What the user chose; `nil`: as configured.
    public var choice: Bool?
    /// The user is bridged.
    public var participates: Bool
    /// What friends may see through the bridge.
    public var privacy: SocialPrivacy
    /// The social side takes what is said in the user's name.
    public var isOpen: Bool
    /// When it ceased to; `nil` while it does, and for who is not bridged.
    public var closedSince: Instant?
}

/// Some links, in the order of their users.
public struct LinkPage: Hashable, Sendable {
    /// One link.
    public struct Row: Hashable, Sendable {
        /// Who is who.
        public var link: Link
        /// Who says so, rising; empty: the rule.
        public var sources: [LinkSource]
        /// The user takes part.
        public var isLive: Bool
    }

    /// From the user asked for on.
    public var rows: [Row]
    /// Where the next page begins; `nil`: there is none.
    public var next: UserID?
    /// Links in all.
    public var total: Int
}

extension BridgeEngine {
    /// Why ``Event/linkAdded(_:_:)`` would not be taken now; `nil`: it would.
    /// - Parameter replacingOwn: as if what the same source said of the user before were taken back first.
    public func refusal(of link: Link, by source: LinkSource, replacingOwn: Bool = false) -> LinkRefusal? {
        guard link.user.isHosted(by: server) else { return .strangersUser }
        if links[link.user]?.address == link.address { return nil }
        let rivals = rivals(of: link)
        for rival in rivals {
            guard let strongest = links[rival.user]?.sources.max() else { continue }
            if replacingOwn, rival.user == link.user, strongest == source { continue }
            if strongest >= source {
                return .taken(by: rival, strongest)
            }
        }
        // Each that gives way makes room.
        return links.count - rivals.count < configuration.linksLimit ? nil : .full
    }

    /// How it stands with a user, also one whom the bridge does not know.
    public func view(of user: UserID) -> MemberView {
        let person = people[user] ?? PersonMemory()
        let number = memberNumbers[user]
        let member = number.flatMap { members[$0] }
        return MemberView(
            link: link(of: user), sources: links[user]?.sources.sorted() ?? [], choice: person.participates,
            participates: number != nil, privacy: person.privacy, isOpen: member?.isOpen ?? false,
            closedSince: member?.lostAt)
    }

    /// Links by that source, sorted by user.
    public func links(by source: LinkSource) -> [Link] {
        links.lazy.filter { $0.value.sources.contains(source) }.map { Link(user: $0.key, address: $0.value.address) }
            .sorted { $0.user < $1.user }
    }

    /// Links in the order of their users: those of tables, and those by rule of who takes part.
    /// - Parameters:
    ///   - first: where to begin; `nil`: at the first.
    ///   - limit: at least 1.
    public func links(from first: UserID?, limit: Int) -> LinkPage {
        let users = Set(links.keys).union(memberNumbers.keys).sorted()
        let wanted = users.drop { user in first.map { user < $0 } ?? false }
        let rows = wanted.prefix(limit).compactMap { user -> LinkPage.Row? in
            guard let link = link(of: user) else { return nil }
            return LinkPage.Row(
                link: link, sources: links[user]?.sources.sorted() ?? [], isLive: memberNumbers[user] != nil)
        }
        let next = wanted.dropFirst(limit).first
        return LinkPage(rows: rows, next: next, total: users.count)
    }

    /// Who was made for somebody, in earlier runs too; `nil`: nobody, or they have a user of their own.
    public func ghost(of address: SocialAddress) -> UserID? {
        guard let number = numbers[address], members[number] == nil, case .made = figures[number].ghost else {
            return nil
        }
        return ghosts.user(for: address)
    }

    /// Numbers of what there is.
    public var counts: Counts {
        Counts(
            links: Set(links.keys).union(memberNumbers.keys).count, members: memberNumbers.count,
            open: members.count { $0?.isOpen ?? false }, beating: members.count { $0?.isBeating ?? false },
            ghosts: ghostCount)
    }

    /// Numbers of what there is now; ``tally`` has what happened.
    public struct Counts: Hashable, Sendable {
        /// Of tables, and those by rule of who takes part.
        public var links: Int
        /// Linked users who take part.
        public var members: Int
        /// Of them, those whose session is open.
        public var open: Int
        /// Of them, those in whose name heartbeats are sent.
        public var beating: Int
        /// Matrix users that stand for somebody of the social side.
        public var ghosts: Int
    }
}
