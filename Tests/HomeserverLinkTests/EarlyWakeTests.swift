import HomeserverLink
import MatrixWire
import PresenceModel
import Testing

@Suite(.timeLimit(.minutes(2))) struct `An early wake` {
    /// Answers at once what has no wait, and the rest never.
    private func bench(isOn: Bool = true) async throws -> SyncBench {
        try await SyncBench({ $0.earlyWake = isOn }) { wire, request in
            guard !request.firstLine.contains("timeout=9") else { return }
            try await wire.send(StubHomeserver.answer(200, #"{"next_batch":"s1"}"#))
        }
    }

    private func poll(_ bench: SyncBench) async throws -> Wire {
        let count = bench.syncs.count
        let wire = try await bench.send(
            "GET /_matrix/client/v3/sync?a=1&timeout=90000&since=s1 HTTP/1.1\nHost: x\nAuthorization: Bearer ada\n\n")
        try await waits { bench.syncs.count > count }
        return wire
    }

    @Test func `asks the homeserver again when there is presence for a long-poll, and not twice in 30 s`() async throws
    {
        let bench = try await bench()
        _ = try await bench.get("?timeout=0")
        let wire = try await poll(bench)
        try await bench.choose(.busy, by: "bob")
        let answer = try #require(await wire.message())
        #expect(answer.presence == ["bob org.matrix.msc3026.busy"])
        #expect(
            bench.syncs.suffix(2) == [
                "/_matrix/client/v3/sync?a=1&timeout=90000&since=s1", "/_matrix/client/v3/sync?a=1&timeout=0&since=s1",
            ])
        wire.close()
        // Too soon: it waits on, and is woken by what comes after the pause.
        let second = try await poll(bench)
        try await bench.choose(.online, by: "bob")
        // Whole other syncs have time to go through meanwhile.
        for _ in 0..<3 { _ = try await bench.get("?timeout=0&since=s1", as: "eve") }
        #expect(second.received == 0)
        bench.clock.move(by: .seconds(31))
        try await bench.choose(.unavailable, by: "bob")
        #expect(try #require(await second.message()).presence == ["bob unavailable"])
        second.close()
    }

    @Test func `is not for what the user does, nor where it is switched off`() async throws {
        for isOn in [true, false] {
            let bench = try await bench(isOn: isOn)
            _ = try await bench.get("?timeout=0")
            let wire = try await poll(bench)
            try await bench.choose(.busy, by: isOn ? "ada" : "bob")
            // A whole other sync has time to go through meanwhile.
            _ = try await bench.get("?timeout=0&since=s1", as: "eve")
            #expect(bench.syncs.filter { $0.contains("a=1") }.count == 1)
            #expect(wire.received == 0)
            wire.close()
        }
    }
}
