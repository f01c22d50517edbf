import HomeserverLink
import MatrixWire
import Testing

@Suite(.timeLimit(.minutes(2))) struct `What the server can do` {
    private func json(_ message: Wire.Message) throws -> JSONValue {
        try JSONParser.strict.parse(Array(message.body.utf8)).value
    }

    @Test func `is what the homeserver can, and presence`() async throws {
        let document = #"{"versions":["v1.1"],"unstable_features":{"a":true,"org.matrix.msc3026.busy_presence":false}}"#
        let homeserver = try await StubHomeserver(200, document)
        let bench = try await LinkBench(homeserver)
        let answer = try await bench.ask(
            "GET /_matrix/client/versions HTTP/1.1\nHost: x\nAccept-Encoding: gzip\nIf-None-Match: \"e\"\n\n")
        let merged = try json(answer)
        #expect(merged["versions"] == ["v1.1"])
        #expect(merged["unstable_features"]?["a"] == true)
        #expect(merged["unstable_features"]?["support.feline.msc4043.v1"] == true)
        #expect(merged["unstable_features"]?["org.matrix.msc3026.busy_presence"] == true)
        #expect(answer.isWhole)
        let request = try #require(homeserver.requests.first)
        #expect(request.values(of: "Accept-Encoding") == ["identity"])
        #expect(request.values(of: "If-None-Match") == [])
    }

    @Test func `is told in its capabilities`() async throws {
        let homeserver = try await StubHomeserver(
            200, #"{"capabilities":{"m.change_password":{"enabled":true},"x":1.5}}"#)
        let bench = try await LinkBench(homeserver)
        let answer = try await bench.get("/_matrix/client/v3/capabilities", token: "t")
        #expect(
            answer.body
                == #"{"capabilities":{"m.change_password":{"enabled":true},"m.presence":{"receive_enabled":true,"send_enabled":true},"x":1.5}}"#
        )
        let head = try await bench.ask(
            "HEAD /_matrix/client/v3/capabilities HTTP/1.1\nHost: x\n\n", answering: "HEAD")
        #expect(head.value(of: "Content-Length") == "\(answer.body.utf8.count)")
    }

    @Test func `is refused as the homeserver refuses it`() async throws {
        let bench = try await LinkBench(StubHomeserver(401, #"{"errcode":"M_MISSING_TOKEN","error":"e"}"#))
        let answer = try await bench.get("/_matrix/client/v3/capabilities")
        #expect(answer.firstLine.hasPrefix("HTTP/1.1 401"))
        #expect(answer.body == #"{"errcode":"M_MISSING_TOKEN","error":"e"}"#)
        #expect(answer.values(of: "Access-Control-Allow-Origin") == [])
    }
}
