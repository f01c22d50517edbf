import PresenceModel

// Who is told.
extension SocialEngine {
    mutating func subscribeToPresence(
        _ id: SocialSubscriptionID, by user: SocialAddress, _ session: SocialSessionID, into effects: inout [Effect]
    ) {
        let number = intern(user)
        if people[number].presenceSubscriptions.count >= configuration.subscriptionsPerUser {
            let oldest = people[number].presenceSubscriptions[0]
            close(oldest)
            effects.append(.endSubscription(oldest))
        }
        // Closing the oldest one may have let go of the user.
        let subscriber = intern(user)
        var feed = PresenceFeed(user: subscriber, session: session)
        let there = people[subscriber].friends.filter { people[Int($0)].shown.state != .offline }
        feed.snapshot = there.sorted { people[Int($0)].address > people[Int($1)].address }
        presenceFeeds[id] = feed
        people[subscriber].presenceSubscriptions.append(id)
        sessions[session, default: SessionRecord()].subscriptions.insert(id)
    }

    mutating func subscribeToNews(
        _ id: SocialSubscriptionID, by user: SocialAddress, _ session: SocialSessionID, into effects: inout [Effect]
    ) {
        let number = intern(user)
        if people[number].newsSubscriptions.count >= configuration.subscriptionsPerUser {
            let oldest = people[number].newsSubscriptions[0]
            close(oldest)
            effects.append(.endSubscription(oldest))
        }
        let subscriber = intern(user)
        newsFeeds[id] = NewsFeed(user: subscriber, session: session)
        people[subscriber].newsSubscriptions.append(id)
        sessions[session, default: SessionRecord()].subscriptions.insert(id)
    }

    mutating func close(_ id: SocialSubscriptionID) {
        let number: Int
        let session: SocialSessionID
        if let feed = presenceFeeds.removeValue(forKey: id) {
            (number, session) = (feed.user, feed.session)
            people[number].presenceSubscriptions.removeAll { $0 == id }
        } else if let feed = newsFeeds.removeValue(forKey: id) {
            (number, session) = (feed.user, feed.session)
            people[number].newsSubscriptions.removeAll { $0 == id }
        } else {
            return
        }
        sessions[session]?.subscriptions.remove(id)
        if sessions[session]?.isEmpty == true { sessions[session] = nil }
        releaseIfNobody(number)
    }

    mutating func makeReady(_ id: SocialSubscriptionID) {
        presenceFeeds[id]?.isReady = true
        newsFeeds[id]?.isReady = true
        if presenceFeeds[id]?.isMarked == false {
            presenceFeeds[id]?.isMarked = true
            marked.append(id)
        }
        if newsFeeds[id]?.isMarked == false {
            newsFeeds[id]?.isMarked = true
            marked.append(id)
        }
    }

    /// Something about `friend` may be new for these.
    mutating func mark(_ friend: Int, in subscriptions: [SocialSubscriptionID]) {
        for id in subscriptions {
            guard let place = presenceFeeds.index(forKey: id) else { continue }
            presenceFeeds.values[place].pending.insert(Int32(friend))
            guard presenceFeeds.values[place].isReady, !presenceFeeds.values[place].isMarked else { continue }
            presenceFeeds.values[place].isMarked = true
            marked.append(id)
        }
    }

    mutating func tell(_ news: FriendshipNews, to number: Int) {
        for id in people[number].newsSubscriptions {
            guard let place = newsFeeds.index(forKey: id), !newsFeeds.values[place].isFull else { continue }
            if newsFeeds.values[place].news.count >= configuration.newsPerSubscription {
                newsFeeds.values[place].isFull = true
            } else {
                newsFeeds.values[place].news.append(news)
            }
            if newsFeeds.values[place].isReady, !newsFeeds.values[place].isMarked {
                newsFeeds.values[place].isMarked = true
                marked.append(id)
            }
            if configuration.canary == .tellsOneSubscription { return }
        }
    }

