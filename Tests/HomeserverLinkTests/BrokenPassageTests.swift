import HomeserverLink
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) struct `What breaks on its way` {
    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"next",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{\"next\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n60\r\n{\"next",
    ])
    func `is never taken for a whole answer`(start: String) async throws {
        let homeserver = try await StubHomeserver { wire, _ in
            try await wire.send(start)
            wire.close()
        }
        let bench = try await LinkBench(homeserver)
        let answer = try await bench.get("/_matrix/client/v3/sync")
        #expect(answer.firstLine.hasPrefix("HTTP/1.1 200"))
        #expect(!answer.isWhole)
    }

    @Test func `is 502 if no answer comes`() async throws {
        let homeserver = try await StubHomeserver { wire, _ in wire.close() }
        let bench = try await LinkBench(homeserver)
        let get = try await bench.get("/a")
        #expect(get.firstLine.hasPrefix("HTTP/1.1 502"))
        #expect(get.body.contains(#""errcode":"M_UNKNOWN""#))
        #expect(get.values(of: "Access-Control-Allow-Origin") == ["*"])
        let put = try await bench.ask("PUT /b HTTP/1.1\nHost: x\nContent-Length: 2\n\n{}")
        #expect(put.firstLine.hasPrefix("HTTP/1.1 502"))
        // What changes nothing is asked twice, what may change something once.
        #expect(homeserver.requests.map(\.firstLine).filter { $0.hasPrefix("PUT") }.count == 1)
    }

    @Test func `is 502 if nobody is there, and well again when somebody is`() async throws {
        let homeserver = try await StubHomeserver(200, "{}")
        let bench = try await LinkBench(homeserver)
        homeserver.stop()
        let answer = try await bench.get("/a")
        #expect(answer.firstLine.hasPrefix("HTTP/1.1 502"))
        #expect(answer.body.contains(#""errcode":"M_UNKNOWN""#))
    }

    @Test func `is 504 if the homeserver takes too long`() async throws {
        let bench = try await LinkBench(StubHomeserver { _, _ in }, timeout: .milliseconds(100))
        #expect(try await bench.get("/a").firstLine.hasPrefix("HTTP/1.1 504"))
        #expect(try await bench.get("/_matrix/client/v3/sync").firstLine.hasPrefix("HTTP/1.1 504"))
    }

    @Test func `is not a long-poll that waits as long as it was asked to`() async throws {
        let homeserver = try await StubHomeserver { wire, request in
            // Longer than the time-out; the wait that the client asked for comes on top.
            try await wire.channel.eventLoop.scheduleTask(in: .milliseconds(400)) {}.futureResult.get()
            try await wire.send(StubHomeserver.answer(200, "{}"))
        }
        let bench = try await LinkBench(homeserver, timeout: .milliseconds(100))
        #expect(
            try await bench.get("/_matrix/client/v3/sync?timeout=30000").firstLine.hasPrefix("HTTP/1.1 200"))
    }

    @Test func `is not an upload that takes longer than an answer may`() async throws {
        let bench = try await LinkBench(StubHomeserver(200, "{}"), timeout: .seconds(2))
        let wire = try await bench.connect()
        try await wire.send("PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
        for part in ["a", "b", "c", "d"] {
            try await wire.channel.eventLoop.scheduleTask(in: .milliseconds(700)) {}.futureResult.get()
            try await wire.send(part)
        }
        #expect(try #require(await wire.message()).firstLine.hasPrefix("HTTP/1.1 200"))
        wire.close()
    }

    @Test(arguments: ["", "Content-Length: 2\r\n"])
    func `is taken back when its client goes away before the answer`(length: String) async throws {
        let homeserver = try await StubHomeserver { _, _ in }
        let bench = try await LinkBench(homeserver, timeout: .minutes(5))
        let wire = try await bench.connect()
        try await wire.send("POST /_matrix/client/v4/sync?timeout=60000 HTTP/1.1\r\nHost: x\r\n\(length)\r\n")
        if !length.isEmpty { try await wire.send("{}") }
        try await waits { homeserver.requests.count == 1 }
        wire.close()
        try await waits { homeserver.closedConnections == 1 }
    }

    @Test func `is taken back when its client goes away within the answer`() async throws {
        let homeserver = try await StubHomeserver { wire, _ in
            try await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        }
        let bench = try await LinkBench(homeserver, timeout: .minutes(5))
        let wire = try await bench.connect()
        try await wire.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        await wire.receive("{")
        wire.close()
        try await waits { homeserver.closedConnections == 1 }
    }

    @Test(arguments: ["Content-Length: 100\r\n\r\n{\"a\"", "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n"])
    func `is never taken for a whole request`(rest: String) async throws {
        let homeserver = try await StubHomeserver { _, _ in }
        let bench = try await LinkBench(homeserver)
        let wire = try await bench.connect()
        try await wire.send("PUT /a HTTP/1.1\r\nHost: x\r\n\(rest)")
        try await waits { homeserver.connections == 1 }
        wire.close()
        try await waits { homeserver.closedConnections == 1 }
        #expect(homeserver.requests == [])
    }

    @Test func `is an upload that the homeserver refuses early, and the next request is served`() async throws {
        let homeserver = try await StubHomeserver(readingBodies: false) { wire, request in
            guard request.firstLine.hasPrefix("PUT") else {
                return try await wire.send(StubHomeserver.answer(200, "{}"))
            }
            try await wire.send(StubHomeserver.answer(413, "{}", "Connection: close\r\n"))
            wire.close()
        }
        let bench = try await LinkBench(homeserver)
        let wire = try await bench.connect()
        try await wire.send("PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n")
        try await wire.send(String(repeating: "x", count: 1000))
        #expect(try #require(await wire.message()).firstLine.hasPrefix("HTTP/1.1 413"))
        try await wire.send(String(repeating: "x", count: 1000))
        try await wire.send("GET /b HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try #require(await wire.message()).firstLine.hasPrefix("HTTP/1.1 200"))
        wire.close()
    }

    @Test func `is a long-poll when the server stops`() async throws {
        let homeserver = try await StubHomeserver { _, _ in }
        let bench = try await LinkBench(homeserver)
        let wire = try await bench.connect()
        try await wire.send("GET /_matrix/client/v3/sync?timeout=60000 HTTP/1.1\r\nHost: x\r\n\r\n")
        try await waits { homeserver.requests.count == 1 }
        bench.upstream.endWaits()
        #expect(try #require(await wire.message()).firstLine.hasPrefix("HTTP/1.1 502"))
        wire.close()
    }

    @Test func `waits for a client that does not read`() async throws {
        let sent = Mutex(0)
        let homeserver = try await StubHomeserver { wire, _ in
            let part = String(repeating: "x", count: 1 << 16)
            try await wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(1 << 26)\r\n\r\n")
            for _ in 0..<(1 << 10) {
                try await wire.send(part)
                sent.withLock { $0 += 1 << 16 }
            }
        }
        let bench = try await LinkBench(homeserver)
        let wire = try await bench.connect()
        try await wire.stopReading()
        try await wire.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        // It comes to a stop: what is under way is in the buffers of two sockets and little more.
        var before = -1
        try await waits { sent.withLock { $0 } > 0 }
        while sent.withLock({ $0 }) != before {
            before = sent.withLock { $0 }
            try await wire.channel.eventLoop.scheduleTask(in: .milliseconds(300)) {}.futureResult.get()
        }
        #expect(before < 1 << 25)
        try await wire.goOnReading()
        try await waits { sent.withLock { $0 } == 1 << 26 }
        await wire.receive(1 << 26)
        wire.close()
    }
}
