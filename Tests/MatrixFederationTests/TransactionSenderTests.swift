import FederationEngine
import PresenceModel
import PresenceRuntime
import Testing

@testable import MatrixFederation

@Suite(.timeLimit(.minutes(2))) struct `Transactions to servers` {
    private let zone = LoopbackDNS.Zone(addresses: ["a.test": ["127.0.0.1"], "inside.test": ["10.0.0.1"]])

    private func sender(_ bench: WireBench, _ transport: FederationTransport) throws -> TransactionSender {
        TransactionSender(
            server: try ServerName(parsing: "home.test"), keys: OwnKeys([.generate()]), transport: transport,
            access: .everyone, busyValue: .msc3026, ageGranularity: .seconds(60), clock: bench.clock,
            logger: bench.lines.logger)
    }

    private func transaction(_ id: String, to server: String, _ bench: WireBench) throws -> OutgoingTransaction {
        OutgoingTransaction(
            id: id, destination: try ServerName(parsing: server), composed: bench.clock.now, permissions: [],
            messages: [PresenceMessage()])
    }

    @Test func `go one after the other over one connection`() async throws {
        let bench = try await WireBench(zone)
        let server = try await bench.server(["a.test"]) { _ in .answer(200, #"{"pdus":{}}"#) }
        try await bench.withTransport { (transport) async throws in
            let sender = try sender(bench, transport)
            for id in ["t1", "t2"] {
                let transaction = try transaction(id, to: "a.test:\(server.port)", bench)
                #expect(await sender.deliver(transaction) == .delivered)
            }
        }
        #expect(server.connections == 1)
        let targets = server.requests.map(\.target)
        // Before the first one it is asked what it wishes to be sent.
        let sent = ["/_matrix/federation/v1/send/t1", "/_matrix/federation/v1/send/t2"]
        #expect(targets == [EDUOptOuts.target] + sent)
    }

    @Test func `wait as long as they are asked to`() async throws {
        let bench = try await WireBench(zone)
        let server = try await bench.server(["a.test"]) { request in
            if request.target == EDUOptOuts.target { return .answer(404, "{}") }
            return request.target.hasSuffix("t1")
                ? .answer(429, ["Retry-After": "7"], "{}") : .answer(429, #"{"retry_after_ms":1500}"#)
        }
        try await bench.withTransport { (transport) async throws in
            let sender = try sender(bench, transport)
            for (id, wait) in [("t1", Duration.seconds(7)), ("t2", .milliseconds(1500))] {
                let transaction = try transaction(id, to: "a.test:\(server.port)", bench)
                #expect(await sender.deliver(transaction) == .failed(.unanswered(after: wait)))
            }
        }
    }

    @Test func `to an address that is refused are an error in the log, once, that names the key`() async throws {
        let bench = try await WireBench(zone)
        try await bench.withTransport { (transport) async throws in
            let sender = try sender(bench, transport)
            for id in ["t1", "t2", "t3"] {
                let transaction = try transaction(id, to: "inside.test:8448", bench)
                #expect(await sender.deliver(transaction) == .failed(.unanswered(after: nil)))
            }
        }
        #expect(bench.lines.all.count == 1)
        let line = try #require(bench.lines.all.first)
        #expect(line.hasPrefix("error") && line.contains("federation.allowed_networks") && line.contains("10.0.0.1"))
    }

    @Test func `to servers that hang do not delay those that answer`() async throws {
        let bench = try await WireBench(zone)
        let living = try await bench.server(["a.test"]) { _ in .answer(200, #"{"pdus":{}}"#) }
        // Each of these takes connections and says nothing.
        let hanging = try (0..<30).map { _ in try SilentListener() }
        try await bench.withTransport {
            $0.doubtfulLimit = 2
            $0.connectTimeout = .seconds(60)
            $0.doubtfulConnectTimeout = .seconds(60)
            $0.requestTimeout = .seconds(60)
        } _: { (transport) async throws in
            let sender = try sender(bench, transport)
            let first = try transaction("t0", to: "a.test:\(living.port)", bench)
            #expect(await sender.deliver(first) == .delivered)
            let waiting = try hanging.map { listener in
                let transaction = try transaction("t", to: "a.test:\(listener.port)", bench)
                return Task { await sender.deliver(transaction) }
            }
            while transport.turns.waiting < 30 - 2 * AttemptTurns.untriedFactor { await Task.yield() }
            for id in ["t1", "t2", "t3"] {
                let transaction = try transaction(id, to: "a.test:\(living.port)", bench)
                #expect(await sender.deliver(transaction) == .delivered)
            }
            #expect(transport.turns.waiting == 30 - 2 * AttemptTurns.untriedFactor)
            try await transport.shutdown()
            for task in waiting { task.cancel() }
        }
        #expect(living.requests.count == 5)
    }
}
