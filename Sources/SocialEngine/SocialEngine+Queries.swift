import PresenceModel

// Asking changes nothing.
extension SocialEngine {
    /// Sorted.
    public func friends(of user: SocialAddress) -> [SocialAddress] {
        guard let number = number(of: user) else { return [] }
        return people[number].friends.map { people[Int($0)].address }.sorted()
    }

    /// Sorted; nobody, if either blocks the other.
    public func mutualFriends(of user: SocialAddress, and other: SocialAddress) -> [SocialAddress] {
        if let pair = SocialPair(user, other), friendship(of: pair).isBlocked { return [] }
        let theirs = Set(friends(of: other))
        return friends(of: user).filter { theirs.contains($0) }
    }

    /// Sorted; those whom `user` sees online or away.
    public func onlineFriends(of user: SocialAddress) -> [SocialAddress] { sightings(by: user).map(\.friend) }

    /// Sorted by friend; those whom `user` sees online or away.
    public func sightings(by user: SocialAddress) -> [FriendSighting] {
        guard let number = number(of: user) else { return [] }
        return people[number].friends.map { people[Int($0)] }.filter { $0.shown.state != .offline }
            .map { FriendSighting(friend: $0.address, state: $0.shown.state, whereabouts: $0.shown.whereabouts) }
            .sorted { $0.friend < $1.friend }
    }

    /// In the order in which they were made; of the same instant, by address.
    public func requests(of user: SocialAddress) -> (outgoing: [FriendRequest], incoming: [FriendRequest]) {
        guard let number = number(of: user) else { return ([], []) }
        var (outgoing, incoming): ([FriendRequest], [FriendRequest]) = ([], [])
        for place in people[number].requests {
            let record = pairs[Int(place)]
            guard case .requested(let asker) = record.friendship.state else { continue }
            let isOwn = record.number(asker) == number
            let other = people[record.number(isOwn ? asker.opposite : asker)].address
            let request = FriendRequest(
                other: other, createdAt: record.friendship.since, message: record.friendship.message)
            if isOwn { outgoing.append(request) } else { incoming.append(request) }
        }
        func inOrder(_ one: FriendRequest, _ other: FriendRequest) -> Bool {
            one.createdAt != other.createdAt ? one.createdAt < other.createdAt : one.other < other.other
        }
        return (outgoing.sorted(by: inOrder), incoming.sorted(by: inOrder))
    }

    /// Sorted.
    public func blocked(by user: SocialAddress) -> [SocialAddress] {
        guard let number = number(of: user) else { return [] }
        return people[number].blocks.map { pairs[Int($0)] }
            .map { people[$0.number($0.number(.low) == number ? .high : .low)].address }
            .sorted()
    }

    /// What the user chose; the defaults, if nothing.
    public func settings(of user: SocialAddress) -> SocialSettings {
        number(of: user).map { people[$0].settings } ?? SocialSettings()
    }

    /// How the user is, whoever may see it.
    public func state(of user: SocialAddress) -> FriendState {
        number(of: user).map { people[$0].state() } ?? .offline
    }

    /// Where the user is, whoever may see it; `nil`: nobody said, or they are not there.
    public func whereabouts(of user: SocialAddress) -> Whereabouts? {
        number(of: user).flatMap { people[$0].whereabouts }
    }

    /// What is between the two; nothing, if nothing ever was.
    public func friendship(of pair: SocialPair) -> Friendship {
        pairNumber(of: pair).map { pairs[$0].friendship } ?? Friendship()
    }

    /// Every row that other processes should know, in an order that says nothing.
    public var sharedRows: [SharedUpdate] {
        pairs.indices.filter { pairs[$0].friendship.revision > 0 }
            .map { .friendship(pair($0), pairs[$0].friendship) }
            + people.filter { $0.settings != SocialSettings() }.map { .settings($0.address, $0.settings) }
    }

    /// Users who are there by a session of this process, in an order that says nothing.
    public var usersHere: [SocialAddress] { people.filter(\.isHere).map(\.address) }

    /// Sizes, for metrics and for tests that look for leaks.
    public var counts: Counts {
        Counts(
            users: people.count - free.count, pairs: pairs.count, present: people.count { $0.isPresent },
            sessions: sessions.count, subscriptions: presenceFeeds.count + newsFeeds.count,
            changes: changes.count + waiting.count + unstored.count)
    }

    /// What the engine holds.
    public struct Counts: Hashable, Sendable {
        /// Users of whom anything is known.
        public var users: Int
        /// Pairs between whom anything ever was.
        public var pairs: Int
        /// Users who are there themselves, not by a bridge alone.
        public var present: Int
        /// Sessions that hold users or subscriptions.
        public var sessions: Int
        /// Open subscriptions.
        public var subscriptions: Int
        /// Changes that are not on disk yet.
        public var changes: Int
    }
}
