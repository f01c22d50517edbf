import MatrixWire
import PresenceModel
import Testing

@Suite struct CanonicalJSONTests {
    /// Spec: appendices, canonical JSON, examples.
    @Test(arguments: [
        ("{}", "{}"),
        ("{\n    \"one\": 1,\n    \"two\": \"Two\"\n}", #"{"one":1,"two":"Two"}"#),
        ("{\n    \"b\": \"2\",\n    \"a\": \"1\"\n}", #"{"a":"1","b":"2"}"#),
        (#"{"b":"2","a":"1"}"#, #"{"a":"1","b":"2"}"#),
        (
            """
            {"auth": {"success": true, "mxid": "@john.doe:example.com", "profile": {"display_name": "John Doe",
             "three_pids": [{"medium": "email", "address": "john.doe@example.org"},
             {"medium": "msisdn", "address": "123456789"}]}}}
            """,
            #"{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":"#
                + #"[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"#
                + #""success":true}}"#
        ),
        ("{\n    \"a\": \"日本語\"\n}", #"{"a":"日本語"}"#),
        ("{\n    \"本\": 2,\n    \"日\": 1\n}", #"{"日":1,"本":2}"#),
        (#"{"a": "\u65E5"}"#, #"{"a":"日"}"#),
        (#"{"a": null}"#, #"{"a":null}"#),
    ])
    func `the examples of the specification come out`(json: String, canonical: String) throws {
        #expect(text(CanonicalJSON.encode(try parse(json))) == canonical)
    }

    @Test func `keys sort by code point, not by UTF-16 unit`() {
        let value: JSONValue = ["\u{1F600}": 1, "\u{FF61}": 2, "b": 3, "a": 4, "": 5, "aa": 6, "B": 7]
        let expected = "{\"\":5,\"B\":7,\"a\":4,\"aa\":6,\"b\":3,\"\u{FF61}\":2,\"\u{1F600}\":1}"
        #expect(text(CanonicalJSON.encode(value)) == expected)
    }

    @Test func `only what must be escaped is escaped`() {
        let controls = String(String.UnicodeScalarView((0..<0x20).compactMap(Unicode.Scalar.init)))
        let expected =
            #"\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f"#
            + #"\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f"#
        #expect(text(CanonicalJSON.encode(.string(controls))) == "\"\(expected)\"")
        let plain = " !#$%&'()*+,-./:;<=>?@[]^_`{|}~\u{7F}\u{80}\u{2028}\u{FEFF}é😀"
        #expect(text(CanonicalJSON.encode(.string(plain))) == "\"\(plain)\"")
        #expect(text(CanonicalJSON.encode("a\"b\\c/d")) == #""a\"b\\c/d""#)
        for place in 0..<20 {
            let before = String(repeating: "é", count: place / 2) + String(repeating: "x", count: place)
            #expect(text(CanonicalJSON.encode(.string("\(before)\"\(before)\n"))) == "\"\(before)\\\"\(before)\\n\"")
        }
    }

    @Test func `numbers are written whole`() {
        #expect(text(CanonicalJSON.encode([0, -1, 10, 9_007_199_254_740_991])) == "[0,-1,10,9007199254740991]")
        #expect(text(CanonicalJSON.encode([.integer(.min), .integer(.max)])).count == 42)
    }

    @Test func `a document is signed without its signatures and what is unsigned`() throws {
        let json = #"{"unsigned":{"age":1},"b":{"signatures":1},"signatures":{"x":{"ed25519:1":"s"}},"a":[]}"#
        let object = try #require(try parse(json).object)
        #expect(text(CanonicalJSON.signingBytes(ofObject: object)) == #"{"a":[],"b":{"signatures":1}}"#)
    }

    @Test func `a request is signed with its content or without`() throws {
        let (origin, destination) = (try ServerName(parsing: "a.example"), try ServerName(parsing: "b.example:8448"))
        let uri = "/_matrix/federation/v1/send/1?x=%20\"y\""
        let with = SignedRequest.signingBytes(
            method: "PUT", uri: uri, origin: origin, destination: destination, content: Array(#"{"a":1}"#.utf8))
        let without = SignedRequest.signingBytes(
            method: "GET", uri: uri, origin: origin, destination: destination, content: nil)
        #expect(
            text(with) == #"{"content":{"a":1},"destination":"b.example:8448","method":"PUT","origin":"a.example","#
                + #""uri":"/_matrix/federation/v1/send/1?x=%20\"y\""}"#)
        #expect(
            text(without) == #"{"destination":"b.example:8448","method":"GET","origin":"a.example","#
                + #""uri":"/_matrix/federation/v1/send/1?x=%20\"y\""}"#)
        #expect(try JSONParser.strict.parse(with).isCanonical)
    }

    @Test func `a writer puts commas and colons where they belong`() {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("a")
        writer.beginArray()
        writer.integer(1)
        writer.beginObject()
        writer.endObject()
        writer.beginArray()
        writer.endArray()
        writer.null()
        writer.bool(true)
        writer.endArray()
        writer.key(escaping: "b\n")
        writer.raw("[]".utf8)
        writer.key("c")
        writer.value(["z": 1, "y": .fraction("2.50")])
        writer.key("d")
        writer.string("")
        writer.endObject()
        #expect(text(writer.bytes) == #"{"a":[1,{},[],null,true],"b\n":[],"c":{"y":2.50,"z":1},"d":""}"#)
    }

    @Test(arguments: [
        "federation_presence_transitions.jsonl", "edge_presence_in.jsonl", "edge_presence_malformed.jsonl",
    ])
    func `recorded bodies of servers are canonical and come out as they went in`(file: String) throws {
        let sent = try Recordings.exchanges(in: file) { $0.path.contains("/federation/v1/send/") && $0.body != nil }
        for exchange in sent {
            let body = try #require(exchange.body)
            let parsed = try JSONParser.strict.parse(body)
            #expect(parsed.isCanonical, "\(exchange.note)")
            #expect(CanonicalJSON.encode(parsed.value) == body, "\(exchange.note)")
        }
    }
}
