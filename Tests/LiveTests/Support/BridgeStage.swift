import Foundation
import MatrixWire
import PresenceModel
import SocialClient
import SocialEngine
import Testing

/// A world with a social service (a presenced by itself), a live Synapse, and beside it a presenced that bridges: paul
/// and petra are users of both, wanda of the world alone; paul is a friend of both.
struct BridgeStage: Sendable {
    let beside: BesideWorld
    let hall: Presenced
    let bridge: Presenced
    let paulThere: SocialAddress
    let wanda: SocialUser
    let petra: SocialUser
    let petraFriends: Follower<PresenceUpdate>
    /// Tokens that must not be in any log.
    let secrets: [String]

    /// - Parameter presence: Synapse's own is on, and the bridge goes by it.
    static func set(presence: Bool, in scene: Scene) async throws -> BridgeStage {
        var beside = try await BesideWorld.start(in: scene, presence: presence)
        let hall = try await `The social service`.start("hall", in: scene, ["  streams_per_connection: 1000"])
        let (paul, petra, wanda) = (
            try await SocialUser.make("paul", at: hall), try await SocialUser.make("petra", at: hall),
            try await SocialUser.make("wanda", at: hall)
        )
        try await paul.befriend(wanda)
        try await paul.befriend(petra)
        let folder = "\(scene.folder)/presenced"
        let (paulHere, petraHere) = (beside.user("paul", of: "b"), beside.user("petra", of: "b"))
        // Another token than the user's own client has.
        let (forPaul, forPetra) = (
            try await hall.user("paul", device: "BRIDGE"), try await hall.user("petra", device: "BRIDGE")
        )
        try write("\(paulHere.id) paul\n\(petraHere.id) petra\n", to: "\(folder)/links")
        try write("\(paulHere.id) \(forPaul.token)\n\(petraHere.id) \(forPetra.token)\n", to: "\(folder)/tokens")
        beside.settings.further += [
            "bridge:", "  service: external", "  url: ws://127.0.0.1:\(hall.settings.clientPort)/social",
            "  participation: opt_out", "  links_file: links", "  tokens_file: tokens", "  status_text: readable",
            "  matrix: \(presence ? "homeserver" : "presenced")",
        ]
        let bridge = try await beside.moveIn()
        return BridgeStage(
            beside: beside, hall: hall, bridge: bridge, paulThere: paul.address, wanda: wanda, petra: petra,
            petraFriends: petra.followPresence(),
            secrets: [forPaul.token, forPetra.token, paulHere.token, petraHere.token])
    }

    /// Readable by its owner alone.
    private static func write(_ text: String, to path: String) throws {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    }

    /// Who stands in Matrix for somebody of the world.
    func ghost(of user: SocialUser) -> String { "@_social_\(user.address.text):\(beside.settings.name)" }

    func waits(for id: String, toBe state: String, _ text: String?, as user: Presenced.User) async throws {
        try await beside.waits(for: id, toBe: state, text, as: user, of: "b")
    }

    func putAtSynapse(_ user: Presenced.User, _ state: String, _ text: String) async throws -> Int {
        let path = "/_matrix/client/v3/presence/\(PercentEncoding.encode(user.id))/status"
        return try await beside.scene.client.ask(
            "PUT", beside.ownURL + path, token: user.token, json: #"{"presence":"\#(state)","status_msg":"\#(text)"}"#
        ).status
    }

    func waitsAtSynapse(for id: String, toBe state: String, _ text: String?, as user: Presenced.User) async throws {
        try await beside.waits(for: id, toBe: state, text, as: user, at: beside.ownURL)
    }

    func end() async {
        for user in [wanda, petra] { await user.client.close() }
        petraFriends.stop()
        #expect(await hall.child.stop() == 0)
        await beside.end()
    }
}
