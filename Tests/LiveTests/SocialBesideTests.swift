import Foundation
import MatrixWire
import PresenceModel
import SocialClient
import SocialEngine
import Testing

/// The social service of a presenced that stands in front of a live Synapse: its tokens, its users.
@Suite(.serialized, .enabled(if: LivePart.synapsePython != nil && LivePart.nginx != nil))
struct `The social service beside a live homeserver` {
    @Test(.timeLimit(.minutes(5)))
    func `keeps who logs in, tells both of their room, and shows in Matrix who is in the world`() async throws {
        var world = try await BesideWorld.start(in: try Scene())
        world.settings.further += ["social:", "  enabled: true", "  leave_grace: 1s"]
        let presenced = try await world.moveIn()
        let scene = world.scene
        // Logging in by HTTP, through presenced: its answer is kept, and nobody has to be asked whose the token is.
        let login = #"{"type":"m.login.password","identifier":{"type":"m.id.user","user":"paul"},"password":"paul"}"#
        let answer = try await scene.client.ask("POST", "\(presenced.url)/_matrix/client/v3/login", json: login)
        let token = try #require(answer.json["access_token"]?.string, "\(answer.text)")
        let id = try #require(answer.json["user_id"]?.string)
        let asked = try world.answered("/account/whoami")
        let paul = try SocialUser(Presenced.User(id: id, token: token), at: presenced)
        #expect(try await paul.client.friends().isEmpty)
        #expect(try world.answered("/account/whoami") == asked)
        let petra = try SocialUser(world.user("petra", of: "b"), at: presenced)

        let (pauls, petras) = (paul.followFriendships(), petra.followFriendships())
        for follower in [pauls, petras] { try await follower.waits("a snapshot") { !$0.isEmpty } }
        try await paul.befriend(petra)
        try await pauls.waits("the room") { !$0.rooms(with: petra.address).isEmpty }
        try await petras.waits("the room") { !$0.rooms(with: paul.address).isEmpty }
        #expect(pauls.updates.rooms(with: petra.address) == petras.updates.rooms(with: paul.address))

        // Whoever is in the world is online in Matrix, for those who share a room with them.
        let friends = paul.followPresence()
        try await friends.waits("a snapshot") { !$0.isEmpty }
        _ = try await petra.client.heartbeat(Whereabouts(realm: "main", parcel: .init(x: 1, y: -2)))
        try await friends.waits("petra") { $0.latest(of: petra.address)?.whereabouts?.parcel?.y == -2 }
        try await world.waits(for: petra.user.id, toBe: "online", nil, as: paul.user, of: "b")
        // Whoever hides in Matrix is hidden in the world.
        #expect(
            try await scene.client.ask(
                "PUT", "\(presenced.url)/_matrix/client/v3/presence/\(PercentEncoding.encode(petra.user.id))/status",
                token: petra.user.token, json: #"{"presence":"online","org.presenced.state":"hidden"}"#
            ).status == 200)
        try await friends.waits("petra hid") { $0.latest(of: petra.address)?.state == .offline }

        await petra.client.close()
        await paul.client.close()
        #expect(await presenced.child.stop() == 0)
        #expect(!presenced.child.text.contains(token))
        await world.end()
    }
}
