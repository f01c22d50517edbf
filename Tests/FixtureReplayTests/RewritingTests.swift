import FixtureReplay
import MatrixWire
import Testing

struct RewritingTests {
    private let recorded = #"""
        {"method": "PUT", "path": "/presence/%40alice%3Aold.example/status?access_token=syt_YWxpY2U_abc_1&x=1",
         "request_headers": [["Authorization", "Bearer syt_Ym9i_def_2"], ["X-Of", "old.example"]],
         "request_body_raw": "{\"user\":\"@alice:old.example\"}", "status": 200,
         "response_body": {"sender": "@alice:old.example"}}
        """#.split(separator: "\n").joined()

    @Test func `without anything to rewrite an exchange stays as it was recorded`() throws {
        let exchange = try Recordings.record(recorded)
        let same = Rewriting().applied(to: exchange)
        #expect(same.target == exchange.target)
        #expect(same.headers == exchange.headers)
        #expect(same.body == exchange.body)
    }

    @Test func `tokens are found by their text or by the user they name`() throws {
        var rewriting = Rewriting()
        try rewriting.takeTokens(
            document: Array(#"{"@alice:old.example": "prs_alice", "syt_Ym9i_def_2": "prs_bob", "other": "x"}"#.utf8))
        let exchange = rewriting.applied(to: try Recordings.record(recorded))
        #expect(exchange.target == "/presence/%40alice%3Aold.example/status?access_token=prs_alice&x=1")
        #expect(exchange.values(of: "authorization") == ["Bearer prs_bob"])
    }

    @Test func `a name is replaced in path, headers, body and recorded answer`() throws {
        var rewriting = Rewriting()
        rewriting.rename("old.example", to: "new.example:8448")
        rewriting.rename("@alice:old.example", to: "@anna:new.example:8448")
        let exchange = rewriting.applied(to: try Recordings.record(recorded))
        #expect(exchange.path == "/presence/%40anna%3Anew.example%3A8448/status")
        #expect(exchange.values(of: "X-Of") == ["new.example:8448"])
        #expect(exchange.body == .bytes(Array(#"{"user":"@anna:new.example:8448"}"#.utf8)))
        #expect(exchange.answer?["sender"] == "@anna:new.example:8448")
    }

    @Test(arguments: [#"[]"#, #"{"a": 1}"#, "{"]) func `a file of tokens of another form is refused`(text: String) {
        var rewriting = Rewriting()
        #expect(throws: (any Error).self) { try rewriting.takeTokens(document: Array(text.utf8)) }
    }
}

struct ExpectationsTests {
    @Test(arguments: [
        #"[]"#, #"{"expected": [{"note": "x"}]}"#, #"{"expected": [{"reason": "x"}]}"#,
        #"{"expected": [{"reason": "x", "note": "y", "nope": 1}]}"#, #"{"expected": [{"reason": "", "note": "y"}]}"#,
    ])
    func `an expectation that says too little or too much is refused`(text: String) {
        #expect(throws: (any Error).self) { try Expectations(document: Array(text.utf8)) }
    }

    @Test func `every given part must fit`() throws {
        let expectations = try Expectations(
            document: Array(
                #"""
                {"expected": [{"reason": "r", "method": "PUT", "path": "/a/*", "note": "n", "file": "hand.jsonl",
                               "status": 413, "errcode": "M_TOO_LARGE"}]}
                """#.utf8))
        let body = Array(#"{"errcode":"M_TOO_LARGE"}"#.utf8)
        func index(_ method: String, _ path: String, _ note: String, _ status: Int) throws -> Int? {
            let record = try Recordings.record(
                #"{"method": "\#(method)", "path": "\#(path)", "status": 200, "note": "\#(note)"}"#)
            return expectations.index(for: record, answeredBy: ReceivedAnswer(status: status, body: body))
        }
        #expect(try index("PUT", "/a/b?c", "n", 413) == 0)
        #expect(try index("GET", "/a/b", "n", 413) == nil)
        #expect(try index("PUT", "/b", "n", 413) == nil)
        #expect(try index("PUT", "/a/b", "m", 413) == nil)
        #expect(try index("PUT", "/a/b", "n", 400) == nil)
    }
}
