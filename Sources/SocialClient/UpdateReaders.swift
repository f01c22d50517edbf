import PresenceModel
import SocialEngine
import SocialWire

/// Friends' presence over one connection, update by update.
struct PresenceReader {
    /// Of a service of before, which was asked for it.
    private var first: [FriendSighting]?
    private var elements: SocialConnection.Elements.AsyncIterator

    init(_ elements: SocialConnection.Elements, behind first: [FriendSighting]?) {
        self.elements = elements.makeAsyncIterator()
        self.first = first
    }

    /// `nil` when the service ended it.
    mutating func next() async throws -> PresenceUpdate? {
        if let sightings = first {
            first = nil
            return .snapshot(sightings)
        }
        var snapshot: [FriendSighting] = []
        while let element = try await elements.next() {
            let answer = try SocialConnection.decode(
                element, FriendshipsSubscribeFriendshipPresenceUpdatesResponse.self)
            let sightings = answer.updates.positions.compactMap(\.sighting)
            if answer.updates.snapshot {
                snapshot += sightings
                if !answer.updates.more { return .snapshot(snapshot) }
            } else if !sightings.isEmpty {
                return .changed(sightings)
            }
        }
        return nil
    }
}

/// Friendships over one connection, update by update.
struct FriendshipReader {
    /// Of a service of before, which was asked for it.
    private var first: Friendships?
    private var elements: SocialConnection.Elements.AsyncIterator
    private let now: @Sendable () -> Instant

    init(
        _ elements: SocialConnection.Elements, behind first: Friendships?, now: @escaping @Sendable () -> Instant
    ) {
        self.elements = elements.makeAsyncIterator()
        self.first = first
        self.now = now
    }

    /// `nil` when the service ended it.
    mutating func next() async throws -> FriendshipUpdate? {
        if let friendships = first {
            first = nil
            return .snapshot(friendships)
        }
        var friends: [SocialAddress] = []
        while let element = try await elements.next() {
            let events = try SocialConnection.decode(
                element, FriendshipsSubscribeFriendshipEventsUpdatesResponse.self
            ).events
            if events.hasFriends { friends += events.friends.addresses }
            if events.hasRequests {
                let requests = events.requests
                return .snapshot(
                    Friendships(
                        friends: friends, outgoing: requests.outgoing.requests, incoming: requests.incoming.requests))
            }
            let instant = now()
            // What the user did themself comes apart where readers of old would misread it.
            let news = (events.responses + events.own).compactMap { $0.news(at: instant) }
            if !news.isEmpty { return .happened(news) }
        }
        return nil
    }
}
