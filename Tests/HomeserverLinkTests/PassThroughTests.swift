import HomeserverLink
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) struct `What passes through` {
    @Test(arguments: [
        "/_matrix/client/v3/rooms/!a%3Ax.org//messages?b=1&a=%2f&&from=s1_2",
        "/_matrix/media/v3/download/x.org/{odd}|name^`\\\"<>?q=[]",
        "/", "//", "/a/../b/./c", "/_matrix/client/v3/profile/@%C3%A9:x.org?",
    ])
    func `keeps its target to the byte`(target: String) async throws {
        let bench = try await LinkBench(StubHomeserver(200, "{}"))
        let answer = try await bench.get(target)
        #expect(answer.firstLine.hasPrefix("HTTP/1.1 200"))
        #expect(bench.homeserver.requests.map(\.firstLine) == ["GET \(target) HTTP/1.1"])
    }

    @Test func `loses the fields of one connection on both ways, and no other`() async throws {
        let homeserver = try await StubHomeserver { wire, _ in
            try await wire.send(
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive, X-Once\r\nX-Once: 1\r\nKeep-Alive: 5\r\n"
                    + "Set-Cookie: a=1\r\nset-cookie: b=2\r\nX-Kept: y\r\nProxy-Authenticate: z\r\n\r\n{}")
        }
        let bench = try await LinkBench(homeserver)
        let answer = try await bench.ask(
            "GET /a HTTP/1.1\nHost: x.org:8443\nConnection: X-Hop, keep-alive\nX-Hop: 1\nTE: trailers\nUpgrade: h2c\n"
                + "Proxy-Authorization: no\nX-Kept: a\nX-Kept: b\nAuthorization: Bearer t\nAccept-Encoding: gzip\n\n")
        #expect(answer.body == "{}")
        for name in ["X-Once", "Keep-Alive", "Proxy-Authenticate"] { #expect(answer.values(of: name) == [], "\(name)") }
        #expect(answer.values(of: "Set-Cookie") == ["a=1", "b=2"])
        #expect(answer.values(of: "X-Kept") == ["y"])
        let request = try #require(homeserver.requests.first)
        for name in [
            "X-Hop", "TE", "Upgrade", "Proxy-Authorization", "Connection", "presenced-request-target", "Content-Length",
            "Transfer-Encoding",
        ] { #expect(request.values(of: name) == [], "\(name)") }
        #expect(request.values(of: "X-Kept") == ["a", "b"])
        #expect(request.values(of: "Host") == ["x.org:8443"])
        #expect(request.values(of: "Authorization") == ["Bearer t"])
        #expect(request.values(of: "Accept-Encoding") == ["gzip"])
    }

    @Test(arguments: ["/_matrix/client/v3/sync", "/_matrix/client/versions", "/_matrix/client/v3/presence/x/status"])
    func `tells those who ask that it went through here, and nobody else`(target: String) async throws {
        let bench = try await LinkBench(StubHomeserver(401, "{}"))
        let probed = try await bench.ask("GET \(target) HTTP/1.1\nHost: x.org\nX-Presenced-Probe: 1\n\n")
        #expect(probed.values(of: "X-Presenced") == ["client x.org 1"])
        #expect(try await bench.get(target).values(of: "X-Presenced") == [])
    }

    @Test func `says who asked`() async throws {
        let bench = try await LinkBench(StubHomeserver(200, "{}"))
        _ = try await bench.get("/a")
        _ = try await bench.ask(
            "GET /b HTTP/1.1\nHost: x.org\nX-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: https\n"
                + "Connection: X-Forwarded-Proto\n\n")
        let requests = bench.homeserver.requests
        #expect(requests.map { $0.values(of: "X-Forwarded-For") } == [["127.0.0.1"], ["192.0.2.7, 127.0.0.1"]])
        #expect(requests.map { $0.values(of: "X-Forwarded-Proto") } == [["http"], ["http"]])
    }

    @Test func `carries bodies of known and of unknown length, in any size`() async throws {
        let homeserver = try await StubHomeserver { wire, request in
            try await wire.send(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "\(String(request.body.utf8.count, radix: 16))\r\n\(request.body)\r\n0\r\n\r\n")
        }
        let bench = try await LinkBench(homeserver)
        let large = String(repeating: "0123456789abcdef", count: 1 << 16)
        let known = try await bench.ask("PUT /a HTTP/1.1\nHost: x\nContent-Length: \(large.count)\n\n\(large)")
        #expect(known.body == large && known.isWhole)
        let chunked = try await bench.ask(
            "POST /a HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n5\nhello\n6\n world\n0\n\n")
        #expect(chunked.body == "hello world" && chunked.isWhole)
        let empty = try await bench.ask("POST /a HTTP/1.1\nHost: x\nContent-Length: 0\n\n")
        #expect(empty.body == "" && empty.isWhole)
        #expect(homeserver.requests.map { $0.value(of: "Content-Length") } == ["\(large.count)", nil, "0"])
        #expect(homeserver.requests.map { $0.value(of: "Transfer-Encoding") } == [nil, "chunked", nil])
    }

    @Test func `serves one request after the other on one connection`() async throws {
        let homeserver = try await StubHomeserver { wire, request in
            switch request.firstLine {
            case "HEAD /a HTTP/1.1": try await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
            case "GET /b HTTP/1.1": try await wire.send("HTTP/1.1 204 No Content\r\n\r\n")
            case "GET /c HTTP/1.1": try await wire.send("HTTP/1.1 304 Not Modified\r\nETag: \"e\"\r\n\r\n")
            case "GET /d HTTP/1.1":
                try await wire.send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + StubHomeserver.answer(200, "[1]"))
            default: try await wire.send(StubHomeserver.answer(500, "\(request.body.count)"))
            }
        }
        let bench = try await LinkBench(homeserver)
        let wire = try await bench.connect()
        var seen: [String] = []
        for (method, target) in [("HEAD", "/a"), ("GET", "/b"), ("GET", "/c"), ("GET", "/d"), ("PUT", "/e")] {
            let body = method == "PUT" ? "Content-Length: 3\r\n\r\nabc" : "\r\n"
            try await wire.send("\(method) \(target) HTTP/1.1\r\nHost: x\r\n\(body)")
            let answer = try #require(await wire.message(answering: method))
            seen.append(
                "\(answer.firstLine.split(separator: " ")[1]) \(answer.value(of: "Content-Length") ?? "-") \(answer.body)"
            )
        }
        #expect(seen == ["200 5 ", "204 - ", "304 - ", "200 3 [1]", "500 1 3"])
        #expect(homeserver.connections == 1)
        wire.close()
    }

    @Test func `ends the connection after a head that does not say how long its body would be`() async throws {
        let homeserver = try await StubHomeserver { wire, _ in try await wire.send("HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n")
        }
        let bench = try await LinkBench(homeserver)
        let wire = try await bench.connect()
        try await wire.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n")
        let head = try #require(await wire.message(answering: "HEAD"))
        #expect(head.values(of: "X-A") == ["b"])
        #expect(head.values(of: "Connection") == ["close"])
        await wire.closed()
    }

    @Test func `lets a client wait for leave to send its body`() async throws {
        let bench = try await LinkBench(StubHomeserver(200, "{}"))
        let wire = try await bench.connect()
        try await wire.send("PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        #expect(try #require(await wire.message()).firstLine == "HTTP/1.1 100 Continue")
        try await wire.send("abc")
        #expect(try #require(await wire.message()).firstLine.hasPrefix("HTTP/1.1 200"))
        #expect(bench.homeserver.requests.map { $0.value(of: "Expect") } == [nil])
        wire.close()
    }

    @Test func `brings every browser's question and leave once`() async throws {
        let homeserver = try await StubHomeserver { wire, _ in
            try await wire.send(StubHomeserver.answer(200, "{}", "Access-Control-Allow-Origin: https://y\r\n"))
        }
        let bench = try await LinkBench(homeserver)
        #expect(try await bench.get("/a").values(of: "Access-Control-Allow-Origin") == ["https://y"])
        let preflight = try await bench.ask("OPTIONS /a HTTP/1.1\nHost: x\n\n")
        #expect(preflight.values(of: "Access-Control-Allow-Origin") == ["https://y"])
        let own = try await bench.ask("OPTIONS /_matrix/client/v3/presence/@a:x.org/status HTTP/1.1\nHost: x\n\n")
        #expect(own.values(of: "Access-Control-Allow-Origin") == ["*"])
        #expect(homeserver.requests.count == 2)
    }

    @Test func `never goes in circles, and in no coding but one`() async throws {
        let bench = try await LinkBench(StubHomeserver(200, "{}"))
        _ = try await bench.get("/a")
        let via = try #require(bench.homeserver.requests.first?.value(of: "Via"))
        let again = try await bench.ask("GET /a HTTP/1.1\nHost: x\nVia: 1.1 other, \(via)\n\n")
        #expect(again.firstLine.hasPrefix("HTTP/1.1 502"))
        let coded = try await bench.ask("PUT /a HTTP/1.1\nHost: x\nTransfer-Encoding: gzip, chunked\n\n0\n\n")
        #expect(coded.firstLine.hasPrefix("HTTP/1.1 501"))
        #expect(bench.homeserver.requests.count == 1)
    }

    @Test func `refuses what is no path`() async throws {
        let bench = try await LinkBench(StubHomeserver(200, "{}"))
        let answer = try await bench.ask("OPTIONS * HTTP/1.1\nHost: x\n\n")
        #expect(answer.firstLine.hasPrefix("HTTP/1.1 404"))
        #expect(bench.homeserver.requests == [])
    }
}
