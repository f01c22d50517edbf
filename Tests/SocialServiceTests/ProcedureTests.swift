import Foundation
import PresenceModel
import SocialEngine
import SocialService
import SocialTransport
import SocialWire
import Testing

struct `The procedures` {
    @Test func `are those of both generations, in one order`() {
        let modules = FriendshipsBench().service.modules
        #expect(modules.map(\.name) == ["FriendshipsService", "FriendshipsServiceV2"])
        let names = [
            "PositionHeartbeat", "GetFriends", "GetOnlineFriends", "GetMutualFriends", "GetRequestEvents",
            "UpdateFriendshipEvent", "SubscribeFriendshipEventsUpdates", "SubscribeFriendshipPresenceUpdates",
            "Login", "GetPrivacy", "UpdatePrivacy", "GetBlockedUsers", "Leave",
        ]
        #expect(modules[0].procedures.map(\.name) == names)
        #expect(modules[1].procedures.map(\.name) == names.filter { $0 != "Login" })
        // Where wallets are not let in.
        var closed = FriendshipsService.Configuration()
        closed.offersLogin = false
        #expect(FriendshipsBench(closed).service.modules.allSatisfy { $0.procedures.allSatisfy { $0.name != "Login" } })
    }

    @Test func `fail where the request does not decode`() async throws {
        let bench = FriendshipsBench()
        for module in bench.service.modules {
            for procedure in module.procedures {
                let call = RPCCall(session: RPCSessionID(1), port: 1, payload: Data([0x0A, 0x7F]))
                await #expect(throws: RPCFailure.self, "\(procedure.name)") {
                    switch procedure.body {
                    case .unary(let serve): _ = try await serve(call)
                    case .serverStream(let serve): _ = try await serve(call)
                    case .clientStream, .bidirectional: break
                    }
                }
            }
        }
    }

    @Test(arguments: [(0, []), (1, [1]), (20, [20]), (21, [20, 1]), (60, [20, 20, 20])])
    func `list in pages of twenty`(count: Int, pages: [Int]) async throws {
        let bench = FriendshipsBench()
        let friends = try (0..<count).map { try address("0x\(1000 + $0)") }
        try await bench.population.befriend(address("a"), with: friends, online: Array(friends.prefix(3)))
        let answers: [FriendshipsUsersResponse] = try await bench.all("GetFriends", FriendshipsPayload.of("A"))
        #expect(answers.map(\.users.users.count) == pages)
        #expect(answers.flatMap { $0.users.users.map(\.address) } == friends.map(\.text))
        let online: [FriendshipsUsersResponse] = try await bench.all("GetOnlineFriends", FriendshipsPayload.of("a"))
        #expect(online.flatMap { $0.users.users.map(\.address) } == friends.prefix(3).map(\.text))
    }

    @Test func `list friends whom two have in common`() async throws {
        let bench = FriendshipsBench()
        try await bench.population.befriend(address("a"), with: [address("b"), address("c"), address("d")])
        try await bench.population.befriend(address("b"), with: [address("a"), address("d"), address("c")])
        func ask(_ user: String?) async throws -> [FriendshipsUsersResponse] {
            try await bench.all(
                "GetMutualFriends",
                FriendshipsMutualFriendsPayload.with {
                    $0.authToken = .of("a")
                    if let user { $0.user.address = user }
                })
        }
        #expect(try await ask("B").map { $0.users.users.map(\.address) } == [["c", "d"]])
        #expect(try await ask("z").isEmpty)
        #expect(try await ask(nil).map(\.badRequestError.message) == ["`user address` is missing"])
        #expect(try await ask("").map(\.badRequestError.message) == ["`user address` is missing"])
        #expect(try await ask("ä").map(\.badRequestError.message) == ["`user address` is not valid"])
    }

    @Test func `tell open requests, in seconds`() async throws {
        let bench = FriendshipsBench()
        let request = FriendRequest(other: try address("0xEE"), createdAt: FriendshipsBench.start, message: "hi")
        let plain = FriendRequest(other: try address("c"), createdAt: .epoch, message: nil)
        try await bench.population.request(address("a"), outgoing: [request, plain])
        let answer: FriendshipsRequestEventsResponse = try await bench.call(
            "GetRequestEvents", FriendshipsPayload.of("a"))
        #expect(answer.events.outgoing.total == 2)
        #expect(answer.events.outgoing.items.map(\.user.address) == ["0xee", "c"])
        #expect(answer.events.outgoing.items.map(\.createdAt) == [1_790_000_000, 0])
        #expect(answer.events.outgoing.items.map(\.hasMessage) == [true, false])
        #expect(answer.events.outgoing.items.first?.message == "hi")
        #expect(answer.events.hasIncoming && answer.events.incoming.total == 0)
    }

    @Test func `keep and tell how much friends see`() async throws {
        let bench = FriendshipsBench()
        func choose(_ privacy: FriendshipsPrivacy) async throws -> FriendshipsPrivacyResponse {
            try await bench.call(
                "UpdatePrivacy",
                FriendshipsUpdatePrivacyPayload.with {
                    $0.privacy = privacy
                    $0.authToken = .of("a")
                })
        }
        for privacy in [FriendshipsPrivacy.stateOnly, .hidden, .full] {
            #expect(try await choose(privacy).privacy == privacy)
            let answer: FriendshipsPrivacyResponse = try await bench.call("GetPrivacy", FriendshipsPayload.of("a"))
            #expect(answer.response == .privacy(privacy))
        }
        for nonsense in [FriendshipsPrivacy.unspecified, .UNRECOGNIZED(9)] {
            #expect(try await !choose(nonsense).badRequestError.message.isEmpty)
        }
        await bench.population.refuse(with: .notStored)
        #expect(try await choose(.hidden).internalServerError.message == "The change could not be stored")
        await bench.population.refuse(with: .tooOften)
        let words = "Too many changes of privacy. Please try again later"
        #expect(try await choose(.full).tooManyRequestsError.message == words)
    }
}

