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

    static func pair(federation: [String] = []) async throws -> Pair {
        let scene = try Scene()
        let ports = try Scene.freePorts(6)
        let files = try scene.authority.issue(label: "both", names: ["localhost"])
        func settings(_ client: Int, _ port: Int, _ admin: Int) -> Presenced.Settings {
            Presenced.Settings(
                name: "localhost:\(port)", clientPort: client, federationPort: port, adminPort: admin,
                certificate: files.certificate, certificateKey: files.key, authority: scene.authority.path,
                federation: federation)
        }
        async let north = Presenced.start(settings(ports[0], ports[1], ports[4]), label: "north", in: scene)
        async let south = Presenced.start(settings(ports[2], ports[3], ports[5]), label: "south", in: scene)
        return Pair(scene: scene, north: try await north, south: try await south)
    }

    @Test(.timeLimit(.minutes(2)))
    func `show each other's users, through kill -9 and restart of either`() async throws {
        var pair = try await `Two servers`.pair()
        let ada = try await pair.north.user("ada")
        let cleo = try await pair.south.user("cleo")
        #expect(try await pair.north.add(cleo.id, by: ada).status == 200)
        #expect(try await pair.south.add(ada.id, by: cleo).status == 200)

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

    @Test(.timeLimit(.minutes(2))) func `show nothing without leave, and nothing after it was taken back`() async throws
    {
        var pair = try await `Two servers`.pair()
        let ada = try await pair.north.user("ada")
        let cleo = try await pair.south.user("cleo")
        #expect(try await pair.north.put(ada, "online", text: "secret").status == 200)
        #expect(try await pair.south.put(cleo, "online").status == 200)

        // Cleo asks; Ada's server is killed while the question is on its way or waits.
        let path = "list/\(PercentEncoding.encode(ada.id))"
        let asked = try await pair.south.own("PUT", path, as: cleo, json: #"{"note":"it is me"}"#)
        #expect(asked.json["state"]?.string == "pending", "\(asked.text)")
        await pair.north.child.stop(signal: SIGKILL)
        pair.north = try await pair.north.restarted()
        let (north, south) = (pair.north, pair.south)
        try await north.waits("the request is there", as: ada) {
            let requests = try await north.own("GET", "list/requests", as: ada).json["requests"]?.array ?? []
            return requests.count == 1 && requests[0]["user_id"]?.string == cleo.id
                && requests[0]["note"]?.string == "it is me"
        }
        let stream = try await south.own("GET", "stream?since=&timeout=2000", as: cleo)
        #expect(!stream.text.contains("secret"))
        #expect(try await south.status(of: ada.id, by: cleo).status == 403)

        // Ada agrees, and Cleo's server is killed before it can know.
        await south.child.stop(signal: SIGKILL)
        let request = "list/requests/\(PercentEncoding.encode(cleo.id))"
        #expect(try await north.own("POST", "\(request)/accept", as: ada).status == 200)
        #expect(try await north.put(ada, "online", text: "welcome").status == 200)
        pair.south = try await pair.south.restarted()
        let returned = pair.south
        try await returned.waits(for: ada.id, toBe: "online", text: "welcome", as: cleo)
        #expect(try await returned.entryState(of: ada.id, by: cleo) == "accepted")

        // Ada takes it back.
        let grant = "list/grants/\(PercentEncoding.encode(cleo.id))"
        #expect(try await north.own("DELETE", grant, as: ada).status == 200)
        #expect(try await north.put(ada, "unavailable", text: "alone").status == 200)
        try await returned.waits("the entry is denied", as: cleo) {
            try await returned.entryState(of: ada.id, by: cleo) == "denied"
        }
        #expect(try await returned.status(of: ada.id, by: cleo).status == 403)
        let after = try await returned.own("GET", "stream?since=&timeout=2000", as: cleo)
        #expect(!after.text.contains("alone") && !after.text.contains("welcome"))
    }
}
