import PresenceModel
import Testing

@testable import MatrixFederation

/// Nobody steers us to where only we can reach: every way there is, over real sockets.
@Suite(.timeLimit(.minutes(2))) struct `Addresses that are not public` {
    private let zone = LoopbackDNS.Zone(
        addresses: ["a.test": ["127.0.0.1"], "m.test": ["127.0.0.1"], "v.test": ["::ffff:127.0.0.1"]])

    @Test(arguments: ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "a.test", "v.test", "10.0.0.1"])
    func `are not connected to, whatever the name`(host: String) async throws {
        let bench = try await WireBench(zone)
        let server = try await bench.server(["a.test"], hasAddresses: true) { _ in .answer(200, "{}") }
        try await bench.withTransport {
            $0.allowedNetworks = []
        } _: { (transport) async throws in
            let failure = try #require(try await transport.failure("\(host):\(server.port)"))
            #expect(failure.code == .addressRefused && failure.message.contains("federation.allowed_networks"))
        }
        #expect(server.connections == 0)
    }

    @Test func `are not connected to for a document, a delegate, a service or a redirection`() async throws {
        let bench = try await WireBench(zone)
        // Allowed is 127.0.0.1 alone; what must not be reached is at 127.0.0.2.
        bench.dns.change { $0.addresses["inside.test"] = ["127.0.0.2"] }
        let inside = try await bench.server(["inside.test"], address: "127.0.0.2") { _ in .answer(200, "{}") }
        let port = inside.port
        let redirecting = try await bench.server(["a.test"]) { _ in
            .answer(302, ["Location": "https://inside.test:\(port)/secret"], "")
        }
        let delegating = try await bench.server(["a.test"]) { _ in .answer(200, #"{"m.server":"inside.test:\#(port)"}"#)
        }
        let service = ServiceRecord(priority: 0, weight: 0, port: port, host: "inside.test")
        bench.dns.change { $0.services["_matrix-fed._tcp.a.test"] = [service] }
        for web in [redirecting.port, delegating.port, 1] {
            try await bench.withTransport {
                $0.allowedNetworks = [AddressRange(parsing: "127.0.0.1/32")].compactMap { $0 }
                $0.wellKnownPort = web
            } _: { (transport) async throws in
                #expect(try await transport.failure("a.test")?.code == .addressRefused)
            }
        }
        try await bench.withTransport {
            $0.allowedNetworks = [AddressRange(parsing: "127.0.0.1/32")].compactMap { $0 }
            $0.wellKnownPort = port
        } _: { (transport) async throws in
            #expect(try await transport.failure("inside.test") != nil)
        }
        #expect(inside.connections == 0)
    }

    @Test func `are passed over where a name has others too`() async throws {
        let bench = try await WireBench(.init(addresses: ["a.test": ["127.0.0.2", "127.0.0.1"]]))
        let server = try await bench.server(["a.test"]) { _ in .answer(200, "{}") }
        try await bench.withTransport {
            $0.allowedNetworks = [AddressRange(parsing: "127.0.0.1/32")].compactMap { $0 }
        } _: { (transport) async throws in
            #expect(try await transport.failure("a.test:\(server.port)") == nil)
        }
    }

    @Test func `are connected to where the operator says that a server is there`() async throws {
        let bench = try await WireBench(zone)
        let server = try await bench.server(["else.test"]) { _ in .answer(200, "{}") }
        try await bench.withTransport {
            $0.allowedNetworks = []
            guard let name = try? ServerName(parsing: "else.test") else { return }
            $0.resolve = [name: .init(host: "a.test", port: server.port)]
        } _: { (transport) async throws in
            #expect(try await transport.failure("else.test") == nil)
        }
        #expect(server.requests.map(\.host) == ["else.test"])
    }
}
