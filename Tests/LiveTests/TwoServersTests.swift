import Foundation
import MatrixWire
import PresenceModel
import Testing

/// Two presenced of their own processes, TLS between them.
@Suite(.serialized) struct `Two servers` {
    struct Pair {
        var scene: Scene
        var north: Presenced
        var south: Presenced
    }

    static func pair() async throws -> Pair {
        let scene = try Scene()
        let ports = try Scene.freePorts(4)
        let files = try scene.authority.issue(label: "both", names: ["localhost"])
        func settings(_ client: Int, _ federation: Int) -> Presenced.Settings {
            Presenced.Settings(
                name: "localhost:\(federation)", clientPort: client, federationPort: federation,
                certificate: files.certificate, certificateKey: files.key, authority: scene.authority.path)
        }
        async let north = Presenced.start(settings(ports[0], ports[1]), label: "north", in: scene)
        async let south = Presenced.start(settings(ports[2], ports[3]), label: "south", in: scene)
        return Pair(scene: scene, north: try await north, south: try await south)
    }

    @Test(.timeLimit(.minutes(2)))
    func `show each other's users, through kill -9 and restart of either`() async throws {
        var pair = try await `Two servers`.pair()
        let ada = try await pair.north.user("ada")
        let cleo = try await pair.south.user("cleo")
        #expect(try await pair.north.watch(cleo.id, by: ada).status == 200)
        #expect(try await pair.south.watch(ada.id, by: cleo).status == 200)

        #expect(try await pair.north.put(ada, "online", text: "one").status == 200)
        try await pair.south.waits(for: ada.id, toBe: "online", text: "one", as: cleo)
        #expect(try await pair.south.put(cleo, "unavailable", text: "two").status == 200)
        try await pair.north.waits(for: cleo.id, toBe: "unavailable", text: "two", as: ada)

        // The one that watches dies: what it was told is still there, and it hears what comes after.
        await pair.south.child.stop(signal: SIGKILL)
        #expect(try await pair.north.put(ada, "unavailable", text: "three").status == 200)
        pair.south = try await pair.south.restarted()
        try await pair.south.waits(for: ada.id, toBe: "unavailable", text: "three", as: cleo)
        #expect(try await pair.south.status(of: cleo.id, by: cleo).json["status_msg"]?.string == "two")

        // The one that is watched dies: what it acknowledged is there, and it keeps its promise.
        #expect(try await pair.north.put(ada, "online", text: "four").status == 200)
        await pair.north.child.stop(signal: SIGKILL)
        pair.north = try await pair.north.restarted()
        try await pair.south.waits(for: ada.id, toBe: "online", text: "four", as: cleo)
        try await pair.north.waits(for: cleo.id, toBe: "unavailable", text: "two", as: ada)
        #expect(try await pair.north.put(ada, "online", text: "five").status == 200)
        try await pair.south.waits(for: ada.id, toBe: "online", text: "five", as: cleo)

        #expect(await pair.north.child.stop() == 0)
        #expect(await pair.south.child.stop(signal: SIGINT) == 0)
    }

    @Test(.timeLimit(.minutes(1))) func `show nothing to who is not on the list`() async throws {
        let pair = try await `Two servers`.pair()
        let ada = try await pair.north.user("ada")
        let cleo = try await pair.south.user("cleo")
        // Cleo wishes to see Ada; Ada never listed Cleo.
        #expect(try await pair.south.watch(ada.id, by: cleo).status == 200)
        #expect(try await pair.north.put(ada, "online", text: "secret").status == 200)
        #expect(try await pair.south.put(cleo, "online").status == 200)
        let reply = try await pair.scene.client.ask(
            "GET", "\(pair.south.url)\(Presenced.own)/stream?since=&timeout=3000", token: cleo.token)
        #expect(!reply.text.contains("secret"))
        #expect(try await pair.south.status(of: ada.id, by: cleo).text == #"{"presence":"offline"}"#)
    }
}
