import AsyncHTTPClient
import FixtureReplay
import Foundation
import MatrixWire
import PresenceModel
import Testing

/// Traffic recorded from a real Synapse, sent again over real sockets to a presenced of the same name.
@Suite(.serialized) struct `Recorded traffic` {
    static let fixtures = "\(LivePart.root)/Fixtures/Matrix"

    /// A presenced named as a server of the recordings; it knows the recorded keys and can fetch none.
    static func server(named name: String, in scene: Scene) async throws -> Presenced {
        let ports = try Scene.freePorts(3)
        let files = try scene.authority.issue(label: "recorded", names: ["localhost"])
        var settings = Presenced.Settings(
            name: name, clientPort: ports[0], federationPort: ports[1], adminPort: ports[2],
            certificate: files.certificate, certificateKey: files.key, authority: scene.authority.path,
            pinnedKeys: "\(fixtures)/keys.json")
        let others = ["localhost:18448", "localhost:28448", "localhost:38448", "localhost:38449", "localhost:9"]
        for other in others where other != name { settings.resolve[other] = "127.0.0.1:9" }
        return try await Presenced.start(settings, label: "recorded", in: scene)
    }

    @Test(.timeLimit(.minutes(2)))
    func `of clients gets the recorded answers but for the decided differences`() async throws {
        let scene = try Scene()
        let server = try await `Recorded traffic`.server(named: "localhost:18448", in: scene)
        var tokens = JSONObject()
        for name in ["alice", "bob", "carol"] {
            let user = try await server.user(name)
            tokens[user.id] = .string(user.token)
        }
        // Synapse knew who shared a room; here the operator says it.
        try await server.share("!recorded:localhost:18448", ["@alice:localhost:18448", "@bob:localhost:18448"])
        var replay = Replay(to: server.url)
        try replay.rewriting.takeTokens(document: CanonicalJSON.encode(.object(tokens)))
        replay.expectations = try Expectations(contentsOf: "\(`Recorded traffic`.fixtures)/expected.json")
        let report = try await replay.run(
            ["cs_presence_put", "cs_presence_errors"].map { name in
                try Recording(contentsOf: "\(`Recorded traffic`.fixtures)/\(name).jsonl")
            })
        for difference in report.differences { Issue.record("\(difference)") }
        #expect(report.equalCount >= 100 && report.flaws.isEmpty, "\(report.summary)")
        #expect(await server.child.stop() == 0)
    }

    @Test(.timeLimit(.minutes(3)), arguments: ["localhost:18448", "localhost:28448"])
    func `of servers is taken or refused as its signature says`(name: String) async throws {
        let scene = try Scene()
        let server = try await `Recorded traffic`.server(named: name, in: scene)
        let check = SignatureCheck(keys: try RecordedKeys(contentsOf: "\(`Recorded traffic`.fixtures)/keys.json"))
        let names = try FileManager.default.contentsOfDirectory(atPath: `Recorded traffic`.fixtures).sorted()
        var taken = 0
        var refused = 0
        for file in names where file.hasPrefix("federation_") || file.hasPrefix("edge_") {
            for exchange in try Recording(contentsOf: "\(`Recorded traffic`.fixtures)/\(file)").exchanges {
                guard exchange.destination == name, exchange.path.hasPrefix("/_matrix/federation/v1/send/"),
                    exchange.method == "PUT", case .bytes(let body) = exchange.body
                else { continue }
                let status = try await send(exchange, body, to: server)
                switch check.verdict(on: exchange) {
                case .verified:
                    // Where Synapse stumbled over one bad element, or was down, the rest is taken.
                    let isSound = [0, 200, 429, 500].contains(exchange.status) || exchange.note == "edus null"
                    let expected = isSound && !["edus null", "edus an object"].contains(exchange.note) ? 200 : 400
                    #expect(status == expected, "\(exchange.place): \(exchange.note)")
                    taken += status == 200 ? 1 : 0
                    if let flipped = `Recorded traffic`.flippingOneBit(of: body) {
                        let status = try await send(exchange, flipped, to: server)
                        #expect(status == 401, "\(exchange.place), a bit flipped")
                        refused += 1
                    }
                case .refused, .unsigned:
                    #expect([400, 401].contains(status), "\(exchange.place): \(exchange.note)")
                    refused += 1
                case .undecidable:
                    continue
                }
            }
        }
        #expect(taken >= 50 && refused >= 50, "\(taken) taken, \(refused) refused")
        #expect(await server.child.stop() == 0)
    }

    @Test(.timeLimit(.minutes(1))) func `is what presence-lab replays and compares`() async throws {
        let scene = try Scene()
        let server = try await `Recorded traffic`.server(named: "localhost:18448", in: scene)
        let fixtures = `Recorded traffic`.fixtures
        let arguments = [
            "replay", "\(fixtures)/edge_auth.jsonl", "\(fixtures)/edge_presence_malformed.jsonl", "--to",
            server.federationURL, "--ca", scene.authority.path, "--only-to", "localhost:18448", "--expect",
            "\(fixtures)/expected.json",
        ]
        let lab = try Child(Scene.presenceLab, arguments)
        #expect(await lab.end() == 0, "\(lab.text)")
        #expect(lab.text.contains(" 0 differences"), "\(lab.text)")
        // Without the list of what is meant to differ, it says so.
        let strict = try Child(Scene.presenceLab, Array(arguments.dropLast(2)))
        #expect(await strict.end() == 1)
        #expect(await server.child.stop() == 0)
    }

    private func send(_ exchange: RecordedExchange, _ body: [UInt8], to server: Presenced) async throws -> Int {
        let headers = exchange.headers.filter { !["content-length", "user-agent"].contains($0.name.lowercased()) }
        let reply = try await server.scene.client.ask(
            exchange.method, server.federationURL + exchange.target, headers: headers.map { ($0.name, $0.value) },
            body: body)
        return reply.status
    }

    /// The same JSON but for one bit: the last digit of its time is another one.
    static func flippingOneBit(of body: [UInt8]) -> [UInt8]? {
        let text = String(decoding: body, as: UTF8.self)
        guard let stamp = text.range(of: #""origin_server_ts":[0-9]+"#, options: .regularExpression) else { return nil }
        let last = text.utf8.distance(from: text.startIndex, to: stamp.upperBound) - 1
        guard body[last] < UInt8(ascii: "8") else { return nil }
        var flipped = body
        flipped[last] ^= 1
        return flipped
    }
}
