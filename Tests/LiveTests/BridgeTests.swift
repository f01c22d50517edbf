import Foundation
import MatrixWire
import PresenceModel
import SocialClient
import SocialEngine
import Testing

/// The bridge of a presenced beside a live Synapse, to the social service of another presenced.
@Suite(.serialized, .enabled(if: LivePart.synapsePython != nil && LivePart.nginx != nil))
struct `The bridge beside a live homeserver` {
    @Test(.timeLimit(.minutes(6)))
    func `without presence shows friends of the world, and is seen there, in both directions and over a fall`()
        async throws
    {
        let stage = try await BridgeStage.set(presence: false, in: try Scene())
        let (world, bridge, wanda) = (stage.beside, stage.bridge, stage.wanda)
        let paul = world.user("paul", of: "b")
        let friends = wanda.followPresence()
        try await friends.waits("a snapshot") { !$0.isEmpty }

        // Matrix → world: state, whereabouts in the old client's form, nothing that a human wrote.
        #expect(
            try await world.put(
                paul, of: "b", "online",
                #"{\"realm\":{\"layer\":\"\",\"serverName\":\"main\"},\"position\":{\"x\":10,\"y\":-20}}"#) == 200)
        try await friends.waits("paul in main", within: 60) {
            $0.latest(of: stage.paulThere)?.whereabouts == Whereabouts(realm: "main", parcel: .init(x: 10, y: -20))
        }
        #expect(try await world.put(paul, of: "b", "unavailable", "at the dentist") == 200)
        try await friends.waits("paul away", within: 60) { $0.latest(of: stage.paulThere)?.state == .away }
        #expect(!friends.updates.contains { "\($0)".contains("dentist") })

        try await seesFriendsOfTheWorld(paul, on: stage)
        // Heartbeats follow from Matrix alone: what came from the world does not go back there.
        #expect(!friends.updates.contains { "\($0)".contains("_social_") })

        // Whoever hides is gone from the world at once.
        let path = "/_matrix/client/v3/presence/\(PercentEncoding.encode(paul.id))/status"
        #expect(try await world.put(paul, of: "b", "online", "") == 200)
        try await friends.waits("paul is there", within: 60) { $0.latest(of: stage.paulThere)?.state == .online }
        let hidden = try await world.scene.client.ask(
            "PUT", bridge.url + path, token: paul.token, json: #"{"presence":"online","org.presenced.state":"hidden"}"#)
        #expect(hidden.status == 200)
        try await friends.waits("paul hid", within: 20) { $0.latest(of: stage.paulThere)?.state == .offline }

        // A friendship is one on both sides; ended in Matrix, it is ended there.
        try await bridge.waits("wanda on the list", as: paul) {
            try await bridge.entryState(of: stage.ghost(of: wanda), by: paul) == "accepted"
        }
        #expect(
            try await bridge.own("DELETE", "list/\(PercentEncoding.encode(stage.ghost(of: wanda)))", as: paul).status
                == 200)
        let deadline = ContinuousClock.now + .seconds(60)
        while try await wanda.client.friends().contains(stage.paulThere) {
            guard ContinuousClock.now < deadline else { throw Child.Failure(description: "still friends") }
        }

        // The bridge falls and comes back: all is as it was, nobody is seen twice.
        #expect(await bridge.child.stop(signal: SIGKILL) != 0)
        let again = try await bridge.restarted()
        #expect(try await world.put(paul, of: "b", "online", "") == 200)
        try await stage.petraFriends.waits("paul is back", within: 60) {
            $0.latest(of: stage.paulThere)?.state == .online
        }
        #expect(try await wanda.client.friends().isEmpty)
        #expect(await again.child.stop() == 0)
        await stage.end()
        for token in stage.secrets { #expect(!bridge.child.text.contains(token) && !again.child.text.contains(token)) }
        #expect(!bridge.child.text.contains("dentist"))
    }

    private func seesFriendsOfTheWorld(_ paul: Presenced.User, on stage: BridgeStage) async throws {
        let (wanda, petra) = (stage.wanda, stage.petra)
        // World → Matrix: who has no user here as a ghost, who has one by their device.
        _ = try await wanda.client.heartbeat(Whereabouts(realm: "main", parcel: .init(x: 1, y: -2)))
        try await stage.waits(for: stage.ghost(of: wanda), toBe: "online", "1,-2 in main", as: paul)
        _ = try await petra.client.heartbeat(Whereabouts(realm: "other", parcel: .init(x: 3, y: 4)))
        try await stage.waits(for: stage.beside.user("petra", of: "b").id, toBe: "online", "3,4 in other", as: paul)
    }

    @Test(.timeLimit(.minutes(6)))
    func `with presence is told by the homeserver how its users are, and tells it how friends are`() async throws {
        let stage = try await BridgeStage.set(presence: true, in: try Scene())
        let (world, petra) = (stage.beside, stage.petra)
        let paul = world.user("paul", of: "b")
        let friends = stage.petraFriends
        // Synapse → application service → bridge → world.
        #expect(try await stage.putAtSynapse(paul, "online", "hello") == 200)
        try await friends.waits("paul online", within: 60) { $0.latest(of: stage.paulThere)?.state == .online }
        #expect(friends.updates.latest(of: stage.paulThere)?.whereabouts == nil)
        #expect(try await stage.putAtSynapse(paul, "offline", "") == 200)
        try await friends.waits("paul offline", within: 60) { $0.latest(of: stage.paulThere)?.state == .offline }
        // World → bridge → Synapse → a client's sync.
        _ = try await petra.client.heartbeat(Whereabouts(realm: "main", parcel: .init(x: 5, y: 6)))
        try await stage.waitsAtSynapse(
            for: world.user("petra", of: "b").id, toBe: "online", "5,6 in main", as: paul)
        #expect(await stage.bridge.child.stop() == 0)
        await stage.end()
    }
}
