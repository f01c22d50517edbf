import HomeserverLink
import MatrixWire
import PresenceModel
import Testing

@Suite(.timeLimit(.minutes(2))) struct `A sliding sync` {
    private static let path = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"
    private static let asking =
        #"{"lists":{},"extensions":{"e2ee":{"enabled":true},"org.presenced.presence":{"enabled":true}}}"#

    private func bench(_ answer: String = #"{"pos":"5/s1","extensions":{"e2ee":{}}}"#) async throws -> SyncBench {
        let bench = try await SyncBench { wire, _ in try await wire.send(StubHomeserver.answer(200, answer)) }
        try await bench.choose(.online, by: "bob")
        return bench
    }

    private func told(_ answer: Wire.Message) -> [String] {
        SyncBench.told(answer.json["extensions"]?["org.presenced.presence"])
    }

    @Test(arguments: ["/_matrix/client/v4/sync", path])
    func `carries presence among its extensions for who asks for it`(path: String) async throws {
        let bench = try await bench()
        let first = try await bench.post(path, Self.asking)
        #expect(first.body.hasPrefix(#"{"pos":"5/s1","extensions":{"e2ee":{},"org.presenced.presence":{"events":[{"#))
        #expect(told(first) == ["ada online", "bob online"])
        #expect(bench.homeserver.requests.last?.body == Self.asking)
        #expect(
            try await bench.post(path + "?pos=5%2Fs1", Self.asking).body == #"{"pos":"5/s1","extensions":{"e2ee":{}}}"#)
        try await bench.choose(.busy, by: "bob")
        #expect(told(try await bench.post(path + "?pos=5%2Fs1", Self.asking)) == ["bob org.matrix.msc3026.busy"])
    }

    @Test func `makes extensions where there are none, and keeps connections apart`() async throws {
        let bench = try await bench(#"{"pos":"1"}"#)
        #expect(told(try await bench.post(Self.path, Self.asking)) == ["ada online", "bob online"])
        let other = #"{"conn_id":"b","pos":"1","extensions":{"org.presenced.presence":{"enabled":true}}}"#
        // Told elsewhere, so everything.
        #expect(told(try await bench.post(Self.path, other)).count == 2)
        #expect(told(try await bench.post(Self.path, other)) == [])
    }

    @Test(arguments: ["{}", "nonsense", #"{"extensions":{"org.presenced.presence":{"enabled":false}}}"#, ""])
    func `passes untouched where nobody asks`(body: String) async throws {
        let bench = try await bench()
        let answer = try await bench.post(Self.path, body)
        #expect(answer.body == #"{"pos":"5/s1","extensions":{"e2ee":{}}}"#)
        #expect(bench.homeserver.requests.last?.body == body)
        #expect(try await bench.state(of: "ada") == .online)
    }

    @Test func `with a body past all measure passes unread`() async throws {
        let bench = try await bench()
        let body = Self.asking + String(repeating: " ", count: 300_000)
        #expect(try await bench.post(Self.path, body).body == #"{"pos":"5/s1","extensions":{"e2ee":{}}}"#)
        #expect(bench.homeserver.requests.last?.body == body)
    }

    @Test func `reads set_presence in the query and in the body`() async throws {
        let bench = try await bench()
        _ = try await bench.post(Self.path, #"{"set_presence":"offline"}"#)
        #expect(try await bench.state(of: "ada") == .offline)
        _ = try await bench.post(Self.path + "?set_presence=unavailable", "{}")
        #expect(try await bench.state(of: "ada") == .unavailable)
        let refused = try await bench.post(Self.path, #"{"set_presence":"busy"}"#)
        #expect(refused.json["errcode"]?.string == "M_INVALID_PARAM")
    }
}
