import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Testing

@testable import HomeserverLink

/// What the homeserver tells and asks of an application service.
struct `The application service` {
    @Test(arguments: [
        ("PUT", "/_matrix/app/v1/transactions/1"), ("PUT", "/transactions/1"), ("POST", "/_matrix/app/v1/ping"),
        ("GET", "/_matrix/app/v1/users/@a:x.org"), ("GET", "/users/@a:x.org"),
        ("GET", "/_matrix/app/v1/rooms/%23a:x.org"),
        ("GET", "/_matrix/app/v1/thirdparty/user/irc"),
    ]) func `lets in its homeserver and nobody else`(method: String, path: String) async throws {
        let bench = try await CensusBench()
        let body = #"{"events":[]}"#
        #expect(try await bench.ask(method, path, body, token: nil) == "401 M_MISSING_TOKEN")
        #expect(try await bench.ask(method, path, body, token: "another-token-of-16") == "403 M_FORBIDDEN")
        #expect(try await bench.ask(method, path, body, token: PretendHomeserver.ownToken) == "403 M_FORBIDDEN")
        #expect(try await bench.ask(method, path + "?access_token=wrong", body, token: nil) == "403 M_FORBIDDEN")
        let expected = method == "GET" ? "404 M_NOT_FOUND" : "200"
        #expect(try await bench.ask(method, path, body) == expected)
        let old = path + "?access_token=\(PretendHomeserver.homeserverToken)"
        #expect(try await bench.ask(method, old, body, token: nil) == expected)
    }

