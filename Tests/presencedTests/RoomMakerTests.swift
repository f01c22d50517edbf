import Logging
import MatrixWire
import PresenceModel
import PresenceRuntime
import SocialEngine
import SocialService
import Synchronization
import Testing

@testable import HomeserverLink
@testable import presenced

/// A homeserver `x.org` where everybody is a user and every room can be made; it takes its time with account data.
private final class WillingHomeserver: HomeserverAsking {
    struct State {
        var rooms = 0
        var direct: [String: JSONObject] = [:]
        var saves = 0
    }
    private let state = Mutex(State())

    var now: State { state.withLock { $0 } }

    func ask(_ question: HomeserverQuestion) async throws(HomeserverTrouble) -> HomeserverAnswer {
        let parts = question.target.split(separator: "?user_id=", maxSplits: 1)
        let user = parts.count > 1 ? PercentEncoding.decode(parts[1]) ?? "" : ""
        let answer = state.withLock { state -> JSONValue? in
            switch parts[0].split(separator: "/")[3] {
            case "account": return ["user_id": .string(user)]
            case "createRoom":
                state.rooms += 1
                return ["room_id": .string("!room\(state.rooms):x.org")]
            case "rooms": return .object(JSONObject())
            case "user":
                guard let body = question.body else { return state.direct[user].map { .object($0) } }
                state.direct[user] = (try? JSONParser.strict.parse(body))?.value.object
                state.saves += 1
                return .object(JSONObject())
            default: return nil
            }
        }
        for _ in 0..<20 { await Task.yield() }
        guard let answer else { return HomeserverAnswer(status: 404, body: Array(#"{"errcode":"M_NOT_FOUND"}"#.utf8)) }
        return HomeserverAnswer(status: 200, body: CanonicalJSON.encode(answer))
    }
}

private struct NoSocialJournal: SocialJournal {
    func write(_ records: [SocialEngine.Record]) async throws {}
}

@Suite(.timeLimit(.minutes(1))) struct `Rooms of friends` {
    @Test func `are all among the direct chats of one who has many friends at once`() async throws {
        let homeserver = WillingHomeserver()
        let server = try ServerName(parsing: "x.org")
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let registration = Registration(
            id: "presenced", url: nil, ownToken: "as-token-of-the-tests",
            homeserverToken: try #require(ApplicationToken("hs-token-of-the-tests")), senderLocalpart: "presenced",
            userPatterns: ["@.*:x\\.org"])
        let maker = RoomMaker(
            server: server,
            rooms: FriendshipRooms(server: server, registration: registration, homeserver: homeserver, logger: quiet),
            logger: quiet)
        let population = SocialRuntime(
            engine: SocialEngine(process: 1, configuration: SocialEngine.Configuration()),
            clock: AnchoredClock(wallMilliseconds: 1_700_000_000_000), journal: NoSocialJournal())
        let friends = try (0..<8).map { try SocialAddress(parsing: "friend\($0)") }
        for friend in friends { maker.add(try #require(SocialPair(SocialAddress(parsing: "alice"), friend))) }
        let work = Task { await maker.run(for: population) }
        let deadline = ContinuousClock.now + .seconds(55)
        while homeserver.now.saves < 2 * friends.count {
            try #require(ContinuousClock.now < deadline, "not all rooms were noted")
            await Task.yield()
        }
        work.cancel()
        await work.value
        let direct = try #require(homeserver.now.direct["@alice:x.org"])
        for friend in friends { #expect(direct["@\(friend):x.org"]?.array?.count == 1, "\(friend)") }
        #expect(homeserver.now.rooms == friends.count)
    }
}
