import Foundation
import MatrixWire
import PresenceModel
import SocialEngine
import SocialService
import SocialTransport
import SocialWire
import Testing

@Suite(.timeLimit(.minutes(1))) struct `A subscription` {
    private typealias News = FriendshipsSubscribeFriendshipEventsUpdatesResponse
    private typealias Updates = FriendshipsSubscribeFriendshipPresenceUpdatesResponse

    @Test func `to friendships begins with friends and requests, then tells what happens`() async throws {
        let bench = FriendshipsBench()
        let (other, at) = (try address("0xBB"), FriendshipsBench.start)
        try await bench.population.befriend(address("a"), with: [address("f")])
        let request = FriendRequest(other: other, createdAt: at, message: nil)
        try await bench.population.request(address("a"), incoming: [request])
        let stream = try await bench.open("SubscribeFriendshipEventsUpdates", FriendshipsPayload.of("a"))
        await bench.population.tell([
            FriendshipNews(other: other, isOwn: true, body: .acted(.accept, at: at)),
            FriendshipNews(other: other, isOwn: false, body: .room(try RoomID(parsing: "!r:x.org"))),
        ])
        let elements: [News] = try await bench.first(3, of: stream)
        #expect(elements[0].events.friends.users.map(\.address) == ["f"])
        #expect(!elements[0].events.hasRequests && elements[0].events.responses.isEmpty)
        #expect(elements[1].events.requests.incoming.items.map(\.user.address) == ["0xbb"])
        #expect(!elements[1].events.hasFriends && elements[1].events.responses.isEmpty)
        #expect(elements[2].events.responses.map(\.accept.user.address) == ["0xbb", ""])
        #expect(elements[2].events.responses.map(\.byMe) == [true, false])
        #expect(elements[2].events.responses[1].room.roomID == "!r:x.org")
    }

    @Test func `to friendships tells many friends in several elements`() async throws {
        let bench = FriendshipsBench()
        let friends = try (0..<1001).map { try address("f\($0)") }
        await bench.population.befriend(try address("a"), with: friends)
        let stream = try await bench.open("SubscribeFriendshipEventsUpdates", FriendshipsPayload.of("a"))
        let elements: [News] = try await bench.first(3, of: stream)
        #expect(elements.map(\.events.friends.users.count) == [1000, 1, 0])
        #expect(elements.map(\.events.hasRequests) == [false, false, true])
    }

    /// An old reader knows `responses` alone, and takes what stands there for the other user's act.
    @Test func `to friendships misleads no reader of old`() async throws {
        let bench = FriendshipsBench()
        let (other, at) = (try address("b"), FriendshipsBench.start)
        func news(_ action: FriendshipAction, own: Bool) -> FriendshipNews {
            FriendshipNews(other: other, isOwn: own, body: .acted(action, at: at))
        }
        let stream = try await bench.open("SubscribeFriendshipEventsUpdates", FriendshipsPayload.of("a"))
        await bench.population.tell([
            news(.request(message: "x"), own: false), news(.reject, own: true), news(.request(message: nil), own: true),
            news(.cancel, own: true), news(.accept, own: false), news(.delete, own: true),
        ])
        let elements: [News] = try await bench.first(5, of: stream)
        try #require(elements.count == 5)
        #expect(elements[2...].map(\.events.responses.count) == [1, 0, 2])
        #expect(elements[2...].map(\.events.own.count) == [0, 3, 0])
        #expect(elements[3].events.own.allSatisfy { $0.byMe })
        #expect(elements[2].events.responses[0].request.message == "x")
    }

    @Test func `to presence marks the snapshot, names friends and tells their state`() async throws {
        let bench = FriendshipsBench()
        let (friend, place) = (try address("0xF"), Whereabouts(realm: "main", parcel: .init(x: 1, y: -2)))
        let stream = try await bench.open("SubscribeFriendshipPresenceUpdates", FriendshipsPayload.of("a"))
        func tell(_ state: FriendState, _ whereabouts: Whereabouts?, snapshot: Bool, more: Bool) async {
            let sighting = FriendSighting(friend: friend, state: state, whereabouts: whereabouts)
            await bench.population.tell(
                PresenceBatch(sightings: [sighting], isSnapshot: snapshot, hasMore: more))
        }
        await tell(.online, place, snapshot: true, more: true)
        await tell(.away, nil, snapshot: true, more: false)
        await tell(.offline, nil, snapshot: false, more: false)
        let elements: [Updates] = try await bench.first(3, of: stream)
        #expect(elements.map(\.updates.snapshot) == [true, true, false])
        #expect(elements.map(\.updates.more) == [true, false, false])
        #expect(elements.flatMap(\.updates.positions).map(\.state) == [.online, .away, .offline])
        #expect(elements.flatMap(\.updates.positions).allSatisfy { $0.address == "0xf" })
        let shown = try #require(elements[0].updates.positions.first)
        #expect((shown.realm, shown.x, shown.y) == ("main", "1", "-2"))
        let gone = try #require(elements[2].updates.positions.first)
        #expect(!gone.hasRealm && !gone.hasX && !gone.hasY)
    }

    @Test func `ends when its token was revoked, within minutes`() async throws {
        let bench = FriendshipsBench()
        let stream = try await bench.open("SubscribeFriendshipPresenceUpdates", FriendshipsPayload.of("a"))
        var iterator = stream.makeAsyncIterator()
        let batch = PresenceBatch(sightings: [], isSnapshot: false, hasMore: false)
        await bench.population.tell(batch)
        #expect(try await iterator.next() != nil)
        bench.tokens.refuse("token-a", with: MatrixErrorBody(.unknownToken, "gone"))
        await bench.population.tell(batch)
        #expect(try await iterator.next() != nil)
        bench.clock.move(by: .minutes(5))
        await bench.population.tell(batch)
        #expect(try await iterator.next() == nil)
    }

    @Test func `goes on while it cannot be told whether its token is good`() async throws {
        let bench = FriendshipsBench()
        let stream = try await bench.open("SubscribeFriendshipEventsUpdates", FriendshipsPayload.of("a"))
        var iterator = stream.makeAsyncIterator()
        for _ in 0..<2 { #expect(try await iterator.next() != nil) }
        bench.tokens.refuse("token-a", with: MatrixErrorBody(.unknown, "down", status: 502))
        bench.clock.move(by: .minutes(6))
        let gone = FriendshipNews(other: try address("b"), isOwn: false, body: .acted(.delete, at: .epoch))
        await bench.population.tell([gone])
        #expect(try await iterator.next() != nil)
    }
}
