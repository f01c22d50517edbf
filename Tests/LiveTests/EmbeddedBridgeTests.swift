import Foundation
import MatrixWire
import PresenceModel
import SocialClient
import SocialEngine
import Testing

/// A presenced that is a social service and a bridge to it: users of Matrix are there for their friends in the world.
@Suite struct `The bridge to the embedded social service` {
    @Test(.timeLimit(.minutes(4)))
    func `shows users of Matrix in the world, and nobody by what it did itself`() async throws {
        let presenced = try await `The social service`.start(
            "presenced", in: try Scene(), ["bridge: { service: embedded, participation: opt_out }"])
        let (alice, bob) = (
            try await SocialUser.make("alice", at: presenced), try await SocialUser.make("bob", at: presenced)
        )
        try await alice.befriend(bob)
        let friends = bob.followPresence()
        try await friends.waits("a snapshot") { !$0.isEmpty }

        // Alice has a client of Matrix alone.
        #expect(try await presenced.put(alice.user, "online", text: "at the dentist").status == 200)
        try await friends.waits("alice is there") { $0.latest(of: alice.address)?.state == .online }
        #expect(friends.updates.latest(of: alice.address)?.whereabouts == nil)

        // The friendship is one in Matrix too, and whoever is in the world is seen there, and where they are.
        try await presenced.waits("bob on the list", as: alice.user) {
            try await presenced.entryState(of: bob.user.id, by: alice.user) == "accepted"
        }
        _ = try await bob.client.heartbeat(Whereabouts(realm: "main", parcel: .init(x: 1, y: -2)))
        try await presenced.waits(for: bob.user.id, toBe: "online", text: "1,-2 in main", as: alice.user)

        // Bob left, and nothing else holds him: least of all what was shown of him.
        friends.stop()
        await bob.client.close()
        try await presenced.waits(for: bob.user.id, toBe: "offline", as: alice.user, within: 60)

        // Whoever hides in Matrix is gone from the world.
        let again = try SocialUser(bob.user, at: presenced)
        let seen = again.followPresence()
        try await seen.waits("alice still") { $0.latest(of: alice.address)?.state == .online }
        let path = "/_matrix/client/v3/presence/\(PercentEncoding.encode(alice.user.id))/status"
        let hidden = try await presenced.scene.client.ask(
            "PUT", presenced.url + path, token: alice.user.token,
            json: #"{"presence":"online","org.presenced.state":"hidden"}"#)
        #expect(hidden.status == 200)
        try await seen.waits("alice hid") { $0.latest(of: alice.address)?.state == .offline }
        for user in [alice, again] { await user.client.close() }
        #expect(await presenced.child.stop() == 0)
        #expect(!presenced.child.text.contains("dentist"))
    }
}
