import HomeserverLink
import MatrixWire
import PresenceModel
import Synchronization
import Testing

/// Answers syncs with tokens that count up: `s1`, `s2`, …
private final class CountingScript: Sendable {
    private let count = Mutex(0)

    func answer(_ wire: Wire, _ request: Wire.Message) async throws {
        let number = count.withLock { count in
            count += 1
            return count
        }
        try await wire.send(StubHomeserver.answer(200, #"{"next_batch":"s\#(number)","rooms":{}}"#))
    }
}

@Suite(.timeLimit(.minutes(2))) struct `A merged sync` {
    private func counting(
        disk: CursorDisk = CursorDisk(), boot: UInt64 = 7,
        _ configure: (inout SyncGateway.Configuration) -> Void = { _ in }
    ) async throws -> SyncBench {
        let script = CountingScript()
        return try await SyncBench(disk: disk, boot: boot, configure) { try await script.answer($0, $1) }
    }

    /// The same answer to everything.
    private func fixed(_ body: String, status: Int = 200, fields: String = "") async throws -> SyncBench {
        try await SyncBench { wire, _ in try await wire.send(StubHomeserver.answer(status, body, fields)) }
    }

    @Test func `shows everyone who is not offline, then what changed, and nothing twice`() async throws {
        let bench = try await counting()
        try await bench.choose(.online, "hello", by: "bob")
        let first = try await bench.get("?timeout=0")
        #expect(first.presence.sorted() == ["ada online", "bob online"])
        #expect(first.body.hasPrefix(#"{"next_batch":"s1","rooms":{},"presence":{"events":["#))
        #expect(first.value(of: "Content-Type") == "application/json")
        #expect(try await bench.get("?timeout=0&since=s1").body == #"{"next_batch":"s2","rooms":{}}"#)
        try await bench.choose(.busy, by: "bob")
        #expect(try await bench.get("?since=s2").presence == ["bob org.matrix.msc3026.busy"])
        #expect(try await bench.get("?since=s3").presence == [])
        // An older token once more: what was told after it is told again.
        #expect(try await bench.get("?since=s2").presence == ["bob org.matrix.msc3026.busy"])
        #expect(
            bench.syncs.map { $0.split(separator: "?").last } == [
                "timeout=0", "timeout=0&since=s1", "since=s2", "since=s3", "since=s2",
            ])
    }

    @Test func `goes on after the token although the homeserver gives the same one again`() async throws {
        let bench = try await fixed(#"{"next_batch":"s1"}"#)
        _ = try await bench.get("")
        try await bench.choose(.busy, by: "bob")
        #expect(try await bench.get("?since=s1").presence == ["bob org.matrix.msc3026.busy"])
        #expect(try await bench.get("?since=s1").presence == [])
    }

    @Test func `says after a restart who went offline meanwhile, and of what it never told nothing`() async throws {
        let disk = CursorDisk()
        do {
            let before = try await counting(disk: disk)
            try await before.choose(.online, by: "bob")
            #expect(try await before.get("").presence.contains("bob online"))
        }
        #expect(disk.cursors.count == 1)
        let after = try await counting(disk: disk, boot: 8)
        try await after.choose(.offline, "gone", by: "bob")
        #expect(try await after.get("?since=s1").presence.contains("bob offline"))
        // A token given out while nobody merged: the client knows somebody, but not from this token.
        #expect(try await after.get("?since=unknown").presence.contains("bob offline"))
        // A client that holds nothing, and one that was never told anything.
        #expect(try await !after.get("").presence.contains("bob offline"))
        #expect(try await !after.get("?since=s1", as: "eve").presence.contains("bob offline"))
        #expect(try await after.get("?since=s1&full_state=true").presence.contains("bob offline"))
    }

    @Test func `is over for presence only when the last byte is out`() async throws {
        let bench = try await SyncBench { wire, request in
            guard request.firstLine.contains("since=s1") else {
                return try await wire.send(StubHomeserver.answer(200, #"{"next_batch":"s1"}"#))
            }
            try await wire.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n")
            try await wire.send(#"{"next_batch":"s1","account_data":{}}"#)
            wire.close()
        }
        _ = try await bench.get("")
        try await bench.choose(.busy, by: "bob")
        let before = bench.disk.cursors.map(\.cursors)
        let answer = try await bench.get("?since=s1")
        #expect(!answer.isWhole)
        #expect(answer.presence == [] || bench.disk.cursors.map(\.cursors) == before)
        #expect(bench.disk.cursors.map(\.cursors) == before)
    }

    @Test func `takes the homeserver's presence out and leaves what is no answer alone`() async throws {
        let own = try await fixed(#"{"presence":{"events":[{"sender":"@x:y"}]},"next_batch":"s1"}"#)
        #expect(try await own.get("").presence == ["ada online"])
        for (status, body) in [(200, "<html>"), (200, #"{"next_batch":"s1",}"#), (400, #"{"errcode":"M_UNKNOWN"}"#)] {
            let bench = try await fixed(body, status: status)
            let answer = try await bench.get("")
            #expect(answer.body == body && answer.firstLine.contains("\(status)"))
            #expect(bench.disk.cursors.isEmpty)
        }
        let trailing = try await fixed(#"{"next_batch":"s1"} x"#)
        #expect(try await trailing.get("").body.hasSuffix("]}} x"))
        #expect(trailing.disk.cursors.isEmpty)
        let missing = try await fixed("{}")
        #expect(try await missing.get("").presence == ["ada online"])
        #expect(missing.disk.cursors.isEmpty)
    }

    @Test func `passes when the token is nobody's, and forgets one that the homeserver refuses`() async throws {
        let refusal = #"{"errcode":"M_UNKNOWN_TOKEN","error":"Invalid access token passed."}"#
        let bench = try await fixed(refusal, status: 401)
        #expect(try await bench.get("", as: "stranger").body == refusal)
        #expect(try await bench.get("").body == refusal)
        #expect(try await bench.get("").body == refusal)
        // Each time anew: whoami, sync.
        let lines = bench.homeserver.requests.map { $0.firstLine.contains("whoami") ? "whoami" : "sync" }
        #expect(lines == ["whoami", "sync", "whoami", "sync", "whoami", "sync"])
    }

    @Test(arguments: ["busy", "org.matrix.msc3026.busy", "bogus", ""])
    func `refuses other words for set_presence`(word: String) async throws {
        let bench = try await counting()
        let answer = try await bench.get("?set_presence=\(word)")
        #expect(answer.firstLine.contains("400") && answer.json["errcode"]?.string == "M_INVALID_PARAM")
        #expect(bench.syncs.isEmpty)
    }

    @Test func `speaks for its device, and the change rides along`() async throws {
        let bench = try await counting()
        #expect(try await bench.get("?set_presence=offline").presence == ["ada offline"])
        #expect(try await bench.state(of: "ada") == .offline)
        #expect(try await bench.get("?since=s1&set_presence=unavailable").presence == ["ada unavailable"])
        #expect(try await bench.get("?since=s2&set_presence=online").presence == ["ada online"])
        #expect(try await bench.get("?since=s3").presence == [])
    }

    @Test func `holds its device connected until it ends`() async throws {
        let gate = Hold()
        let bench = try await SyncBench { wire, _ in
            await gate.wait()
            try await wire.send(StubHomeserver.answer(200, #"{"next_batch":"s1"}"#))
        }
        let wire = try await bench.send(
            "GET /_matrix/client/v3/sync?timeout=900000 HTTP/1.1\nHost: x\nAuthorization: Bearer ada\n\n")
        try await waits { (try? await bench.state(of: "ada")) == .online }
        bench.clock.move(by: .seconds(120))
        await bench.runtime.submit(.deadlineReached)
        #expect(try await bench.state(of: "ada") == .online)
        gate.open()
        _ = await wire.message()
        // Its hold ends a moment after the client has the answer.
        try await waits {
            bench.clock.move(by: .seconds(31))
            await bench.runtime.submit(.deadlineReached)
            return (try? await bench.state(of: "ada")) == .offline
        }
        wire.close()
    }

    @Test func `takes its request back when the client goes, and lets go of the device`() async throws {
        let bench = try await SyncBench { _, _ in }
        let wire = try await bench.send(
            "GET /_matrix/client/v3/sync?timeout=900000 HTTP/1.1\nHost: x\nAuthorization: Bearer ada\n\n")
        try await waits { !bench.syncs.isEmpty }
        let before = bench.homeserver.closedConnections
        wire.close()
        try await waits { bench.homeserver.closedConnections > before }
        try await waits {
            bench.clock.move(by: .seconds(31))
            await bench.runtime.submit(.deadlineReached)
            return (try? await bench.state(of: "ada")) == .offline
        }
    }

    @Test func `unpacks what is packed although it was not asked to be`() async throws {
        // `{"next_batch":"s1"}` by gzip.
        let packed: [UInt8] = [
            0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xFF, 0xAB, 0x56, 0xCA, 0x4B, 0xAD, 0x28, 0x89, 0x4F,
            0x4A, 0x2C,
            0x49, 0xCE, 0x50, 0xB2, 0x52, 0x2A, 0x36, 0x54, 0xAA, 0x05, 0x00, 0x72, 0x34, 0x00, 0x6A, 0x13, 0x00, 0x00,
            0x00,
        ]
        let bench = try await SyncBench { wire, request in
            #expect(request.value(of: "Accept-Encoding") == "identity")
            try await wire.send(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
                    + "Content-Length: \(packed.count)\r\n\r\n")
            try await wire.send(packed)
        }
        let answer = try await bench.get("", fields: "Accept-Encoding: gzip\n")
        #expect(answer.value(of: "Content-Encoding") == nil)
        #expect(answer.json["next_batch"]?.string == "s1")
        #expect(answer.presence == ["ada online"])
    }

    @Test func `brings the presence of who joins with the join`() async throws {
        let join = #"{"type":"m.room.member","state_key":"%","content":{"membership":"join"}}"#
        let bench = try await SyncBench { wire, request in
            let name = request.firstLine.contains("since=s2") ? "@ada:x.org" : "@eve:x.org"
            let body = """
                {"next_batch":"s2","rooms":{"join":{"!n:x.org":{"timeline":{"events":[\
                \(join.replacing("%", with: name))]}}}}}
                """
            try await wire.send(
                StubHomeserver.answer(200, request.firstLine.contains("since") ? body : #"{"next_batch":"s1"}"#))
        }
        try await bench.choose(.online, by: "bob")
        try await bench.choose(.busy, by: "eve")
        #expect(try await bench.get("").presence == ["ada online", "bob online"])
        // The homeserver shows the join before the application service hears of it.
        #expect(try await bench.get("?since=s1").presence == ["eve org.matrix.msc3026.busy"])
        // Ada herself joins: everyone in the room, who did not change.
        try await bench.join("eve", "!n:x.org")
        try await bench.join("bob", "!n:x.org")
        #expect(try await bench.get("?since=s2").presence.sorted() == ["bob online", "eve org.matrix.msc3026.busy"])
    }

    @Test func `goes through in parts of any size, untouched but for presence`() async throws {
        let room =
            #""!r:x.org":{"timeline":{"events":[{"content":{"body":"é \u00e9 \\ \"}{"},"type":"m.room.message"}]}}"#
        let rooms = Array(repeating: room, count: 2000).joined(separator: ",")
        let body = #"{"rooms":{"join":{"# + rooms + #"}},"next_batch":"s1","presence":{"events":[]}}"#
        let bytes = Array(body.utf8)
        let bench = try await SyncBench { wire, _ in
            try await wire.send(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in stride(from: 0, to: bytes.count, by: 7919) {
                let part = Array(bytes[start..<min(bytes.count, start + 7919)])
                try await wire.send(Array("\(String(part.count, radix: 16))\r\n".utf8) + part + Array("\r\n".utf8))
            }
            try await wire.send("0\r\n\r\n")
        }
        let answer = try await bench.get("")
        let expected = #"{"rooms":{"join":{"# + rooms + #"}},"next_batch":"s1","presence":{"events":["#
        #expect(answer.isWhole && answer.body.hasPrefix(expected))
        #expect(answer.presence == ["ada online"])
    }
}

/// What waits until it is opened.
final class Hold: Sendable {
    private let state = Mutex<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiting = state.withLock { state in
            defer { state = (true, []) }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
