import Foundation
import MatrixWire
import SocialTransport
import SocialWire
import SwiftProtobuf
import Testing

/// The social service beside a live Synapse, behind the nginx that `Config/` describes. ADR-189.
@Suite(.serialized, .enabled(if: LivePart.synapsePython != nil && LivePart.nginx != nil))
struct `Friends beside a live homeserver` {
    private typealias News = FriendshipsSubscribeFriendshipEventsUpdatesResponse

    /// One connection, with the tokens of Synapse in its requests.
    private struct Client: Sendable {
        let connection: RPCClient
        let module: RPCClientModule

        static func connect(to world: BesideWorld) async throws -> Client {
            let url = world.url(of: "b").replacing("http", with: "ws") + "/social"
            var settings = RPCClient.Configuration()
            settings.trustedCertificates = "\(world.scene.folder)/beside/ca.pem"
            let connection = try await RPCClient.connect(to: url, configuration: settings)
            return Client(
                connection: connection, module: try await connection.port("p").module("FriendshipsService"))
        }

        func act(
            _ user: Presenced.User, _ change: (inout FriendshipsFriendshipEventPayload) -> Void
        ) async throws -> FriendshipsUpdateFriendshipResponse {
            var payload = FriendshipsUpdateFriendshipPayload.with { $0.authToken.synapseToken = user.token }
            change(&payload.event)
            return try FriendshipsUpdateFriendshipResponse(
                serializedBytes: await module.call("UpdateFriendshipEvent", payload.serializedBytes()))
        }

        func news(_ user: Presenced.User) async throws -> RPCElements.AsyncIterator {
            try await module.stream(
                "SubscribeFriendshipEventsUpdates",
                FriendshipsPayload.with { $0.synapseToken = user.token }.serializedBytes()
            ).makeAsyncIterator()
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `get one room when a request is accepted, and the same one ever after`() async throws {
        let world = try await BesideWorld.start(in: try Scene())
        var settings = world.settings
        settings.further += ["social:", "  enabled: true"]
        let presenced = try await Presenced.start(settings, label: "presenced", in: world.scene)
        let (paul, petra) = (world.user("paul", of: "b"), world.user("petra", of: "b"))
        let client = try await Client.connect(to: world)
        var news = try await client.news(petra)
        #expect(try await joined(petra, world).count <= 1)
        let before = try await joined(petra, world)

        let asked = try await client.act(paul) { $0.request.user.address = "petra" }
        #expect(asked.event.request.user.address == "petra", "\(asked)")
        // Not before the other side agreed.
        #expect(try await joined(petra, world) == before)
        let accepted = try await client.act(petra) { $0.accept.user.address = "paul" }
        #expect(accepted.event.accept.user.address == "paul", "\(accepted)")
        let room = try await nextRoom(&news)
        #expect(try await joined(paul, world).contains(room))
        #expect(try await joined(petra, world).contains(room))
        let members = try await get("rooms/\(PercentEncoding.encode(room))/joined_members", paul, world)
        #expect(members["joined"]?.object?.count == 2, "\(members)")
        let direct = try await get("user/\(PercentEncoding.encode(paul.id))/account_data/m.direct", paul, world)
        #expect(direct[petra.id] == [.string(room)])
        let server = paul.id.split(separator: ":", maxSplits: 1)[1]
        let alias = try await get(
            "directory/room/\(PercentEncoding.encode("#paul+petra:\(server)"))", paul, world)
        #expect(alias["room_id"]?.string == room)

        _ = try await client.act(paul) { $0.delete.user.address = "petra" }
        #expect(try await joined(paul, world).contains(room))
        _ = try await client.act(petra) { $0.request.user.address = "paul" }
        _ = try await client.act(paul) { $0.accept.user.address = "petra" }
        #expect(try await nextRoom(&news) == room)

        #expect(!presenced.child.text.contains(paul.token))
        #expect(await presenced.child.stop() == 0)
        await client.connection.closed()
        await world.end()
    }

    /// One that stands under their alias already, by one of the two, in which somebody else was once or was not.
    @Test(.timeLimit(.minutes(5)), arguments: [false, true])
    func `get the room under their alias unless somebody else ever was in it`(wasAnother: Bool) async throws {
        let world = try await BesideWorld.start(in: try Scene())
        var settings = world.settings
        settings.further += ["social:", "  enabled: true"]
        let presenced = try await Presenced.start(settings, label: "presenced", in: world.scene)
        let (paul, petra) = (world.user("paul", of: "b"), world.user("petra", of: "b"))
        let another = world.user("anna", of: "a").id
        let made = try await post(
            "createRoom", #"{"preset": "private_chat", "room_alias_name": "paul+petra"}"#, paul, world)
        let own = try #require(made["room_id"]?.string, "\(made)")
        if wasAnother {
            // Banned, so that nobody needs to be asked whether they come.
            let path = "rooms/\(PercentEncoding.encode(own))/ban"
            #expect(try await post(path, #"{"user_id": "\#(another)"}"#, paul, world).object?.isEmpty == true)
        }
        let client = try await Client.connect(to: world)
        var news = try await client.news(petra)
        _ = try await client.act(paul) { $0.request.user.address = "petra" }
        _ = try await client.act(petra) { $0.accept.user.address = "paul" }
        let room = try await nextRoom(&news)
        #expect((room == own) == !wasAnother)
        #expect(try await joined(paul, world).contains(room))
        #expect(try await joined(petra, world).contains(room))
        #expect(try await joined(petra, world).contains(own) == !wasAnother)
        #expect(await presenced.child.stop() == 0)
        await client.connection.closed()
        await world.end()
    }

    private func post(
        _ path: String, _ body: String, _ user: Presenced.User, _ world: BesideWorld
    ) async throws -> JSONValue {
        let url = "\(world.ownURL)/_matrix/client/v3/\(path)"
        return try await world.scene.client.ask("POST", url, token: user.token, json: body).json
    }

    private func nextRoom(_ news: inout RPCElements.AsyncIterator) async throws -> String {
        while let bytes = try await news.next() {
            for response in try News(serializedBytes: bytes).events.responses where !response.room.roomID.isEmpty {
                return response.room.roomID
            }
        }
        throw Child.Failure(description: "the news ended without a room")
    }

    private func joined(_ user: Presenced.User, _ world: BesideWorld) async throws -> [String] {
        try await get("joined_rooms", user, world)["joined_rooms"]?.array?.compactMap(\.string) ?? []
    }

    private func get(_ path: String, _ user: Presenced.User, _ world: BesideWorld) async throws -> JSONValue {
        try await world.scene.client.ask("GET", "\(world.ownURL)/_matrix/client/v3/\(path)", token: user.token).json
    }
}
