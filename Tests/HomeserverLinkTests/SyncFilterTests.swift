import HomeserverLink
import MatrixWire
import PresenceModel
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) struct `The filter of a sync` {
    private static let filters = [
        "1": #"{"presence":{"not_senders":["@bob:x.org"]}}"#, "2": #"{"presence":{"types":[]}}"#, "3": "[]",
    ]

    /// Knows filters 1 to 3 and answers syncs with a presence of its own.
    private func bench() async throws -> SyncBench {
        let bench = try await SyncBench { wire, request in
            let path = request.firstLine.split(separator: " ")[1]
            guard path.contains("/filter/") else {
                return try await wire.send(StubHomeserver.answer(200, #"{"next_batch":"s1","presence":{}}"#))
            }
            guard path.hasPrefix("/_matrix/client/v3/user/%40ada%3Ax.org/filter/"),
                request.value(of: "Authorization") == "Bearer ada",
                let filter = Self.filters[String(path.split(separator: "/").last ?? "")]
            else { return try await wire.send(StubHomeserver.answer(404, #"{"errcode":"M_NOT_FOUND"}"#)) }
            try await wire.send(StubHomeserver.answer(200, filter))
        }
        try await bench.choose(.online, by: "bob")
        return bench
    }

    @Test func `holds inline`() async throws {
        let bench = try await bench()
        #expect(
            try await bench.get("?filter=%7B%22presence%22%3A%7B%22senders%22%3A%5B%22%40bob%3Ax.org%22%5D%7D%7D")
                .presence == ["bob online"])
        #expect(try await bench.get("?filter=%7B%22presence%22:%7B%22limit%22:1%7D%7D").presence.count == 1)
        #expect(try await bench.get("?filter=%7B%7D").presence == ["ada online", "bob online"])
    }

    @Test func `is asked for by its id, with the caller's token, once`() async throws {
        let bench = try await bench()
        for _ in 0..<3 { #expect(try await bench.get("?filter=1").presence == ["ada online"]) }
        #expect(bench.homeserver.requests.count { $0.firstLine.contains("/filter/1") } == 1)
        #expect(bench.syncs.last == "/_matrix/client/v3/sync?filter=1")
    }

    @Test(arguments: ["2", "3", "404", "%7B%22presence%22:%7B%22not_types%22:%5B%22m.*%22%5D%7D%7D", "%7Bnonsense"])
    func `that wants no presence, or that nobody knows, lets the answer pass as it is`(filter: String) async throws {
        let bench = try await bench()
        let answer = try await bench.get("?filter=\(filter)", fields: "Accept-Encoding: br\n")
        #expect(answer.body == #"{"next_batch":"s1","presence":{}}"#)
        #expect(answer.value(of: "Content-Length") == "33")
        #expect(bench.homeserver.requests.last?.value(of: "Accept-Encoding") == "br")
        #expect(bench.disk.cursors.isEmpty)
        // The device is connected all the same.
        #expect(try await bench.state(of: "ada") == .online)
    }
}
