import Foundation
import MatrixFederation
import MatrixWire
import PresenceModel
import Testing

/// `presenced rotate-key` beside a server that runs, and what another server makes of it.
@Suite(.serialized) struct `A rotated key` {
    private func document(of server: Presenced) async throws -> JSONValue {
        try await server.scene.client.ask("GET", "\(server.federationURL)/_matrix/key/v2/server").json
    }

    private func ids(_ value: JSONValue?) -> [String] { value?.object?.members.map(\.key) ?? [] }

    @Test(.timeLimit(.minutes(2)))
    func `is taken up, published beside the old one, and alone good for requests`() async throws {
        let pair = try await `Two servers`.pair()
        let (north, south) = (pair.north, pair.south)
        let ada = try await north.user("ada")
        let cleo = try await south.user("cleo")
        #expect(try await north.add(cleo.id, by: ada).status == 200)
        #expect(try await south.add(ada.id, by: cleo).status == 200)
        #expect(try await north.put(ada, "online", text: "one").status == 200)
        try await south.waits(for: ada.id, toBe: "online", text: "one", as: cleo)

        let path = "\(north.folder)/presenced-data/signing.key"
        let old = try SigningKey.load(path: path)[0]
        let before = try await document(of: north)
        #expect(ids(before["verify_keys"]) == [old.id.text] && ids(before["old_verify_keys"]).isEmpty)
        let (status, text) = try await `The command line`.run(
            ["rotate-key", "--config", "presenced.yaml"], in: north.folder)
        #expect(status == 0 && text.contains(old.id.text))
        _ = try await north.child.line(with: "took up the signing keys")

        let new = try SigningKey.load(path: path)[0]
        let after = try await document(of: north)
        #expect(new.id != old.id && ids(after["verify_keys"]) == [new.id.text])
        #expect(ids(after["signatures"]?[north.settings.name]) == [new.id.text])
        let published = after["old_verify_keys"]?[old.id.text]
        #expect(published?["key"]?.string == Base64.encode(old.publicKey))
        let expired = try #require(published?["expired_ts"]?.integer)
        #expect(expired <= Int64(Date().timeIntervalSince1970 * 1000) && expired > 1_700_000_000_000)
        for file in [path, "\(path).old.json"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: file)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }

        // The other server sees a key that it does not know, fetches the document anew, and goes on.
        #expect(try await north.put(ada, "unavailable", text: "two").status == 200)
        try await south.waits(for: ada.id, toBe: "unavailable", text: "two", as: cleo, within: 60)
        #expect(try await send(signedBy: new, from: north, to: south).status == 200)
        let refused = try await send(signedBy: old, from: north, to: south)
        #expect(refused.status == 401 && refused.errcode == "M_UNAUTHORIZED")
        #expect(await north.child.stop() == 0)
        #expect(await south.child.stop() == 0)
    }

    /// An empty transaction, from outside of the server in whose name it is.
    private func send(signedBy key: SigningKey, from: Presenced, to: Presenced) async throws -> Reply {
        let origin = try ServerName(parsing: from.settings.name)
        let destination = try ServerName(parsing: to.settings.name)
        let body = Array(#"{"edus":[],"origin":"\#(origin)","origin_server_ts":1700000000000,"pdus":[]}"#.utf8)
        let target = "/_matrix/federation/v1/send/\(key.id.version)"
        let signature = key.sign(
            SignedRequest.signingBytes(
                method: "PUT", uri: target, origin: origin, destination: destination, content: body))
        let header = XMatrixHeader(origin: origin, destination: destination, keyID: key.id, signature: signature)
        return try await to.scene.client.ask(
            "PUT", "\(to.federationURL)\(target)", headers: [("Authorization", header.text)], body: body)
    }

    @Test(.timeLimit(.minutes(1))) func `of no server is refused, and nothing is written`() async throws {
        let scene = try Scene()
        try "server_name: example.org\n".write(
            toFile: "\(scene.folder)/presenced.yaml", atomically: true, encoding: .utf8)
        let before = try FileManager.default.contentsOfDirectory(atPath: scene.folder).sorted()
        let (status, text) = try await `The command line`.run(
            ["rotate-key", "--config", "presenced.yaml"], in: scene.folder)
        #expect(status == 1 && text.contains("signing.key"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: scene.folder).sorted() == before)
    }
}
