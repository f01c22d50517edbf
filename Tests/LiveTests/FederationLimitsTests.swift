import Foundation
import MatrixFederation
import MatrixWire
import PresenceModel
import Testing

/// A real presenced, and another server that is this test: it has a key, and signs what it sends.
@Suite(.serialized) struct `Limits for other servers` {
    private struct Peer: Sendable {
        let name: ServerName
        let key = SigningKey.generate()

        init(_ name: String) throws { self.name = try ServerName(parsing: name) }

        func ask(
            _ method: String, _ target: String, _ body: String? = nil, at server: Presenced
        ) async throws -> Reply {
            let destination = try ServerName(parsing: server.settings.name)
            let content = body.map { Array($0.utf8) }
            let signed = SignedRequest.signingBytes(
                method: method, uri: target, origin: name, destination: destination, content: content)
            let header = XMatrixHeader(
                origin: name, destination: destination, keyID: key.id, signature: key.sign(signed))
            return try await server.scene.client.ask(
                method, server.federationURL + target, headers: [("Authorization", header.text)], body: content)
        }

        func send(_ id: String, to server: Presenced, edus: String = "") async throws -> Reply {
            let body = #"{"edus":[\#(edus)],"origin":"\#(name)","origin_server_ts":1,"pdus":[]}"#
            return try await ask("PUT", "/_matrix/federation/v1/send/\(id)", body, at: server)
        }
    }

    private static let types = "/_matrix/federation/unstable/io.fsky.vel/edutypes"

    private func start(_ peers: [Peer], in scene: Scene, federation: [String]) async throws -> Presenced {
        var keys = JSONObject()
        for peer in peers {
            keys[peer.name.text] = [peer.key.id.text: .string(Base64.encode(peer.key.publicKey))]
        }
        let pinned = "\(scene.folder)/pinned.json"
        try String(decoding: CanonicalJSON.encode(["verify_keys": .object(keys)]), as: UTF8.self)
            .write(toFile: pinned, atomically: true, encoding: .utf8)
        let ports = try Scene.freePorts(3)
        let files = try scene.authority.issue(label: "limits", names: ["localhost"])
        var settings = Presenced.Settings(
            name: "localhost:\(ports[1])", clientPort: ports[0], federationPort: ports[1], adminPort: ports[2],
            certificate: files.certificate, certificateKey: files.key, authority: scene.authority.path,
            pinnedKeys: pinned)
        // They are nowhere: port 9 of loopback refuses.
        for peer in peers { settings.resolve[peer.name.text] = "127.0.0.1:9" }
        settings.federation = federation
        return try await Presenced.start(settings, label: "limits", in: scene)
    }

    @Test(.timeLimit(.minutes(2))) func `hold on the wire`() async throws {
        let scene = try Scene()
        let (friend, stranger) = (try Peer("friend.example"), try Peer("bad.stranger.example:8448"))
        let server = try await start(
            [friend, stranger], in: scene,
            federation: ["deny_servers: [\"*.Stranger.example\"]", "incoming: { per_second: 0.01, burst: 3 }"])

        // Denied: refused before a key is looked for.
        #expect(try await stranger.send("1", to: server).errcode == "M_FORBIDDEN")
        #expect(try await stranger.ask("GET", `Limits for other servers`.types, at: server).status == 403)

        // What is wished for: unsigned for anyone, signed for who is known.
        let told = try await scene.client.ask("GET", server.federationURL + `Limits for other servers`.types)
        #expect(told.status == 200 && told.json["m.presence"]?.bool == true)
        #expect(told.headers["cache-control"] == "max-age=86400")
        #expect(try await friend.ask("GET", `Limits for other servers`.types, at: server).status == 200)

        // Two more, and the bucket is empty; the same again is answered alike until then.
        #expect(try await friend.send("1", to: server).text == #"{"pdus":{}}"#)
        #expect(try await friend.send("1", to: server).text == #"{"pdus":{}}"#)
        let refused = try await friend.send("2", to: server)
        #expect(refused.status == 429 && refused.errcode == "M_LIMIT_EXCEEDED")
        #expect(Int(refused.headers["retry-after"] ?? "") ?? 0 > 10)
        #expect(await server.child.stop() == 0)
    }

    @Test(.timeLimit(.minutes(2))) func `and a server that does not receive says so`() async throws {
        let scene = try Scene()
        let friend = try Peer("friend.example")
        let server = try await start([friend], in: scene, federation: ["receive: false"])
        let ada = try await server.user("ada")
        #expect(try await server.put(ada, "online").status == 200)
        try await server.share("!r:\(server.settings.name)", [ada.id, "@fred:friend.example"])
        let push =
            #"{"content":{"push":[{"presence":"online","user_id":"@fred:friend.example"}]},"#
            + #""edu_type":"m.presence"}"#
        #expect(try await friend.send("1", to: server, edus: push).status == 200)
        let fred = try await server.status(of: "@fred:friend.example", by: ada)
        #expect(fred.json["presence"]?.string != "online", "\(fred.text)")
        let told = try await scene.client.ask("GET", server.federationURL + `Limits for other servers`.types)
        #expect(told.json["m.presence"]?.bool == false)
        #expect(told.json["org.presenced.presence_invite"]?.bool == false)
        #expect(await server.child.stop() == 0)
    }
}
