import FederationEngine
import HummingbirdCore
import MatrixWire
import NIOCore
import PresenceModel
import PresenceRuntime
import Synchronization
import Testing

@testable import MatrixFederation
@testable import MatrixHTTP

/// A body that tells when it is read.
private struct Parts: AsyncSequence, AsyncIteratorProtocol, Sendable {
    var bytes: [UInt8]
    var reads: @Sendable () -> Void

    func makeAsyncIterator() -> Parts { self }

    mutating func next() async -> ByteBuffer? {
        reads()
        guard !bytes.isEmpty else { return nil }
        defer { bytes = [] }
        return ByteBuffer(bytes: bytes)
    }
}

struct `A transaction that came in` {
    private static let path = "/_matrix/federation/v1/send"

    private func body(edus: [String] = [], pdus: Int = 0, stamp: Int = 1) -> String {
        let pdus = (0..<pdus).map { _ in "{}" }.joined(separator: ",")
        return "{\"edus\":[\(edus.joined(separator: ","))],\"origin\":\"a.org\",\"origin_server_ts\":\(stamp),"
            + "\"pdus\":[\(pdus)]}"
    }

    private let poll = #"{"content":{"poll":["@u:x.org"],"push":[]},"edu_type":"m.presence"}"#

    @Test func `is answered alike when it comes again, and taken once`() async throws {
        let bench = try await PeerBench()
        for _ in 0..<3 { #expect(try await bench.send("1", from: "a.org") == "200") }
        // Also with other contents, which nobody may send; and each server counts its own.
        #expect(try await bench.send("1", from: "a.org", body(stamp: 2)) == "200")
        var tally = await bench.runtime.tally
        #expect(tally.transactionsReceived == 1 && tally.transactionsRepeated == 0)
        #expect(try await bench.send("1", from: "b.org") == "200")
        #expect(try await bench.send("2", from: "a.org") == "200")
        tally = await bench.runtime.tally
        #expect(tally.transactionsReceived == 3 && tally.transactionsRepeated == 0)
        // Only who signed it well learns that it was taken.
        var forged = try bench.signed("PUT", "\(`A transaction that came in`.path)/1", from: "a.org", PeerBench.empty)
        forged.body = Array(body(stamp: 3).utf8)
        #expect(try await bench.ask(forged).verdict == "401 M_UNAUTHORIZED")
        bench.clock.move(by: .hours(24))
        #expect(try await bench.send("1", from: "a.org") == "200")
        // The engine's own memory is of numbers, not of time.
        #expect(await bench.runtime.tally.transactionsRepeated == 1)
    }

    @Test func `may hold room events, which are answered and not looked at`() async throws {
        let bench = try await PeerBench()
        let written = try bench.signed(
            "PUT", "\(`A transaction that came in`.path)/1", from: "a.org", body(edus: [poll], pdus: 50))
        #expect(try await bench.ask(written).text == #"{"pdus":{}}"#)
        #expect(await bench.runtime.tally.pollsReceived == 1)
    }

    @Test func `over its limits is refused and not remembered`() async throws {
        let bench = try await PeerBench { $0.bodyLimitBytes = 100_000 }
        let edu = #"{"content":{},"edu_type":"m.typing"}"#
        #expect(try await bench.send("1", from: "a.org", body(pdus: 51)) == "400 M_BAD_JSON")
        #expect(
            try await bench.send("1", from: "a.org", body(edus: Array(repeating: edu, count: 101))) == "400 M_BAD_JSON")
        #expect(try await bench.send("1", from: "a.org", "[]") == "400 M_BAD_JSON")
        #expect(try await bench.send("1", from: "a.org", "nonsense") == "400 M_NOT_JSON")
        let long = body(edus: [#"{"content":{"x":"\#(String(repeating: "x", count: 100_000))"},"edu_type":"y"}"#])
        #expect(try await bench.send("1", from: "a.org", long) == "413 M_TOO_LARGE")
        let most = body(edus: Array(repeating: edu, count: 99) + [poll], pdus: 50)
        #expect(try await bench.send("1", from: "a.org", most) == "200")
        #expect(await bench.runtime.tally.pollsReceived == 1)
        #expect(bench.gateway.bodies.used == (0, 0))
        #expect(await bench.gateway.incoming.underway == 0)
    }

    @Test func `is verified as it came or in canonical form, small or large`() async throws {
        let bench = try await PeerBench()
        for (place, filling) in ["", String(repeating: "x", count: 200_000)].enumerated() {
            let canonical = body(edus: [#"{"content":{"x":"\#(filling)"},"edu_type":"y"}"#, poll])
            let loose = " " + canonical.replacing(",", with: " , ")
            let path = "\(`A transaction that came in`.path)/loose\(place)"
            let written = try bench.signed("PUT", path, from: "a.org", loose, signing: canonical)
            #expect(try await bench.ask(written).verdict == "200")
            let wrong = try bench.signed("PUT", path, from: "a.org", loose, signing: canonical + " ")
            #expect(try await bench.ask(wrong).verdict == "401 M_UNAUTHORIZED")
            #expect(try await bench.send("plain\(place)", from: "a.org", canonical) == "200")
        }
        #expect(await bench.runtime.tally.pollsReceived == 4)
    }

    @Test func `that could not be written is not remembered`() async throws {
        let bench = try await PeerBench()
        bench.disk.fill(true)
        #expect(try await bench.send("1", from: "a.org", body(edus: [poll])) == "503 M_UNKNOWN")
        bench.disk.fill(false)
        #expect(try await bench.send("1", from: "a.org", body(edus: [poll])) == "200")
        #expect(await bench.runtime.tally.transactionsRepeated == 1)
        #expect(try await bench.send("1", from: "a.org", body(edus: [poll])) == "200")
        #expect(await bench.runtime.tally.transactionsRepeated == 1)
    }

    @Test(.timeLimit(.minutes(1))) func `is joined while it is under way, and waits its turn in a short queue`()
        async throws
    {
        let bench = try await PeerBench { $0.transactionQueue = 3 }
        let asking = body(edus: [poll])
        bench.disk.slow(true)
        async let first = bench.send("1", from: "a.org", asking)
        try await bench.waits { bench.disk.waiting == 1 }
        let origin = try ServerName(parsing: "a.org")
        async let again = bench.send("1", from: "a.org", asking)
        async let second = bench.send("2", from: "a.org", asking)
        async let third = bench.send("3", from: "a.org", asking)
        try await bench.waits { await bench.gateway.incoming.waiting(of: origin) == 3 }
        let written = try bench.signed("PUT", "\(`A transaction that came in`.path)/4", from: "a.org", asking)
        let refused = try await bench.ask(written)
        #expect(refused.verdict == "429 M_LIMIT_EXCEEDED" && refused.retryAfter == "1")
        // Other servers have lanes of their own.
        #expect(try await bench.send("1", from: "b.org") == "200")
        #expect(await bench.runtime.tally.transactionsReceived == 2)
        bench.disk.slow(false)
        #expect(try await [first, again, second, third] == ["200", "200", "200", "200"])
        let tally = await bench.runtime.tally
        #expect(tally.transactionsReceived == 4 && tally.transactionsRepeated == 0)
        #expect(try await bench.send("4", from: "a.org", asking) == "200")
        #expect(await bench.gateway.incoming.underway == 0)
    }

    @Test(.timeLimit(.minutes(1))) func `ends as the one that it joined`() async throws {
        let bench = try await PeerBench()
        bench.disk.slow(true)
        async let first = bench.send("1", from: "a.org", body(edus: [poll]))
        try await bench.waits { bench.disk.waiting == 1 }
        async let again = bench.send("1", from: "a.org", body(edus: [poll]))
        let origin = try ServerName(parsing: "a.org")
        try await bench.waits { await bench.gateway.incoming.waiting(of: origin) == 1 }
        bench.disk.fill(true)
        bench.disk.slow(false)
        #expect(try await [first, again] == ["503 M_UNKNOWN", "503 M_UNKNOWN"])
    }

    @Test func `comes no more often than a server may send`() async throws {
        let bench = try await PeerBench {
            $0.requestsPerSecond = 0.5
            $0.requestBurst = 2
        }
        var forged = try bench.signed("PUT", "\(`A transaction that came in`.path)/1", from: "a.org", PeerBench.empty)
        forged.target += "x"
        for _ in 0..<5 { #expect(try await bench.ask(forged).status == 401) }
        #expect(try await bench.send("1", from: "a.org") == "200")
        #expect(try await bench.send("2", from: "a.org") == "200")
        let third = try bench.signed("PUT", "\(`A transaction that came in`.path)/3", from: "a.org", PeerBench.empty)
        let refused = try await bench.ask(third)
        #expect(refused.verdict == "429 M_LIMIT_EXCEEDED" && refused.retryAfter == "2")
        #expect(refused.json["retry_after_ms"]?.integer == 2000)
        #expect(try await bench.send("3", from: "b.org") == "200")
        bench.clock.move(by: .seconds(2))
        #expect(try await bench.ask(third).verdict == "200")
    }

    @Test func `is not read before it is known that it could be good`() async throws {
        let bench = try await PeerBench {
            $0.access = ServerAccess(deny: [try ServerGlob(parsing: "b.*")])
            $0.bodyLimitBytes = 1000
        }
        let target = "\(`A transaction that came in`.path)/1"
        var unsigned = try bench.signed("PUT", target, from: "a.org", PeerBench.empty)
        unsigned.authorization = nil
        var short = try bench.signed("PUT", target, from: "a.org", PeerBench.empty)
        short.authorization = short.authorization?.replacing(try Regex("sig=.*"), with: #"sig="AAAA""#)
        let good = try bench.signed("PUT", target, from: "a.org", PeerBench.empty)
        let cases: [(PeerBench.Written, announced: Int?, verdict: String, isRead: Bool)] = [
            (unsigned, nil, "401 M_UNAUTHORIZED", false), (short, nil, "401 M_UNAUTHORIZED", false),
            (try bench.signed("PUT", target, from: "a.org", to: "y.org", "{}"), nil, "401 M_UNAUTHORIZED", false),
            (try bench.signed("PUT", target, from: "c.org", "{}"), nil, "401 M_UNAUTHORIZED", false),
            (try bench.signed("PUT", target, from: "b.org", PeerBench.empty), nil, "403 M_FORBIDDEN", false),
            (good, 1001, "413 M_TOO_LARGE", false), (good, nil, "200", true),
        ]
        for (written, announced, verdict, isRead) in cases {
            let reads = Mutex(0)
            let parts = Parts(bytes: written.body ?? [], reads: { reads.withLock { $0 += 1 } })
            let reply = try await bench.ask(written, RequestBody(asyncSequence: parts), announced: announced)
            #expect(reply.verdict == verdict)
            #expect((reads.withLock { $0 } > 0) == isRead, "\(verdict)")
        }
    }

    @Test func `of many that are large at once leaves room for the others`() async throws {
        let bench = try await PeerBench { $0.bodyLimitBytes = 100_000 }
        // Sent in the name of a.org by whoever.
        let share = bench.gateway.bodies.open(for: try ServerName(parsing: "a.org"))
        try share.take(BodyBudget<ServerName>.smallBytes + 200_000)
        let large = body(edus: [#"{"content":{"x":"\#(String(repeating: "x", count: 90_000))"},"edu_type":"y"}"#])
        #expect(try await bench.send("1", from: "a.org", large) == "429 M_LIMIT_EXCEEDED")
        #expect(try await bench.send("2", from: "a.org") == "200")
        #expect(try await bench.send("1", from: "b.org", large) == "200")
        share.close()
        #expect(try await bench.send("1", from: "a.org", large) == "200")
        #expect(bench.gateway.bodies.used == (0, 0))
    }

    @Test func `of a server that does not listen is answered and passes unheard`() async throws {
        let bench = try await PeerBench(directions: .send)
        let invite =
            #"{"content":{"observed_user":"@u:x.org","observer_user":"@v:a.org"},"#
            + #""edu_type":"org.presenced.presence_invite"}"#
        #expect(try await bench.send("1", from: "a.org", body(edus: [poll, invite])) == "200")
        let tally = await bench.runtime.tally
        #expect(tally.transactionsReceived == 0 && tally.pollsReceived == 0)
    }
}