    /// Ends the step: whoever is ready and has something new is told, once.
    mutating func deliver(into effects: inout [Effect]) {
        guard !marked.isEmpty else { return }
        let ids = marked
        marked.removeAll(keepingCapacity: true)
        for id in ids {
            if let place = presenceFeeds.index(forKey: id) {
                presenceFeeds.values[place].isMarked = false
                deliverPresence(id, place, into: &effects)
            } else if let place = newsFeeds.index(forKey: id) {
                newsFeeds.values[place].isMarked = false
                deliverNews(id, place, into: &effects)
            }
        }
    }

    private mutating func deliverNews(
        _ id: SocialSubscriptionID, _ place: Dictionary<SocialSubscriptionID, NewsFeed>.Index,
        into effects: inout [Effect]
    ) {
        guard newsFeeds.values[place].isReady else { return }
        let count = min(newsFeeds.values[place].news.count, configuration.batchLimit)
        guard count > 0 else {
            guard newsFeeds.values[place].isFull else { return }
            close(id)
            return effects.append(.endSubscription(id))
        }
        effects.append(.tellNews(id, Array(newsFeeds.values[place].news.prefix(count))))
        newsFeeds.values[place].news.removeFirst(count)
        newsFeeds.values[place].isReady = false
    }

    private mutating func deliverPresence(
        _ id: SocialSubscriptionID, _ place: Dictionary<SocialSubscriptionID, PresenceFeed>.Index,
        into effects: inout [Effect]
    ) {
        guard presenceFeeds.values[place].isReady else { return }
        let isSnapshot = presenceFeeds.values[place].snapshot != nil
        var sightings: [FriendSighting] = []
        if var left = presenceFeeds.values[place].snapshot {
            presenceFeeds.values[place].snapshot = []
            while sightings.count < configuration.batchLimit, let friend = left.popLast() {
                if let sighting = news(of: friend, for: place) { sightings.append(sighting) }
            }
            presenceFeeds.values[place].snapshot = left.isEmpty ? nil : left
        } else {
            let pending = presenceFeeds.values[place].pending
            guard !pending.isEmpty else { return }
            presenceFeeds.values[place].pending.removeAll(keepingCapacity: true)
            let order = pending.sorted { people[Int($0)].address < people[Int($1)].address }
            for (count, friend) in order.enumerated() {
                if sightings.count >= configuration.batchLimit {
                    presenceFeeds.values[place].pending.formUnion(order[count...])
                    break
                }
                if let sighting = news(of: friend, for: place) { sightings.append(sighting) }
            }
            guard !sightings.isEmpty else { return }
        }
        let hasMore = presenceFeeds.values[place].snapshot != nil
        effects.append(
            .showPresence(id, PresenceBatch(sightings: sightings, isSnapshot: isSnapshot, hasMore: hasMore)))
        presenceFeeds.values[place].isReady = false
    }

    /// What the subscriber is to be told of `friend`, and is taken to know from now on; `nil` if they know it.
    private mutating func news(
        of friend: Int32, for place: Dictionary<SocialSubscriptionID, PresenceFeed>.Index
    ) -> FriendSighting? {
        let user = presenceFeeds.values[place].user
        let shown = areFriends(user, Int(friend)) ? people[Int(friend)].shown : Person.Shown()
        guard shown != presenceFeeds.values[place].told[friend] ?? Person.Shown() else { return nil }
        presenceFeeds.values[place].told[friend] = shown.state == .offline ? nil : shown
        return FriendSighting(
            friend: people[Int(friend)].address, state: shown.state, whereabouts: shown.whereabouts)
    }

    func areFriends(_ one: Int, _ other: Int) -> Bool {
        guard let pair = pairNumbers[SocialEngine.key(one, other)] else { return false }
        return pairs[Int(pair)].friendship.state == .friends
    }
}
