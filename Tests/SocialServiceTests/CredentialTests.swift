import AuthChain
import Foundation
import MatrixWire
import PresenceModel
import SocialEngine
import SocialService
import SocialTransport
import SocialWire
import Testing

struct `Who asks` {
    private let wallet = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"

    @Test func `is told by the token in the request`() async throws {
        let bench = FriendshipsBench()
        try await bench.population.befriend(address("0xAA"), with: [address("0xBB")])
        let answers = try await bench.all(
            "GetFriends", FriendshipsPayload.of("0xaa"), as: FriendshipsUsersResponse.self)
        #expect(answers.map { $0.users.users.map(\.address) } == [["0xbb"]])
    }

    @Test func `is told by a login before, for its connection and no other`() async throws {
        let bench = FriendshipsBench()
        let login = try signed(as: wallet)
        #expect(
            try await bench.call("Login", login, as: FriendshipsLoginResponse.self).response
                == .welcomeMessage(FriendshipsWelcomeMessage()))
        let beat = FriendshipsPositionPayloadB.with { $0.position.realm = "main" }
        let answer = try await bench.call("PositionHeartbeat", beat, as: FriendshipsPositionResponse.self)
        #expect(answer.position.realm == "main")
        #expect(await bench.population.heartbeats.map(\.user.text) == [login.address.lowercased()])
        let elsewhere = try await bench.call(
            "PositionHeartbeat", beat, session: 2, as: FriendshipsPositionResponse.self)
        #expect(elsewhere.unauthorizedError.message == "`auth_token` was not provided")
        await bench.service.sessionEnded(RPCSessionID(1))
        #expect(bench.credentials.loginCount == 0)
        #expect(await bench.population.ended == [SocialSessionID(1)])
        let later = try await bench.call("PositionHeartbeat", beat, as: FriendshipsPositionResponse.self)
        #expect(later.unauthorizedError.message == "`auth_token` was not provided")
    }

    /// The argument of `Login` in the recorded session of the TypeScript library.
    @Test func `may log in as recorded`() async throws {
        let bench = FriendshipsBench()
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fixtures/AuthChains/login.json")
        let recorded = try JSONParser.strict.parse(Array(Data(contentsOf: file))).value
        let login = FriendshipsLoginPayload.with {
            $0.authChain = recorded["auth_chain"]?.string ?? ""
            $0.address = recorded["address"]?.string ?? ""
            $0.timestamp = recorded["timestamp"]?.string ?? ""
        }
        let answer = try await bench.call("Login", login, as: FriendshipsLoginResponse.self)
        #expect(answer.response == .welcomeMessage(FriendshipsWelcomeMessage()))
        #expect(try answer.serializedBytes() == bytes("1200"))
    }

    @Test func `may log in again as the same, not as another`() async throws {
        let bench = FriendshipsBench()
        let (first, other) = (try signed(as: wallet), try signed(as: "0x" + String(repeating: "22", count: 32)))
        for login in [first, first] {
            let answer = try await bench.call("Login", login, as: FriendshipsLoginResponse.self)
            #expect(answer.response == .welcomeMessage(FriendshipsWelcomeMessage()))
        }
        let answer = try await bench.call("Login", other, as: FriendshipsLoginResponse.self)
        #expect(answer.unauthorizedError.message == "Another address is logged in on this connection")
    }

    @Test func `is refused with a word that helps`() async throws {
        let bench = FriendshipsBench()
        func refusal(_ change: (inout FriendshipsLoginPayload) -> Void) async throws -> String {
            var login = try signed(as: wallet)
            change(&login)
            return try await bench.call("Login", login, as: FriendshipsLoginResponse.self).unauthorizedError.message
        }
        #expect(try await refusal { $0.address = "0x" + String(repeating: "0", count: 40) }.contains("another address"))
        #expect(try await refusal { $0.timestamp = "1790000000001" }.contains("does not sign"))
        #expect(try await refusal { $0.authChain = "" }.contains("no JSON array"))
        let kind = "ECDSA_EIP_1654_EPHEMERAL"
        #expect(
            try await refusal { $0.authChain = $0.authChain.replacing("ECDSA_EPHEMERAL", with: kind) }
                .contains("contract wallets"))
        bench.clock.move(by: .minutes(6))
        #expect(try await refusal { _ in }.contains("5 minutes"))
        #expect(bench.credentials.loginCount == 0)
    }

    @Test func `is refused unheard after many bad attempts, for a while`() async throws {
        let bench = FriendshipsBench()
        let bad = FriendshipsPayload.with { $0.synapseToken = "nobody's" }
        for _ in 0..<SocialCredentials.refusalBurst {
            let answer = try await bench.call("GetPrivacy", bad, as: FriendshipsPrivacyResponse.self)
            #expect(answer.unauthorizedError == FriendshipsUnauthorizedError())
        }
        let asked = bench.tokens.asked
        let unheard = try await bench.call("GetPrivacy", bad, as: FriendshipsPrivacyResponse.self)
        #expect(unheard.tooManyRequestsError.message == "Too many bad tokens")
        let login = try await bench.call("Login", signed(as: wallet), as: FriendshipsLoginResponse.self)
        #expect(login.unauthorizedError.message.contains("Too many attempts"))
        #expect(bench.tokens.asked == asked)
        // Nobody else is.
        let other = try await bench.call(
            "GetPrivacy", FriendshipsPayload.of("a"), session: 2,
            as: FriendshipsPrivacyResponse.self)
        #expect(other.privacy == .full)
        bench.clock.move(by: .seconds(2))
        let good = try await bench.call("GetPrivacy", FriendshipsPayload.of("a"), as: FriendshipsPrivacyResponse.self)
        #expect(good.privacy == .full)
    }

    @Test func `is heard on, whatever others of the connection show, if the token was good before`() async throws {
        let bench = FriendshipsBench()
        func ask(_ name: String) async throws -> FriendshipsPrivacyResponse {
            try await bench.call("GetPrivacy", FriendshipsPayload.of(name), as: FriendshipsPrivacyResponse.self)
        }
        #expect(try await ask("b").privacy == .full)
        let bad = FriendshipsPayload.with { $0.synapseToken = "nobody's" }
        for _ in 0..<SocialCredentials.refusalBurst {
            _ = try await bench.call("GetPrivacy", bad, as: FriendshipsPrivacyResponse.self)
        }
        #expect(try await ask("b").privacy == .full)
        #expect(try await ask("c").tooManyRequestsError.message == "Too many bad tokens")
        // What was good is looked up all the same, and heard no more once it is over.
        bench.tokens.refuse("token-b", with: MatrixErrorBody(.unknownToken, "over", status: 401))
        #expect(try await ask("b").response == .unauthorizedError(FriendshipsUnauthorizedError()))
        #expect(try await ask("b").tooManyRequestsError.message == "Too many bad tokens")
        // Of a connection that ended nothing is kept.
        bench.tokens.refuse("token-b", with: nil)
        await bench.service.sessionEnded(RPCSessionID(1))
        #expect(try await ask("c").privacy == .full)
    }

    @Test(arguments: [
        ("GetFriends", "`synapse_token` was not provided"), ("GetOnlineFriends", "`synapse_token` was not provided"),
        ("GetBlockedUsers", "`synapse_token` was not provided"),
        ("GetMutualFriends", "`auth_token` was not provided"),
    ]) func `must be told in a list's request`(name: String, text: String) async throws {
        let answers = try await FriendshipsBench().all(
            name, FriendshipsPayload(), as: FriendshipsUsersResponse.self)
        #expect(answers.map(\.unauthorizedError.message) == [text])
    }

    @Test func `must be told in every other request`() async throws {
        let bench = FriendshipsBench()
        let empty = FriendshipsPayload()
        let events: FriendshipsRequestEventsResponse = try await bench.call("GetRequestEvents", empty)
        #expect(events.unauthorizedError.message == "`synapse_token` was not provided")
        let update: FriendshipsUpdateFriendshipResponse = try await bench.call("UpdateFriendshipEvent", empty)
        #expect(update.unauthorizedError.message == "`auth_token` was not provided")
        let privacy: FriendshipsPrivacyResponse = try await bench.call("UpdatePrivacy", empty)
        #expect(privacy.unauthorizedError.message == "`auth_token` was not provided")
        let news: [FriendshipsSubscribeFriendshipEventsUpdatesResponse] = try await bench.all(
            "SubscribeFriendshipEventsUpdates", empty)
        #expect(news.map(\.unauthorizedError.message) == ["`synapse_token` was not provided"])
        let updates: [FriendshipsSubscribeFriendshipPresenceUpdatesResponse] = try await bench.all(
            "SubscribeFriendshipPresenceUpdates", empty)
        #expect(updates.map(\.unauthorizedError.message) == ["`synapse_token` was not provided"])
    }

    @Test(arguments: [
        (
            MatrixErrorBody(.forbidden, "You are banned"),
            FriendshipsPrivacyResponse.with {
                $0.forbiddenError.message = "You are banned"
            }
        ),
        (MatrixErrorBody(.missingToken, "secret"), .with { $0.unauthorizedError = .init() }),
        (MatrixErrorBody(.limitExceeded, "secret"), .with { $0.tooManyRequestsError = .init() }),
        (MatrixErrorBody(.unknown, "secret", status: 502), .with { $0.internalServerError = .init() }),
        (MatrixErrorBody(.userSuspended, "secret", status: 403), .with { $0.internalServerError = .init() }),
    ]) func `is refused as the homeserver refuses`(
        error: MatrixErrorBody, expected: FriendshipsPrivacyResponse
    ) async throws {
        let bench = FriendshipsBench()
        bench.tokens.refuse("token-a", with: error)
        let answer: FriendshipsPrivacyResponse = try await bench.call("GetPrivacy", FriendshipsPayload.of("a"))
        #expect(answer == expected)
    }

    @Test func `may ask so often, each user for themself`() async throws {
        var limits = FriendshipsService.Configuration()
        (limits.callsPerSecond, limits.callBurst) = (1, 3)
        let bench = FriendshipsBench(limits)
        func ask(_ name: String) async throws -> Bool {
            let answer: FriendshipsPrivacyResponse = try await bench.call("GetPrivacy", FriendshipsPayload.of(name))
            return answer.tooManyRequestsError.message.isEmpty
        }
        for _ in 0..<3 { #expect(try await ask("a")) }
        #expect(try await !ask("a"))
        #expect(try await ask("b"))
        bench.clock.move(by: .seconds(1))
        #expect(try await ask("a"))
    }

    private func signed(as text: String) throws -> FriendshipsLoginPayload {
        let wallet = try #require(EthereumKey(text))
        let ephemeral = try #require(EthereumKey("0x" + String(repeating: "11", count: 32)))
        let timestamp = String(FriendshipsBench.start.millisecondsSinceEpoch)
        let chain = AuthChain.signing(
            timestamp, wallet: wallet, ephemeral: ephemeral, expiration: FriendshipsBench.start + .hours(1))
        return .with {
            $0.authChain = chain.text
            $0.address = wallet.address.checksummed
            $0.timestamp = timestamp
        }
    }
}
