import MatrixWire
import PresenceModel
import Testing

@testable import MatrixFederation

@Suite(.timeLimit(.minutes(2))) struct `Keys of other servers` {
    private let key = SigningKey.generate()
    private let notarysKey = SigningKey.generate()
    private let zone = LoopbackDNS.Zone(addresses: ["a.test": ["127.0.0.1"], "n.test": ["127.0.0.1"]])

    private func document(
        of server: ServerName, _ key: SigningKey, old: [SigningKey] = [], notary: (ServerName, SigningKey)? = nil,
        until: Instant
    ) throws -> String {
        var document = ServerKeys(
            serverName: server, verifyKeys: [.init(id: key.id, key: key.publicKey)],
            oldVerifyKeys: old.map { .init(id: $0.id, key: $0.publicKey, expired: until) }, validUntil: until)
        let signed = CanonicalJSON.signingBytes(ofObject: try #require(document.encode().object))
        document.signatures = [.init(server: server, keyID: key.id, signature: key.sign(signed))]
        if let (name, key) = notary {
            document.signatures.append(.init(server: name, keyID: key.id, signature: key.sign(signed)))
        }
        return String(decoding: CanonicalJSON.encode(document.encode()), as: UTF8.self)
    }

    private func ring(_ bench: WireBench, _ transport: FederationTransport, notaries: [ServerName] = []) -> KeyRing {
        KeyRing(
            pinned: [:], notaries: notaries, transport: transport, clock: bench.clock, validityLimit: .hours(168),
            logger: bench.lines.logger)
    }

    @Test func `are those that sign, never those that signed once`() async throws {
        let bench = try await WireBench(zone)
        let old = SigningKey.generate()
        let until = bench.clock.now + .hours(24)
        let name = try ServerName(parsing: "a.test")
        let body = try document(of: name, key, old: [old], until: until)
        let server = try await bench.server(["a.test"]) { _ in .answer(200, body) }
        try await bench.withTransport {
            $0.resolve = [name: .init(host: "127.0.0.1", port: server.port)]
        } _: { (transport) async throws in
            let ring = ring(bench, transport)
            #expect(await ring.verifyKey(key.id, of: name) == key.publicKey)
            #expect(await ring.verifyKey(old.id, of: name) == nil)
            // At half its life it is fetched anew, while the one there is still serves.
            bench.clock.advance(by: .hours(12))
            #expect(await ring.verifyKey(key.id, of: name) == key.publicKey)
            while server.requests.count < 2 { await Task.yield() }
        }
        #expect(server.requests.allSatisfy { $0.target == "/_matrix/key/v2/server" })
    }

    /// A server that is gone, a notary that answers as told, and what becomes of the key.
    private func askNotary(
        answer: @escaping @Sendable (_ server: ServerName, _ notary: ServerName, Instant) throws -> [String]
    ) async throws -> (key: [UInt8]?, notary: LoopbackHTTPS, lines: [String]) {
        let bench = try await WireBench(zone)
        let (name, notaryName) = (try ServerName(parsing: "a.test:1"), try ServerName(parsing: "n.test"))
        let now = bench.clock.now
        let documents = try answer(name, notaryName, now)
        let own = try document(of: notaryName, notarysKey, until: now + .hours(24))
        let notary = try await bench.server(["n.test"]) { request in
            request.method == "POST"
                ? .answer(200, #"{"server_keys":[\#(documents.joined(separator: ","))]}"#) : .answer(200, own)
        }
        var found: [UInt8]?
        try await bench.withTransport {
            $0.resolve = [notaryName: .init(host: "127.0.0.1", port: notary.port)]
        } _: { (transport) async throws in
            found = await ring(bench, transport, notaries: [notaryName]).verifyKey(key.id, of: name)
        }
        return (found, notary, bench.lines.all)
    }

    @Test func `come from a notary where the server does not answer`() async throws {
        let (found, notary, lines) = try await askNotary { server, notary, now in
            [
                try document(of: server, key, notary: (notary, notarysKey), until: now + .hours(1)),
                try document(of: notary, notarysKey, until: now + .hours(1)),
            ]
        }
        #expect(found == key.publicKey && lines.isEmpty)
        let query = try #require(notary.requests.first { $0.method == "POST" })
        #expect(query.target == "/_matrix/key/v2/query")
        let asked = try JSONParser.strict.parse(Array(query.body.utf8)).value["server_keys"]?["a.test:1"]?[key.id.text]
        #expect(asked?["minimum_valid_until_ts"]?.integer == 1_700_000_000_000)
    }

    @Test(arguments: [
        "unsigned by the notary", "signed by another", "signed wrongly", "unsigned by the server", "old", "none",
    ])
    func `do not come from a notary whose answer is not good`(flaw: String) async throws {
        let stranger = SigningKey.generate()
        let forger = try SigningKey(id: notarysKey.id, seed: [UInt8](repeating: 7, count: 32))
        let (found, _, lines) = try await askNotary { server, notary, now in
            let later = now + .hours(1)
            switch flaw {
            case "unsigned by the notary": return [try document(of: server, key, until: later)]
            case "signed by another":
                return [try document(of: server, key, notary: (notary, stranger), until: later)]
            case "signed wrongly":
                return [try document(of: server, key, notary: (notary, forger), until: later)]
            case "unsigned by the server":
                let forged = try document(of: server, key, notary: (notary, notarysKey), until: later)
                let signature = try #require(forged.range(of: #""signatures":{"a.test:1":{"#))
                return [forged.replacingCharacters(in: signature, with: #""signatures":{"b.test:1":{"#)]
            case "old": return [try document(of: server, key, notary: (notary, notarysKey), until: now)]
            default: return []
            }
        }
        #expect(found == nil)
        #expect(lines.filter { $0.contains("a notary could not give") }.count == 1)
    }

    @Test func `of a server that does not answer are complained about once, until they can be had`() async throws {
        let bench = try await WireBench(zone)
        let name = try ServerName(parsing: "a.test")
        let body = try document(of: name, key, until: bench.clock.now + .hours(24))
        let isUp = Switch()
        let server = try await bench.server(["a.test"]) { _ in isUp.isOn ? .answer(200, body) : .answer(502, "") }
        try await bench.withTransport {
            $0.resolve = [name: .init(host: "127.0.0.1", port: server.port)]
        } _: { (transport) async throws in
            let ring = ring(bench, transport)
            for _ in 0..<5 {
                #expect(await ring.verifyKey(key.id, of: name) == nil)
                bench.clock.advance(by: .seconds(11))
            }
            #expect(server.requests.count == 5)
            isUp.turnOn()
            #expect(await ring.verifyKey(key.id, of: name) == key.publicKey)
        }
        #expect(bench.lines.all.filter { $0.contains("could not get the keys") }.count == 1)
        #expect(bench.lines.all.filter { $0.contains("can be had again") }.count == 1)
    }
}
