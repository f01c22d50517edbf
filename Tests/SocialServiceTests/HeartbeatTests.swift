import Foundation
import PresenceModel
import SocialEngine
import SocialService
import SocialWire
import Testing

struct `A heartbeat` {
    private func beat(_ bench: FriendshipsBench, _ hex: String) async throws -> FriendshipsPositionResponse {
        try await bench.call("PositionHeartbeat", bytes(hex))
    }

    private func beat(
        _ bench: FriendshipsBench, _ change: @escaping (inout FriendshipsPosition) -> Void
    ) async throws -> FriendshipsPositionResponse {
        try await bench.call(
            "PositionHeartbeat",
            FriendshipsPositionPayloadB.with {
                $0.authToken = .of("a")
                change(&$0.position)
            })
    }

    /// `token-a` in place of the recorded token; the answer is the recorded one.
    @Test func `of layout A is taken and echoed as recorded`() async throws {
        let bench = FriendshipsBench()
        let answer = try await beat(bench, "0a07746f6b656e2d61120f0a046d61696e120231301a032d3230")
        #expect(try answer.serializedBytes() == bytes("0a0f0a046d61696e120231301a032d3230"))
        #expect(
            await bench.population.heartbeats == [
                .init(
                    user: try address("a"), session: SocialSessionID(1),
                    whereabouts: Whereabouts(realm: "main", parcel: .init(x: 10, y: -20)))
            ])
    }

    @Test func `of layout A without a token is refused as recorded`() async throws {
        let answer = try await beat(FriendshipsBench(), "12060a046d61696e")
        #expect(
            try answer.serializedBytes()
                == bytes("1a220a206073796e617073655f746f6b656e6020776173206e6f742070726f7669646564"))
    }

    @Test func `of layout B is taken, in whatever order its fields come`() async throws {
        let bench = FriendshipsBench()
        let (position, token) = ("0a0f0a046d61696e120231301a032d3230", "12090a07746f6b656e2d61")
        for hex in [position + token, token + position] {
            #expect(try await beat(bench, hex).position.x == "10")
        }
        // A position of coordinates alone, and one of nothing at all.
        #expect(try await beat(bench, "0a06120131" + "1a0132" + token).position.y == "2")
        #expect(try await beat(bench, "0a00" + token).response == .position(FriendshipsPosition()))
        #expect(await bench.population.heartbeats.map(\.user.text) == ["a", "a", "a", "a"])
        #expect(await bench.population.heartbeats.last?.whereabouts == nil)
    }

    @Test func `without a token is refused in layout B's words`() async throws {
        let answer = try await beat(FriendshipsBench(), "0a0f0a046d61696e120231301a032d3230")
        #expect(answer.unauthorizedError.message == "`auth_token` was not provided")
    }

    @Test func `echoes coordinates in their shortest spelling`() async throws {
        let answer = try await beat(FriendshipsBench()) {
            ($0.realm, $0.x, $0.y) = ("a realm", "-0", "007")
        }
        #expect(answer.position == .with { ($0.realm, $0.x, $0.y) = ("a realm", "0", "7") })
    }

    @Test func `may leave out realm or coordinates`() async throws {
        let bench = FriendshipsBench()
        #expect(try await beat(bench) { $0.realm = "r" }.position == .with { $0.realm = "r" })
        #expect(try await beat(bench) { ($0.x, $0.y, $0.realm) = ("1", "2", "") }.position.hasRealm == false)
        #expect(
            await bench.population.heartbeats.map(\.whereabouts) == [
                Whereabouts(realm: "r", parcel: nil), Whereabouts(realm: nil, parcel: .init(x: 1, y: 2)),
            ])
    }

    @Test func `says in both layouts that its user is away`() async throws {
        let bench = FriendshipsBench()
        // Layout A and B, with field 3: online, away.
        for (hex, isAway) in [("0a07746f6b656e2d61", false), ("0a0012090a07746f6b656e2d61", false)].flatMap({
            [($0.0 + "1801", false), ($0.0 + "1802", true), ($0.0, $0.1)]
        }) {
            #expect(try await beat(bench, hex).response == .position(FriendshipsPosition()))
            #expect(await bench.population.heartbeats.last?.isAway == isAway, "\(hex)")
        }
        for state in ["1803", "1807"] {
            #expect(try await !beat(bench, "0a07746f6b656e2d61" + state).badRequestError.message.isEmpty)
        }
        #expect(await bench.population.heartbeats.count == 6)
    }

    @Test func `is the last one of a user who leaves, by that connection`() async throws {
        let bench = FriendshipsBench()
        let answer = try await bench.call(
            "Leave", FriendshipsPayload.of("a"), session: 3, as: FriendshipsPositionResponse.self)
        #expect(answer.response == .position(FriendshipsPosition()))
        #expect(await bench.population.left == [.init(user: try address("a"), session: SocialSessionID(3))])
    }

    @Test(arguments: ["+1", "1.0", "", " 1", "1 ", "0x1", "2147483648", "-2147483649", "١", "1e3", "NaN"])
    func `with other coordinates is refused`(text: String) async throws {
        let bench = FriendshipsBench()
        let answer = try await beat(bench) { ($0.x, $0.y) = (text, "1") }
        #expect(!answer.badRequestError.message.isEmpty)
        #expect(await bench.population.heartbeats.isEmpty)
    }

    @Test func `with a realm that is too long or not clean is refused`() async throws {
        let bench = FriendshipsBench()
        #expect(try await beat(bench) { $0.realm = String(repeating: "r", count: 255) }.position.hasRealm)
        for realm in [
            String(repeating: "r", count: 256), String(repeating: "é", count: 128), "a\nb", "\u{0}", "\u{7f}",
        ] {
            #expect(try await !beat(bench) { $0.realm = realm }.badRequestError.message.isEmpty, "\(realm)")
        }
        #expect(await bench.population.heartbeats.count == 1)
    }
}
