import PresenceModel
import Testing

@testable import MatrixFederation

/// Discovery over real sockets: DNS by UDP, TLS, HTTP.
@Suite(.timeLimit(.minutes(2))) struct `Finding servers` {
    private func loopback(_ names: String...) -> LoopbackDNS.Zone {
        LoopbackDNS.Zone(addresses: Dictionary(uniqueKeysWithValues: names.map { ($0, ["127.0.0.1"]) }))
    }

    private func service(_ port: Int, _ host: String, priority: Int = 10) -> ServiceRecord {
        ServiceRecord(priority: priority, weight: 0, port: port, host: host)
    }

    @Test func `follows the document, with the name and the certificate of the delegate`() async throws {
        let bench = try await WireBench(loopback("a.test", "m.test"))
        let delegate = try await bench.server(["m.test"]) { _ in .answer(200, "there") }
        let port = delegate.port
        let web = try await bench.server(["a.test"]) { _ in .answer(200, #"{"m.server":"m.test:\#(port)"}"#) }
        try await bench.withTransport {
            $0.wellKnownPort = web.port
        } _: { (transport) async throws in
            #expect(String(decoding: try await transport.get("a.test").body, as: UTF8.self) == "there")
        }
        #expect(web.requests.map(\.target) == ["/.well-known/matrix/server"])
        #expect(web.requests.map(\.host) == ["a.test:\(web.port)"])
        #expect(delegate.requests.map(\.host) == ["m.test:\(port)"])
        #expect(!bench.dns.questions.contains { $0.hasSuffix(" 33") })
    }

    @Test func `follows redirections of the document, relative ones too, and no circles`() async throws {
        let bench = try await WireBench(loopback("a.test", "b.test", "m.test"))
        let delegate = try await bench.server(["m.test"]) { _ in .answer(200, "{}") }
        let port = delegate.port
        let other = try await bench.server(["b.test"]) { request in
            request.target == "/deep?x=1"
                ? .answer(200, #"{"m.server":"m.test:\#(port)"}"#)
                : .answer(302, ["Location": "deep?x=1"], "")
        }
        let otherPort = other.port
        let web = try await bench.server(["a.test"]) { request in
            .answer(308, ["Location": "https://b.test:\(otherPort)/start"], "")
        }
        try await bench.withTransport {
            $0.wellKnownPort = web.port
        } _: { (transport) async throws in
            #expect(try await transport.failure("a.test") == nil)
        }
        #expect(other.requests.map(\.target) == ["/start", "/deep?x=1"] && delegate.requests.count == 1)

        let circle = try await bench.server(["a.test"]) {
            .answer(301, ["Location": $0.target == "/2" ? "/1" : "/2"], "")
        }
        let endless = try await bench.server(["a.test"]) { .answer(301, ["Location": "\($0.target)x"], "") }
        for (server, count) in [(circle, 3), (endless, Discoverer.redirectsLimit + 1)] {
            bench.dns.change { $0.services = ["_matrix-fed._tcp.a.test": [service(port, "m.test")]] }
            try await bench.withTransport {
                $0.wellKnownPort = server.port
            } _: { (transport) async throws in
                // The document cannot be had, so DNS says where it is; there the certificate is another's.
                #expect(try await transport.failure("a.test")?.code == .unreachable)
            }
            #expect(server.requests.count == count)
        }
    }

    @Test func `takes services in their order, goes on to the next, and wants the server's own certificate`()
        async throws
    {
        let bench = try await WireBench(loopback("dead.test", "x.test", "y.test"))
        let wrong = try await bench.server(["x.test"]) { _ in .answer(200, "wrong") }
        let right = try await bench.server(["a.test"]) { _ in .answer(200, "right") }
        bench.dns.change {
            $0.services["_matrix-fed._tcp.a.test"] = [
                service(right.port, "y.test", priority: 30), service(1, "dead.test", priority: 10),
                service(wrong.port, "x.test", priority: 20),
            ]
        }
        try await bench.withTransport {
            $0.wellKnownPort = 1
        } _: { (transport) async throws in
            #expect(String(decoding: try await transport.get("a.test").body, as: UTF8.self) == "right")
        }
        #expect(right.requests.map(\.host) == ["a.test"] && wrong.connections == 1 && wrong.requests.isEmpty)
        let asked = bench.dns.questions.filter { $0.hasSuffix(" 1") && !$0.hasPrefix("a.test") }
        #expect(asked == ["dead.test 1", "x.test 1", "y.test 1"])
    }

    @Test func `takes the deprecated service where there is no other`() async throws {
        let bench = try await WireBench(loopback("x.test"))
        let server = try await bench.server(["a.test"]) { _ in .answer(200, "{}") }
        bench.dns.change { $0.services["_matrix._tcp.a.test"] = [service(server.port, "x.test")] }
        try await bench.withTransport {
            $0.wellKnownPort = 1
        } _: { (transport) async throws in
            #expect(try await transport.failure("a.test") == nil)
        }
        let services = bench.dns.questions.filter { $0.hasSuffix(" 33") }
        #expect(services == ["_matrix-fed._tcp.a.test 33", "_matrix._tcp.a.test 33"])
    }

    @Test func `is done once for all who ask, and again when the time is over`() async throws {
        let bench = try await WireBench(loopback("a.test", "m.test"))
        let delegate = try await bench.server(["m.test"]) { _ in .answer(200, "{}") }
        let port = delegate.port
        let web = try await bench.server(["a.test"]) { _ in
            .answer(200, ["Cache-Control": "max-age=3600"], #"{"m.server":"m.test:\#(port)"}"#)
        }
        try await bench.withTransport {
            $0.wellKnownPort = web.port
        } _: { (transport) async throws in
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<10 { group.addTask { _ = try? await transport.get("a.test") } }
            }
            #expect(web.requests.count == 1 && delegate.requests.count == 10)
            bench.clock.advance(by: .minutes(59))
            #expect(try await transport.failure("a.test") == nil)
            #expect(web.requests.count == 1)
            bench.clock.advance(by: .minutes(1))
            #expect(try await transport.failure("a.test") == nil)
            #expect(web.requests.count == 2)
        }
    }

    @Test func `ends, and says so, where no DNS server answers`() async throws {
        let bench = try await WireBench(.init(silent: ["*"]))
        try await bench.withTransport {
            $0.wellKnownPort = 1
        } _: { (transport) async throws in
            let failure = try #require(try await transport.failure("a.test"))
            #expect(failure.code == .unreachable && failure.message.contains("no DNS server answers"))
            #expect(try await transport.failure("b.test:8448")?.message.contains("no DNS server answers") == true)
        }
    }

    @Test func `ends where DNS knows nothing, refuses, or says that there is no such service`() async throws {
        let bench = try await WireBench(
            .init(services: ["_matrix-fed._tcp.c.test": [service(0, "")]], refused: ["b.test"]))
        try await bench.withTransport {
            $0.wellKnownPort = 1
        } _: { (transport) async throws in
            for (name, part) in [
                ("a.test", "knows no address"), ("b.test", "does not say"), ("c.test", "no federation"),
            ] {
                let failure = try #require(try await transport.failure(name))
                #expect(failure.code == .unreachable && failure.message.contains(part), "\(failure.message)")
            }
        }
    }

    @Test func `resolves names of both families, and of the hosts file`() async throws {
        let bench = try await WireBench(.init(addresses: ["a.test": ["192.0.2.1", "2001:db8::1", "192.0.2.2"]]))
        let resolver = try CaresResolver(servers: [bench.dns.address])
        defer { resolver.shutdown() }
        let found = try await resolver.addresses(of: "a.test").map(\.description)
        #expect(found.sorted() == ["192.0.2.1", "192.0.2.2", "2001:db8::1"])
        #expect(try await resolver.addresses(of: "localhost").map(\.description).contains("127.0.0.1"))
        await #expect(throws: NameFailure.noSuchName) { try await resolver.addresses(of: "b.test") }
        await withTaskGroup(of: Int.self) { group in
            for _ in 0..<300 { group.addTask { (try? await resolver.addresses(of: "a.test").count) ?? 0 } }
            for await count in group { #expect(count == 3) }
        }
    }
}
