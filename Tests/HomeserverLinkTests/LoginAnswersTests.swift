import HomeserverLink
import MatrixWire
import Testing

@Suite(.timeLimit(.minutes(2))) struct `Answers to logins` {
    private static let answer =
        #"{"user_id":"@0xAb:x.org", "access_token":"fresh","device_id":"D1","n":1.50}"#
    private static let login =
        "POST /_matrix/client/r0/login HTTP/1.1\nHost: x.org\nAccept-Encoding: gzip\nContent-Length: 14\n\n{\"type\":\"m.x\"}"
    private static let named = LoginAnswers.named { $0.text.contains("0x") ? "0xab" : nil }

    @Test func `pass untouched where nobody wants them`() async throws {
        let bench = try await LinkBench(StubHomeserver(200, Self.answer))
        let answer = try await bench.ask(Self.login, answering: "POST")
        #expect(answer.body == Self.answer)
        #expect(bench.tokens.count == 0)
        #expect(bench.homeserver.requests.first?.values(of: "Accept-Encoding") == ["gzip"])
    }

    @Test func `spare the look-up of their token, and pass byte for byte`() async throws {
        let bench = try await LinkBench(StubHomeserver(200, Self.answer), logins: .remembered)
        let answer = try await bench.ask(Self.login, answering: "POST")
        #expect(answer.body == Self.answer)
        #expect(answer.values(of: "Content-Length") == ["\(Self.answer.utf8.count)"])
        let caller = try await bench.tokens.caller(presenting: "fresh")
        #expect(caller.key.user.text == "@0xAb:x.org")
        #expect(caller.key.device.text == "D1")
        #expect(bench.homeserver.requests.count == 1)
    }

    @Test(arguments: [0, 300_000]) func `that do not say how long they are are read up to a limit`(more: Int)
        async throws
    {
        let answer = Self.answer.replacing("1.50", with: "\"\(String(repeating: "y", count: more))\"")
        let homeserver = try await StubHomeserver { wire, _ in
            let length = String(answer.utf8.count, radix: 16)
            try await wire.send(
                "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n\(length)\r\n\(answer)\r\n0\r\n\r\n")
        }
        let bench = try await LinkBench(homeserver, logins: .remembered)
        let reply = try await bench.ask(Self.login, answering: "POST")
        #expect(reply.firstLine.contains(more == 0 ? " 200 " : " 502 "))
        if more == 0 { #expect(reply.body == answer) }
        #expect(bench.tokens.count == (more == 0 ? 1 : 0))
    }

    @Test func `get the user's name in the social service where that is wanted`() async throws {
        let bench = try await LinkBench(StubHomeserver(200, Self.answer), logins: Self.named)
        let answer = try await bench.ask(Self.login, answering: "POST")
        let document = try JSONParser.lenient.parse(Array(answer.body.utf8)).value
        #expect(document["social_user_id"]?.string == "0xab")
        #expect(document["access_token"]?.string == "fresh")
        #expect(answer.values(of: "Content-Length") == ["\(answer.body.utf8.count)"])
    }

    @Test(arguments: [
        (403, #"{"errcode":"M_FORBIDDEN","error":"no"}"#), (200, "<html>"), (200, "{}"), (200, ""),
        (200, #"{"user_id":"@0xab:x.org","access_token":"t"}"#),
        (200, #"{"user_id":"@ada:y.org","access_token":"t","device_id":"D"}"#),
        (200, #"{"x":"\#(String(repeating: "y", count: 300_000))"}"#),
    ]) func `of any other kind pass as they are`(status: Int, body: String) async throws {
        let bench = try await LinkBench(StubHomeserver(status, body), logins: Self.named)
        let answer = try await bench.ask(Self.login, answering: "POST")
        #expect(answer.firstLine.contains(" \(status) "))
        #expect(answer.body == body)
        #expect(bench.tokens.count == 0)
    }

    @Test func `are read on no other path`() async throws {
        let bench = try await LinkBench(StubHomeserver(200, Self.answer), logins: Self.named)
        for path in ["/_matrix/client/v3/login/get_token", "/_matrix/client/v3/register", "/_matrix/client/v3/loginx"] {
            let answer = try await bench.ask(
                Self.login.replacing("/_matrix/client/r0/login", with: path), answering: "POST")
            #expect(answer.body == Self.answer, "\(path)")
        }
        #expect(bench.tokens.count == 0)
    }

    @Test func `that break off close the connection`() async throws {
        let homeserver = try await StubHomeserver { wire, _ in
            try await wire.send("HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{")
            wire.close()
        }
        let bench = try await LinkBench(homeserver, logins: .remembered)
        #expect(try await bench.ask(Self.login, answering: "POST").firstLine.contains(" 502 "))
    }
}

@Suite(.timeLimit(.minutes(2))) struct `Tokens that come without a request` {
    @Test func `are looked up as all others, once`() async throws {
        let bench = try await LinkBench(StubHomeserver(200, #"{"user_id":"@ada:x.org","device_id":"D1"}"#))
        for _ in 0..<2 {
            let caller = try await bench.tokens.caller(presenting: "secret")
            #expect(caller.key.user.text == "@ada:x.org")
        }
        #expect(bench.homeserver.requests.count == 1)
        let asked = try #require(bench.homeserver.requests.first)
        #expect(asked.values(of: "Authorization") == ["Bearer secret"])
        #expect(asked.values(of: "User-Agent") == ["presenced"])
        #expect(asked.values(of: "X-Forwarded-For").isEmpty)
    }

    @Test func `are refused as the homeserver refuses, and not remembered`() async throws {
        let bench = try await LinkBench(StubHomeserver(401, #"{"errcode":"M_UNKNOWN_TOKEN","error":"gone"}"#))
        for _ in 0..<2 {
            let error = await refusal(of: "secret", bench.tokens)
            #expect(error?.code == .unknownToken && error?.status == 401)
        }
        #expect(bench.homeserver.requests.count == 2)
        #expect(await refusal(of: String(repeating: "x", count: 10_000), bench.tokens)?.status == 401)
        #expect(bench.homeserver.requests.count == 2)
    }

    private func refusal(of token: String, _ tokens: WhoamiTokens) async -> MatrixErrorBody? {
        do throws(MatrixErrorBody) {
            _ = try await tokens.caller(presenting: token)
            return nil
        } catch {
            return error
        }
    }
}