    @Test func `takes in who came and went`() async throws {
        let bench = try await CensusBench(.none)
        #expect(
            try await bench.send(
                bench.member("ada", "join", "!r"), bench.member("bob@y.org", "join", "!r"),
                bench.member("cec", "invite", "!r"), bench.member("dan", "knock", "!r"), "17",
                bench.member("eve", "join", "!r")) == "200")
        #expect(try await bench.members(of: "!r") == ["ada", "bob", "eve"])
        try await bench.send(bench.member("bob@y.org", "ban", "!r", by: "ada"), bench.member("eve", "leave", "!r"))
        #expect(try await bench.members(of: "!r") == ["ada"])
        #expect(bench.census.tally.malformed == 1)
        try await bench.send(bench.member("bob@y.org", "join", "!r"))
        try await bench.send(bench.member("ada", "leave", "!r"))
        #expect(try await bench.members(of: "!r") == [], "nobody here is in it any more")
    }

    @Test func `takes a transaction once, and an event once`() async throws {
        let bench = try await CensusBench(.none)
        let (joined, left) = (bench.member("ada", "join", "!r"), bench.member("ada", "leave", "!r"))
        try await bench.send(joined, left, id: "1")
        #expect(try await bench.send(bench.member("bob", "join", "!r"), id: "1") == "200")
        #expect(try await bench.members(of: "!r") == [])
        #expect(try await bench.send(joined, id: "2") == "200")
        #expect(try await bench.members(of: "!r") == [])
        #expect(bench.census.tally.repeated == 1)
    }

    @Test func `answers when it is on disk, and not before`() async throws {
        let bench = try await CensusBench(.none)
        let joined = bench.member("ada", "join", "!r")
        bench.disk.fill(true)
        #expect(try await bench.send(joined, id: "1") == "503 M_UNKNOWN")
        #expect(bench.disk.settled.isEmpty)
        bench.disk.fill(false)
        // The event was heard, the transaction was not taken.
        #expect(try await bench.send(joined, id: "1") == "200")
        let room = try RoomID(parsing: "!r")
        let ada = try UserID(parsing: "@ada:x.org")
        #expect(bench.disk.settled.contains(.presence(.member(room, ada))))
    }

    @Test func `needs no disk for what is about no members`() async throws {
        let bench = try await CensusBench(.none)
        bench.disk.fill(true)
        #expect(try await bench.send(bench.message("ada", "!r")) == "200")
    }

    @Test func `refuses what is no transaction, and what is too long`() async throws {
        let bench = try await CensusBench(.none)
        #expect(try await bench.ask("PUT", "/_matrix/app/v1/transactions/1", "nonsense") == "400 M_NOT_JSON")
        #expect(try await bench.ask("PUT", "/_matrix/app/v1/transactions/1", #"{"events":{}}"#) == "400 M_NOT_JSON")
        #expect(try await bench.ask("PUT", "/_matrix/app/v1/transactions/1", #"{"events":[]}"#) == "200")
    }

    // MARK: Activity

    private func idleDevices(_ bench: CensusBench) async throws -> [String: Bool] {
        let ada = try UserID(parsing: "@ada:x.org")
        let views = await bench.runtime.read { engine, now in engine.devices(of: ada, at: now) }
        return Dictionary(
            uniqueKeysWithValues: views.filter(\.isConnected).map { ($0.device.text, $0.idleSince != nil) })
    }

    /// Two devices, idle both, the laptop longer.
    private func idleBench(counting: Bool = true) async throws -> CensusBench {
        let bench = try await CensusBench(.none) { if counting { $0.countsActivity = true } }
        for device in ["LAPTOP", "PHONE"] {
            _ = await bench.runtime.openStream(on: try CensusBench.key("ada", device))
            bench.clock.move(by: .minutes(1))
        }
        bench.clock.move(by: .minutes(10))
        #expect(try await idleDevices(bench) == ["LAPTOP": true, "PHONE": true])
        return bench
    }

    @Test func `a message is activity at the device used last`() async throws {
        let bench = try await idleBench()
        try await bench.send(bench.message("ada", "!r"))
        #expect(try await idleDevices(bench) == ["LAPTOP": true, "PHONE": false])
    }

    @Test func `a message is no activity in the world`() async throws {
        let bench = try await idleBench()
        let world = try CensusBench.key("ada", "WORLD")
        let showing = DeviceShowing(type: try DeviceType(parsing: "world"), use: .usedNow, text: nil)
        await bench.runtime.submit(.presence(.deviceShown(world, showing)))
        bench.clock.move(by: .minutes(6))
        try await bench.send(bench.message("ada", "!r"))
        #expect(try await idleDevices(bench) == ["LAPTOP": true, "PHONE": false, "WORLD": true])
    }

    @Test(arguments: [
        #"{"type":"m.typing","room_id":"!r","content":{"user_ids":["@ada:x.org"]}}"#,
        #"{"type":"m.receipt","room_id":"!r","content":{"$e":{"m.read":{"@ada:x.org":{"ts":TS}}}}}"#,
    ]) func `typing and reading are activity`(ephemeral: String) async throws {
        let bench = try await idleBench()
        let now = bench.clock.now.millisecondsSinceEpoch
        try await bench.send(ephemeral: ephemeral.replacing("TS", with: "\(now - 61_000)"))
        if ephemeral.contains("TS") { #expect(try await idleDevices(bench)["PHONE"] == true) }
        try await bench.send(ephemeral: ephemeral.replacing("TS", with: "\(now - 1000)"))
        #expect(try await idleDevices(bench)["PHONE"] == false)
    }

    @Test func `what is long over is no activity, nor what others do`() async throws {
        let bench = try await idleBench()
        try await bench.send(
            bench.message("ada", "!r", age: 61_000), bench.message("bob", "!r"), bench.message("ada@y.org", "!r"),
            bench.member("ada", "join", "!r"),
            bench.message("ada", "!r").replacing("m.text", with: "m.notice"))
        #expect(try await idleDevices(bench) == ["LAPTOP": true, "PHONE": true])
        let quiet = try await idleBench(counting: false)
        try await quiet.send(quiet.message("ada", "!r"))
        #expect(try await idleDevices(quiet) == ["LAPTOP": true, "PHONE": true])
    }

    @Test func `nobody comes online by a message`() async throws {
        let bench = try await CensusBench(.none) { $0.countsActivity = true }
        try await bench.send(bench.message("ada", "!r"))
        #expect(try await idleDevices(bench).isEmpty)
    }

    // MARK: Turns

    @Test(.timeLimit(.minutes(1))) func `takes transactions one after the other, and a few`() async throws {
        let turns = TransactionTurns(limit: 2, remembered: 10)
        let (begun, release) = (AsyncStream<Void>.makeStream(), AsyncStream<Void>.makeStream())
        let first = Task {
            await turns.take("1") {
                begun.continuation.yield()
                for await _ in release.stream { break }
                return true
            }
        }
        for await _ in begun.stream { break }
        let second = Task { await turns.take("2") { false } }
        let same = Task { await turns.take("1") { false } }
        while await turns.waitingCount < 2 { try await Task.yieldUnlessCancelled() }
        #expect(await turns.take("3") { true } == .full)
        release.continuation.yield()
        #expect(await first.value == .taken)
        #expect(await same.value == .taken)
        #expect(await second.value == .failed)
        #expect(await turns.take("1") { false } == .taken)
        #expect(await turns.take("2") { true } == .taken)
    }
}
