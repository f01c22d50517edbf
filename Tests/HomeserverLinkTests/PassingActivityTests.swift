import MatrixWire
import PresenceModel
import Testing

@testable import HomeserverLink

@Suite(.timeLimit(.minutes(2))) struct `Activity seen in passing` {
    private static let act = "PUT /_matrix/client/v3/rooms/!r:x.org/send/m.room.message/1"

    private func request(_ line: String, token: String = "t") -> String {
        "\(line) HTTP/1.1\nHost: x.org\nAuthorization: Bearer \(token)\nContent-Length: 2\n\n{}"
    }

    /// Whose devices are connected or were active, according to the engine.
    private func lastActive(_ bench: LinkBench, _ name: String) async throws -> Instant? {
        let user = try UserID(parsing: "@\(name):x.org")
        return await bench.runtime.read { engine, now in engine.devices(of: user, at: now).first?.lastActive }
    }

    @Test(arguments: [
        ("PUT", "/_matrix/client/v3/rooms/!r:x/send/m.room.message/1", PassingMeaning.activity),
        ("PUT", "/_matrix/client/api/v1/rooms/!r:x/send/m.room.message/1", .activity),
        ("POST", "/_matrix/client/r0/rooms/!r:x/send/m.room.message", .activity),
        ("PUT", "/_matrix/client/r0/rooms/!r:x/typing/@a:x", .activity),
        ("POST", "/_matrix/client/v3/rooms/!r:x/receipt/m.read/$e", .activity),
        ("POST", "/_matrix/client/v3/rooms/!r:x/read_markers", .activity),
        ("GET", "/_matrix/client/v3/rooms/!r:x/send/m.room.message/1", .nothing),
        ("PUT", "/_matrix/client/v3/rooms/!r:x/state/m.room.topic/", .nothing),
        ("POST", "/_matrix/client/v3/rooms/!r:x/join", .nothing),
        ("PUT", "/_matrix/client/v3/sendToDevice/m.x/1", .nothing),
        ("PUT", "/_synapse/client/v3/rooms/!r:x/send/m.room.message/1", .nothing),
        ("POST", "/_matrix/client/v3/logout", .endOfSession),
        ("POST", "/_matrix/client/v3/logout/all", .endOfSessions),
        ("DELETE", "/_matrix/client/v3/devices/D", .endOfSessions),
        ("POST", "/_matrix/client/v3/delete_devices", .endOfSessions),
        ("POST", "/_matrix/client/v3/account/password", .endOfSessions),
        ("POST", "/", .nothing), ("PUT", "/_matrix/client/v3/rooms/!r:x", .nothing),
    ])
    func `is sending, typing and reading`(method: String, path: String, meaning: PassingMeaning) {
        #expect(PassingMeaning(method, path[...]) == meaning)
    }

    @Test func `counts once the homeserver did it`() async throws {
        let homeserver = try await StubHomeserver { wire, request in
            let isWhoami = request.firstLine.contains("whoami")
            let body = isWhoami ? #"{"user_id":"@ada:x.org","device_id":"D1"}"# : #"{"event_id":"$e"}"#
            let status = isWhoami || !request.firstLine.contains("!denied") ? 200 : 403
            try await wire.send(StubHomeserver.answer(status, body))
        }
        let bench = try await LinkBench(homeserver)
        _ = try await bench.ask(request(Self.act.replacing("!r", with: "!denied")))
        // Masked: a user who does so is taken for nobody.
        _ = try await bench.ask(request(Self.act + "?user_id=@bob:x.org"))
        #expect(homeserver.requests.allSatisfy { !$0.firstLine.contains("whoami") })
        let answer = try await bench.ask(request(Self.act))
        #expect(answer.body == #"{"event_id":"$e"}"#)
        let now = bench.clock.now
        try await waits { try! await lastActive(bench, "ada") == now }
    }

    @Test func `is none of an application service`() async throws {
        let homeserver = try await StubHomeserver { wire, request in
            let isService = request.value(of: "Authorization") == "Bearer as"
            let user = isService ? #"{"user_id":"@bot:x.org"}"# : #"{"user_id":"@ada:x.org","device_id":"D1"}"#
            try await wire.send(StubHomeserver.answer(200, request.firstLine.contains("whoami") ? user : "{}"))
        }
        let bench = try await LinkBench(homeserver)
        _ = try await bench.ask(request(Self.act, token: "as"))
        _ = try await bench.ask(request(Self.act, token: "as"))
        _ = try await bench.ask(request(Self.act))
        let now = bench.clock.now
        try await waits { try! await lastActive(bench, "ada") == now }
        #expect(try await lastActive(bench, "bot") == nil)
    }

    @Test func `does not delay the answer`() async throws {
        let homeserver = try await StubHomeserver { wire, request in
            guard !request.firstLine.contains("whoami") else { return }
            try await wire.send(StubHomeserver.answer(200, "{}"))
        }
        var settings = WhoamiTokens.Configuration()
        settings.timeout = .minutes(5)
        let bench = try await LinkBench(homeserver, tokens: settings)
        // The look-ups stay without an answer, and more are wished for than are made.
        for number in 0..<(ClientPassThrough.lookupLimit + 10) {
            let answer = try await bench.ask(request(Self.act, token: "t\(number)"))
            #expect(answer.firstLine.hasPrefix("HTTP/1.1 200"))
        }
        let lookups = homeserver.requests.filter { $0.firstLine.contains("whoami") }
        #expect(lookups.count <= ClientPassThrough.lookupLimit)
    }
}