struct `Acting on a friendship` {
    private func update(
        _ bench: FriendshipsBench, _ change: @escaping (inout FriendshipsUpdateFriendshipPayload) -> Void
    ) async throws -> FriendshipsUpdateFriendshipResponse {
        try await bench.call(
            "UpdateFriendshipEvent",
            FriendshipsUpdateFriendshipPayload.with {
                $0.authToken = .of("a")
                change(&$0)
            })
    }

    @Test func `answers with the event, the other user as spelled, and seconds`() async throws {
        let bench = FriendshipsBench()
        let answer = try await update(bench) {
            $0.event.request = .with {
                $0.user.address = "0xBeeF"
                $0.message = "hello"
            }
        }
        #expect(answer.event.request.user.address == "0xBeeF")
        #expect(answer.event.request.createdAt == 1_790_000_000)
        #expect(answer.event.request.message == "hello")
        #expect(answer.event.byMe)
        let act = try SmallPopulation.Act(
            action: .request(message: "hello"), actor: address("a"), other: address("0xbeef"))
        #expect(await bench.population.acts == [act])
    }

    @Test func `knows every action`() async throws {
        let bench = FriendshipsBench()
        let user = FriendshipsUser.with { $0.address = "B" }
        let cases: [(FriendshipAction, (inout FriendshipsFriendshipEventPayload) -> Void)] = [
            (.request(message: nil), { $0.request.user = user }), (.accept, { $0.accept.user = user }),
            (.reject, { $0.reject.user = user }), (.cancel, { $0.cancel.user = user }),
            (.delete, { $0.delete.user = user }), (.block, { $0.block.user = user }),
            (.unblock, { $0.unblock.user = user }),
        ]
        for (action, change) in cases {
            let answer = try await update(bench) { change(&$0.event) }
            #expect(await bench.population.acts.last?.action == action)
            let body = try #require(answer.event.body)
            // The answer's arm has the number and name of the request's.
            #expect("\(body)".split(separator: "(").first == "\(try payloadArm(change))".split(separator: "(").first)
            #expect("\(answer.event)".contains(#"address: "B""#))
        }
    }

    private func payloadArm(
        _ change: (inout FriendshipsFriendshipEventPayload) -> Void
    ) throws -> FriendshipsFriendshipEventPayload.OneOf_Body {
        var payload = FriendshipsFriendshipEventPayload()
        change(&payload)
        return try #require(payload.body)
    }

    @Test func `needs all its parts`() async throws {
        let bench = FriendshipsBench()
        #expect(try await update(bench) { _ in }.badRequestError.message == "`event` is missing")
        #expect(
            try await update(bench) { $0.event = .init() }.badRequestError.message
                == "`friendship_event_payload::body` is missing")
        #expect(
            try await update(bench) { $0.event.accept = .init() }.badRequestError.message
                == "`user address` is missing")
        #expect(
            try await update(bench) { $0.event.accept.user.address = "@:x.org" }.badRequestError.message
                == "`user address` is not valid")
        #expect(await bench.population.acts.isEmpty)
    }

    @Test(arguments: [
        (FriendshipRefusal.transition, "bad: Invalid friendship event update transition"),
        (.actingUser(.accept), "bad: Invalid acting user for friendship event update accept"),
        (.actingUser(.reject), "bad: Invalid acting user for friendship event update reject"),
        (.actingUser(.cancel), "bad: Invalid acting user for friendship event update cancel"),
        (.unknownPair, "bad: Invalid frienship event update"),
        (.toOneself, "bad: You cannot send a friendship request to yourself"),
        (.messageTooLong, "bad: `message` is too long"),
        (
            .blocked,
            "forbidden: This action is not allowed because either you blocked this user or this user blocked you"
        ),
        (.tooManyFriends, "forbidden: Too many friends"),
        (.tooManyRequests, "many: Too many open friendship requests"),
        (.tooManyBlocked, "forbidden: Too many blocked users"),
        (.tooOften, "many: Too many friendship or block actions. Please try again later"),
        (.notStored, "internal: The change could not be stored"),
    ]) func `is refused in the words that clients know`(refusal: FriendshipRefusal, text: String) async throws {
        let bench = FriendshipsBench()
        await bench.population.refuse(with: refusal)
        let answer = try await update(bench) { $0.event.delete.user.address = "b" }
        let told =
            switch answer.response {
            case .badRequestError(let error): "bad: \(error.message)"
            case .forbiddenError(let error): "forbidden: \(error.message)"
            case .tooManyRequestsError(let error): "many: \(error.message)"
            case .internalServerError(let error): "internal: \(error.message)"
            default: "\(String(describing: answer.response))"
            }
        #expect(told == text)
    }

    /// Taken from the recorded session: an accept without a request, and its answer.
    @Test func `is refused byte for byte as recorded`() async throws {
        let bench = FriendshipsBench()
        bench.tokens.refuse("tok-a", with: nil)
        await bench.population.refuse(with: .transition)
        let payload = try FriendshipsUpdateFriendshipPayload(
            serializedBytes: bytes("0a0a12080a060a043078656512070a05746f6b2d61"))
        #expect(payload.authToken.synapseToken == "tok-a")
        var own = payload
        own.authToken = .of("a")
        let answer: FriendshipsUpdateFriendshipResponse = try await bench.call("UpdateFriendshipEvent", own)
        let recorded = "322c0a2a496e76616c696420667269656e6473686970206576656e7420757064617465207472616e736974696f6e"
        #expect(try answer.serializedBytes() == bytes(recorded))
    }
}
