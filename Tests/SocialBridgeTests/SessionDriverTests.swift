import BridgeEngine
import PresenceModel
import SocialBridge
import SocialEngine
import Testing

/// With sessions that a test plays.
@Suite(.timeLimit(.minutes(1))) struct `A linked user's sessions` {
    private var pauses: SessionPauses {
        var pauses = SessionPauses()
        for pause in [\SessionPauses.passing, \.refused, \.unauthorized] {
            pauses[keyPath: pause].first = .milliseconds(5)
            pauses[keyPath: pause].limit = .milliseconds(20)
        }
        return pauses
    }

    /// A session that is open and has told how things are.
    private func opened(
        _ service: PlayedBridged, _ credentials: HandedCredentials = HandedCredentials()
    ) async throws -> (side: RunningSide, session: PlayedSession) {
        let side = RunningSide(BridgedSessions(service: service, credentials: credentials, pauses: pauses))
        try side.open("ann")
        #expect(await comes { service.made.first?.lives == 1 })
        let session = try #require(service.made.first)
        session.tell(.opened, .snapshot([]), .read(FriendshipReading()))
        #expect(await side.hears(["opened", "snapshot ", "read "], of: "ann"))
        return (side, session)
    }

    private func place(_ x: Int32) -> Whereabouts { Whereabouts(realm: nil, parcel: .init(x: x, y: 0)) }

    @Test func `say the latest when a heartbeat was long under way, and nothing of those between`() async throws {
        let (side, session) = try await opened(PlayedBridged())
        let ann = try address("ann")
        for x in Int32(0)..<10 { side.order(.heartbeat(ann, place(x), .online)) }
        // Orders are taken one after the other: behind a reading all of them were.
        side.order(.readFriendships(ann))
        #expect(await comes { session.asked.count == 2 })
        #expect(Set(session.asked) == ["heartbeat online 0", "reread"])
        #expect(await session.answer("heartbeat online 0"))
        #expect(await session.answer("heartbeat online 9"))
        #expect(session.asked.count { $0.hasPrefix("heartbeat") } == 2)
        // Who leaves has nothing more to say but that.
        side.order(.heartbeat(ann, nil, .away), .heartbeat(ann, place(1), .online), .stop(ann))
        #expect(await session.answer("heartbeat away -"))
        #expect(await session.answer("leave"))
        #expect(session.asked.last == "leave")
        await side.stop()
    }

    @Test func `act one after the other, and never while friendships are read`() async throws {
        let (side, session) = try await opened(PlayedBridged())
        let (ann, bob, cyd) = (try address("ann"), try address("bob"), try address("cyd"))
        side.order(.act(ann, .accept, towards: bob), .act(ann, .delete, towards: cyd), .readFriendships(ann))
        #expect(await comes { session.asked == ["accept bob"] })
        #expect(await session.answer("accept bob"))
        #expect(await comes { session.asked == ["accept bob", "reread"] })
        // Orders are taken one after the other: what is said behind an act shows that it was taken.
        side.order(.act(ann, .block, towards: bob), .heartbeat(ann, nil, .online))
        #expect(await session.answer("heartbeat online -"))
        #expect(session.asked == ["accept bob", "reread", "heartbeat online -"])
        session.tell(.read(FriendshipReading(friends: [bob])))
        #expect(await session.answer("delete cyd", .init(.refused, "", refusal: .transition)))
        #expect(
            await side.hears(
                [
                    "opened", "snapshot ", "read ", "did accept bob", "read bob",
                    "refused delete cyd \(FriendshipRefusal.transition)",
                ], of: "ann"))
        #expect(await session.answer("block bob"))
        #expect(session.asked == ["accept bob", "reread", "heartbeat online -", "delete cyd", "block bob"])
        await side.stop()
    }

    /// Which of the two came first at the service, the bridge cannot know.
    @Test func `read friendships when the other acted while an act was under way`() async throws {
        let (side, session) = try await opened(PlayedBridged())
        let (ann, bob) = (try address("ann"), try address("bob"))
        side.order(.act(ann, .accept, towards: bob))
        #expect(await comes { session.asked == ["accept bob"] })
        session.tell(
            .happened([FriendshipNews(other: bob, isOwn: true, body: .acted(.accept, at: .epoch))]),
            .happened([FriendshipNews(other: bob, isOwn: false, body: .acted(.delete, at: .epoch))]))
        #expect(await comes { side.heard.words(of: "ann").last == "<delete bob" })
        #expect(await session.answer("accept bob"))
        #expect(await comes { session.asked == ["accept bob", "reread"] })
        session.tell(.read(FriendshipReading()))
        #expect(await comes { side.heard.words(of: "ann").suffix(2) == ["did accept bob", "read "] })
        await side.stop()
    }

    @Test func `tell of acts that nobody will do, once, and forget the rest`() async throws {
        let (side, session) = try await opened(PlayedBridged())
        let (ann, bob, cyd) = (try address("ann"), try address("bob"), try address("cyd"))
        side.order(.act(ann, .accept, towards: bob), .act(ann, .delete, towards: cyd))
        #expect(await comes { session.asked == ["accept bob"] })
        session.end(BridgedSessionError(.lost, "gone"))
        #expect(await side.hears(["opened", "snapshot ", "read ", "failed delete cyd", "lost"], of: "ann"))
        #expect(await session.answer("accept bob", .init(.lost, "gone")))
        #expect(await comes { side.heard.words(of: "ann").last == "failed accept bob" })
        // No session, nothing said.
        side.order(.heartbeat(ann, nil, .online), .act(ann, .block, towards: cyd), .readFriendships(ann), .stop(ann))
        #expect(await comes { session.lives == 2 })
        session.tell(.opened, .snapshot([]), .read(FriendshipReading()))
        #expect(await comes { side.heard.words(of: "ann").last == "read " })
        #expect(session.asked == ["accept bob"])
        await side.stop()
        #expect(session.asked == ["accept bob", "close"])
    }

    @Test func `live on with one session, and change it with the credential`() async throws {
        let (service, credentials) = (PlayedBridged(takesCredentials: true), HandedCredentials(makesTokens: false))
        credentials.give(.token("1"), to: try user("ann"))
        credentials.give(.token("2"), to: try user("ann"))
        let (side, session) = try await opened(service, credentials)
        for life in 1..<4 {
            session.end(BridgedSessionError(.lost, "gone"))
            #expect(await comes { session.lives == life + 1 })
        }
        #expect(service.made.count == 1 && credentials.asked == 1)
        session.tell(.opened, .snapshot([]), .read(FriendshipReading()))
        side.order(.heartbeat(try address("ann"), nil, .online))
        #expect(await session.answer("heartbeat online -", .init(.unauthorized, "over")))
        #expect(await comes { service.made.count == 2 && service.made[1].lives == 1 })
        #expect(credentials.refused == [try user("ann")] && session.asked.last == "close")
        #expect(side.heard.words(of: "ann").last == "lost")
        await side.stop()
    }

    @Test func `do not charge a credential with what was said of the one before`() async throws {
        let (service, credentials) = (PlayedBridged(takesCredentials: true), HandedCredentials(makesTokens: false))
        credentials.give(.token("1"), to: try user("ann"))
        credentials.give(.token("2"), to: try user("ann"))
        let (side, first) = try await opened(service, credentials)
        let (ann, bob) = (try address("ann"), try address("bob"))
        side.order(.heartbeat(ann, nil, .online), .act(ann, .accept, towards: bob))
        #expect(await comes { Set(first.asked) == ["heartbeat online -", "accept bob"] })
        first.end(BridgedSessionError(.unauthorized, "over"))
        #expect(await comes { service.made.count == 2 && service.made[1].lives == 1 })
        let second = service.made[1]
        #expect(await first.answer("heartbeat online -", .init(.unauthorized, "over")))
        #expect(await first.answer("accept bob", .init(.unauthorized, "over")))
        #expect(await comes { side.heard.words(of: "ann").last == "failed accept bob" })
        second.tell(.opened, .snapshot([]), .read(FriendshipReading()))
        #expect(await comes { side.heard.words(of: "ann").last == "read " })
        second.end(BridgedSessionError(.lost, "gone"))
        #expect(await comes { second.lives == 2 })
        #expect(credentials.refused == [try user("ann")] && service.made.count == 2)
        await side.stop()
    }

    @Test func `of a connection that others make do not wait longer each time besides`() async throws {
        var pauses = pauses
        (pauses.passing.factor, pauses.passing.limit) = (1_000_000, .hours(1))
        let service = PlayedBridged(sharesConnections: true)
        let side = RunningSide(BridgedSessions(service: service, credentials: HandedCredentials(), pauses: pauses))
        try side.open("ann")
        for life in 1...4 {
            #expect(await comes { service.made.first?.lives == life })
            service.made.first?.end(BridgedSessionError(.lost, "gone"))
        }
        await side.stop()
    }

    @Test func `with too few seats wait for one, in the order of their coming`() async throws {
        let service = PlayedBridged(sessionsLimit: 1)
        let (side, session) = try await opened(service)
        try side.open("bob", "cyd")
        #expect(await comes { await side.report.failures["connections_full"] == 2 })
        #expect(await side.report.failures == ["connections_full": 2])
        #expect(service.made.count == 1)
        // A lost connection costs nobody their seat.
        session.end(BridgedSessionError(.lost, "gone"))
        #expect(await comes { session.lives == 2 })
        side.order(.closeSession(try address("ann")))
        #expect(await comes { service.made.count == 2 })
        side.order(.closeSession(try address("cyd")), .closeSession(try address("bob")))
        #expect(await comes { service.made[1].asked == ["close"] })
        #expect(await comes { service.made.count == 2 })
        await side.stop()
        #expect(await side.report.sessions == 0)
    }
}
