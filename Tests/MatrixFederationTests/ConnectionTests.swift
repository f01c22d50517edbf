import LoopbackTLS
import PresenceModel
import Testing

@testable import MatrixFederation

@Suite(.timeLimit(.minutes(2))) struct `Connections to servers` {
    private let zone = LoopbackDNS.Zone(addresses: ["a.test": ["127.0.0.1"], "b.test": ["127.0.0.1"]])

    @Test func `are used again, and made anew when they were closed`() async throws {
        let bench = try await WireBench(zone)
        let server = try await bench.server(["a.test", "b.test"]) { _ in .answer(200, "{}") }
        try await bench.withTransport { (transport) async throws in
            for _ in 0..<5 { #expect(try await transport.failure("a.test:\(server.port)") == nil) }
            #expect(server.connections == 1)
            // Another server's name is another connection, though it leads to the same place.
            #expect(try await transport.failure("b.test:\(server.port)") == nil)
            #expect(server.connections == 2)
            try await server.hangUp()
            #expect(try await transport.failure("a.test:\(server.port)") == nil)
            #expect(server.connections == 3 && server.requests.count == 7)
        }
    }

    @Test func `are not used again where the server says so`() async throws {
        let bench = try await WireBench(zone)
        let server = try await bench.server(["a.test"]) { _ in .answer(200, ["Connection": "close"], "{}") }
        try await bench.withTransport { (transport) async throws in
            for _ in 0..<3 { #expect(try await transport.failure("a.test:\(server.port)") == nil) }
        }
        #expect(server.connections == 3)
    }

    @Test func `are kept for a while only`() async throws {
        let bench = try await WireBench(zone)
        let server = try await bench.server(["a.test"]) { _ in .answer(200, "{}") }
        try await bench.withTransport {
            $0.idleLimit = .milliseconds(20)
        } _: { (transport) async throws in
            while server.connections < 2 { #expect(try await transport.failure("a.test:\(server.port)") == nil) }
        }
    }

    @Test func `need the certificate of the right name, by a trusted authority, in its time`() async throws {
        let bench = try await WireBench(zone)
        let foreign = try await WireBench(zone)
        let good = try await bench.server(["a.test"]) { _ in .answer(200, "{}") }
        let wrongName = try await bench.server(["b.test"]) { _ in .answer(200, "{}") }
        let expired = try await bench.server(["a.test"], isExpired: true) { _ in .answer(200, "{}") }
        let untrusted = try await foreign.server(["a.test"]) { _ in .answer(200, "{}") }
        try await bench.withTransport { (transport) async throws in
            #expect(try await transport.failure("a.test:\(good.port)") == nil)
            for server in [wrongName, expired, untrusted] {
                let failure = try #require(try await transport.failure("a.test:\(server.port)"))
                #expect(failure.code == .unreachable && failure.message.contains("not trusted"), "\(failure.message)")
                #expect(server.requests.isEmpty)
            }
        }
    }

    @Test func `to an address need a certificate for the address`() async throws {
        let bench = try await WireBench(zone)
        let good = try await bench.server([], hasAddresses: true) { _ in .answer(200, "{}") }
        let bad = try await bench.server(["a.test", "localhost"]) { _ in .answer(200, "{}") }
        try await bench.withTransport { (transport) async throws in
            #expect(try await transport.failure("127.0.0.1:\(good.port)") == nil)
            #expect(good.requests.map(\.host) == ["127.0.0.1:\(good.port)"])
            #expect(try await transport.failure("127.0.0.1:\(bad.port)")?.message.contains("not trusted") == true)
            // An address that the certificate is not for.
            #expect(try await transport.failure("127.0.0.2:\(good.port)") != nil)
        }
        #expect(bad.requests.isEmpty)
    }

    @Test func `end in time, and with a bound`() async throws {
        let bench = try await WireBench(zone)
        let silent = try await bench.server(["a.test"]) { _ in .silence }
        let stalling = try await bench.server(["a.test"]) { _ in .stall }
        let leaving = try await bench.server(["a.test"]) { _ in .hangUp }
        let large = try await bench.server(["a.test"]) { _ in .answer(200, String(repeating: "x", count: 101)) }
        try await bench.withTransport {
            $0.requestTimeout = .milliseconds(300)
        } _: { (transport) async throws in
            #expect(try await transport.failure("a.test:\(silent.port)")?.code == .timedOut)
            #expect(try await transport.failure("a.test:\(stalling.port)")?.code == .timedOut)
        }
        // What ends by itself has all the time it needs.
        try await bench.withTransport { (transport) async throws in
            #expect(try await transport.failure("a.test:\(leaving.port)")?.code == .unreachable)
            #expect(try await transport.failure("a.test:\(large.port)", limit: 100)?.code == .malformed)
            #expect(try await transport.failure("a.test:\(large.port)", limit: 101) == nil)
            #expect(try await transport.failure("a.test:1")?.code == .unreachable)
        }
    }

    @Test func `that are never accepted end in time`() async throws {
        let bench = try await WireBench(zone)
        let silent = try SilentListener()
        try await bench.withTransport {
            $0.connectTimeout = .milliseconds(200)
            $0.doubtfulConnectTimeout = .milliseconds(200)
        } _: { (transport) async throws in
            #expect(try await transport.failure("a.test:\(silent.port)")?.code == .timedOut)
        }
    }

    @Test func `tell how long to wait`() async throws {
        let bench = try await WireBench(zone)
        let server = try await bench.server(["a.test"]) { _ in .answer(429, ["Retry-After": "7"], "{}") }
        let dated = try await bench.server(["a.test"]) { _ in
            .answer(429, ["Retry-After": "Tue, 14 Nov 2023 22:13:50 GMT"], "{}")
        }
        try await bench.withTransport { (transport) async throws in
            #expect(try await transport.get("a.test:\(server.port)").retryAfter == .seconds(7))
            #expect(try await transport.get("a.test:\(dated.port)").retryAfter == .seconds(30))
        }
    }

    @Test func `show whose turn it is`() async throws {
        let bench = try await WireBench(zone)
        let server = try await bench.server(["a.test"]) { _ in .answer(500, "{}") }
        let name = try ServerName(parsing: "a.test:\(server.port)")
        let gone = try ServerName(parsing: "a.test:1")
        try await bench.withTransport { (transport) async throws in
            _ = try await transport.failure(name.text)
            _ = try await transport.failure(gone.text)
            #expect(transport.turns.isAnswering(name) && !transport.turns.isAnswering(gone))
            transport.heard(from: gone)
            #expect(transport.turns.isAnswering(gone))
        }
    }
}
