import ClientGateway
import HomeserverLink
import MatrixWire
import PresenceModel
import Synchronization
import Testing

@testable import PresenceEngine

@Suite(.timeLimit(.minutes(2))) struct `Tokens by whoami` {
    private static let ada = #"{"user_id":"@ada:x.org","device_id":"D1","is_guest":false}"#
    private static let status = "/_matrix/client/v3/presence/@ada:x.org/status"

    private func isWhoami(_ request: Wire.Message) -> Bool { request.firstLine.contains("/account/whoami") }

    @Test func `open the presence endpoints, and are asked for once in five minutes`() async throws {
        let bench = try await LinkBench(StubHomeserver(200, Self.ada))
        let put = try await bench.ask(
            "PUT \(Self.status) HTTP/1.1\nHost: x.org\nAuthorization: Bearer secret\nUser-Agent: phone\n"
                + "X-Forwarded-For: 192.0.2.7\nContent-Length: 21\n\n{\"presence\":\"online\"}")
        #expect(put.firstLine.hasPrefix("HTTP/1.1 200"), "\(put)")
        let get = try await bench.get(Self.status + "?access_token=secret")
        #expect(get.body.contains(#""presence":"online""#))
        #expect(bench.homeserver.requests.map(\.firstLine) == ["GET /_matrix/client/v3/account/whoami HTTP/1.1"])
        let asked = try #require(bench.homeserver.requests.first)
        #expect(asked.values(of: "Authorization") == ["Bearer secret"])
        #expect(asked.values(of: "User-Agent") == ["phone"])
        #expect(asked.values(of: "X-Forwarded-For") == ["192.0.2.7, 127.0.0.1"])
        bench.clock.move(by: .minutes(5) - .milliseconds(1))
        _ = try await bench.get(Self.status, token: "secret")
        #expect(bench.homeserver.requests.count == 1)
        bench.clock.move(by: .milliseconds(1))
        _ = try await bench.get(Self.status, token: "secret")
        #expect(bench.homeserver.requests.count == 2)
    }

    @Test func `are looked up once for many requests at a time`() async throws {
        let gate = Mutex<[CheckedContinuation<Void, Never>]>([])
        let homeserver = try await StubHomeserver { wire, _ in
            await withCheckedContinuation { continuation in gate.withLock { $0.append(continuation) } }
            try await wire.send(StubHomeserver.answer(200, Self.ada))
        }
        let bench = try await LinkBench(homeserver)
        let answers = Task {
            await withTaskGroup(of: String?.self) { group in
                for _ in 0..<20 {
                    group.addTask { (try? await bench.get(Self.status, token: "t"))?.firstLine.description }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
        }
        try await waits { gate.withLock { $0.count } == 1 }
        try await waits { bench.asked == 20 }
        for continuation in gate.withLock({ $0 }) { continuation.resume() }
        #expect(await answers.value.compactMap { $0?.hasPrefix("HTTP/1.1 200") } == Array(repeating: true, count: 20))
        #expect(homeserver.requests.count == 1)
    }

    @Test func `are forgotten at a refusal seen in passing`() async throws {
        let isRevoked = Mutex(false)
        let homeserver = try await StubHomeserver { wire, request in
            guard isRevoked.withLock({ $0 }) else { return try await wire.send(StubHomeserver.answer(200, Self.ada)) }
            try await wire.send(
                StubHomeserver.answer(
                    401, #"{"errcode":"M_UNKNOWN_TOKEN","error":"gone","soft_logout":true,"x":1}"#))
        }
        let bench = try await LinkBench(homeserver)
        #expect(try await bench.get(Self.status, token: "t").firstLine.hasPrefix("HTTP/1.1 200"))
        isRevoked.withLock { $0 = true }
        #expect(try await bench.get(Self.status, token: "t").firstLine.hasPrefix("HTTP/1.1 200"))
        #expect(try await bench.get("/_matrix/client/v3/joined_rooms", token: "t").firstLine.hasPrefix("HTTP/1.1 401"))
        let answer = try await bench.get(Self.status, token: "t")
        #expect(answer.firstLine.hasPrefix("HTTP/1.1 401"))
        #expect(answer.body == #"{"errcode":"M_UNKNOWN_TOKEN","error":"gone","soft_logout":true,"x":1}"#)
        #expect(bench.tokens.count == 0)
    }

    @Test(arguments: ["POST /_matrix/client/v3/logout", "POST /_matrix/client/r0/logout/all"])
    func `are forgotten when their session ends`(request: String) async throws {
        let bench = try await LinkBench(StubHomeserver(200, Self.ada))
        _ = try await bench.get(Self.status, token: "t")
        #expect(bench.tokens.count == 1)
        _ = try await bench.ask(
            "\(request) HTTP/1.1\nHost: x.org\nAuthorization: Bearer t\nContent-Length: 0\n\n")
        #expect(bench.tokens.count == 0)
    }

    @Test(arguments: [
        (401, #"{"errcode":"M_USER_LOCKED","error":"l","soft_logout":true}"#, "401 M_USER_LOCKED"),
        (403, #"{"errcode":"M_USER_SUSPENDED","error":"s"}"#, "403 M_USER_SUSPENDED"),
        (429, #"{"errcode":"M_LIMIT_EXCEEDED","error":"s","retry_after_ms":1500}"#, "429 M_LIMIT_EXCEEDED"),
        (500, #"{"errcode":"M_UNKNOWN","error":"oops"}"#, "502 M_UNKNOWN"),
        (404, "<html>", "502 M_UNKNOWN"), (200, "{}", "502 M_UNKNOWN"), (200, "<html>", "502 M_UNKNOWN"),
        (200, #"{"user_id":"@ada:y.org","device_id":"D1"}"#, "502 M_UNKNOWN"),
    ])
    func `are good for what the homeserver says`(status: Int, body: String, expected: String) async throws {
        let bench = try await LinkBench(StubHomeserver(status, body))
        let answer = try await bench.get(Self.status, token: "t")
        let code = try JSONParser.strict.parse(Array(answer.body.utf8)).value["errcode"]?.string
        #expect("\(answer.firstLine.split(separator: " ")[1]) \(code ?? "-")" == expected)
        if expected.hasPrefix("4") { #expect(answer.body == body) }
        #expect(bench.tokens.count == 0)
    }

    @Test func `cannot be told while the homeserver is down or slow`() async throws {
        let homeserver = try await StubHomeserver { _, _ in }
        var settings = WhoamiTokens.Configuration()
        settings.timeout = .milliseconds(50)
        let bench = try await LinkBench(homeserver, tokens: settings)
        #expect(try await bench.get(Self.status, token: "t").firstLine.hasPrefix("HTTP/1.1 504"))
        let patient = try await LinkBench(homeserver)
        homeserver.stop()
        #expect(try await patient.get(Self.status, token: "t").firstLine.hasPrefix("HTTP/1.1 502"))
        #expect(try await bench.get(Self.status).firstLine.hasPrefix("HTTP/1.1 401"))
    }

    @Test func `of an application service stand for the user in whose name it acts`() async throws {
        let homeserver = try await StubHomeserver { wire, request in
            let isGhost = request.firstLine.contains("?user_id=%40ghost%3Ax.org ")
            try await wire.send(StubHomeserver.answer(200, #"{"user_id":"@\#(isGhost ? "ghost" : "bot"):x.org"}"#))
        }
        let bench = try await LinkBench(homeserver)
        let ghost = "/_matrix/client/v3/presence/@ghost:x.org/status"
        let masked = try await bench.ask(
            "PUT \(ghost)?user_id=@ghost:x.org HTTP/1.1\nHost: x.org\nAuthorization: Bearer as\nContent-Length: 21\n\n"
                + "{\"presence\":\"online\"}")
        #expect(masked.firstLine.hasPrefix("HTTP/1.1 200"), "\(masked)")
        let plain = try await bench.ask(
            "PUT \(ghost) HTTP/1.1\nHost: x.org\nAuthorization: Bearer as\nContent-Length: 21\n\n"
                + "{\"presence\":\"online\"}")
        #expect(plain.firstLine.hasPrefix("HTTP/1.1 403"), "\(plain)")
        #expect(bench.tokens.count == 2)
    }

    @Test func `make their user known, and others are asked for by their profile`() async throws {
        let homeserver = try await StubHomeserver { wire, request in
            if request.firstLine.contains("/profile/") {
                let isThere = request.firstLine.contains("%40cy%3Ax.org ")
                return try await wire.send(StubHomeserver.answer(isThere ? 200 : 404, "{}"))
            }
            let token = request.value(of: "Authorization")?.split(separator: " ").last ?? ""
            try await wire.send(StubHomeserver.answer(200, #"{"user_id":"@\#(token):x.org","device_id":"D"}"#))
        }
        let bench = try await LinkBench(homeserver)
        let own = "/_matrix/client/unstable/org.presenced"
        _ = try await bench.get("\(own)/devices", token: "ada")
        for name in ["cy", "eve"] {
            let answer = try await bench.ask(
                "PUT \(own)/presence/list/@\(name):x.org HTTP/1.1\nHost: x\nAuthorization: Bearer bob\n"
                    + "Content-Length: 2\n\n{}")
            #expect(answer.firstLine.hasPrefix("HTTP/1.1 200"))
        }
        var known: [String] = []
        for name in ["ada", "bob", "cy", "eve"] {
            let user = try UserID(parsing: "@\(name):x.org")
            let isKnown = await bench.runtime.read { engine, _ in
                engine.number(of: user).map { engine.users[$0].isKnown } ?? false
            }
            if isKnown { known.append(name) }
        }
        #expect(known == ["ada", "bob", "cy"])
    }

    @Test func `are remembered up to the limit, the oldest forgotten first`() async throws {
        let homeserver = try await StubHomeserver { wire, request in
            let token = request.value(of: "Authorization")?.split(separator: " ").last ?? ""
            try await wire.send(StubHomeserver.answer(200, #"{"user_id":"@\#(token):x.org","device_id":"D"}"#))
        }
        var settings = WhoamiTokens.Configuration()
        settings.limit = 2
        let bench = try await LinkBench(homeserver, tokens: settings)
        for token in ["a", "b", "c", "b", "a"] {
            _ = try await bench.get("/_matrix/client/unstable/org.presenced/devices", token: token)
        }
        #expect(bench.tokens.count == 2)
        let asked = homeserver.requests.compactMap { $0.value(of: "Authorization")?.split(separator: " ").last }
        #expect(asked == ["a", "b", "c", "a"])
    }
}
