import MatrixWire
import Testing

@Suite struct JSONParserTests {
    private func flaw(_ bytes: [UInt8], _ parser: JSONParser = .strict) -> JSONError? {
        do throws(JSONError) {
            _ = try parser.parse(bytes)
            return nil
        } catch {
            return error
        }
    }

    @Test func `every kind of value is read`() throws {
        let json = #" {"a": [1, -2, 0, true, false, null], "b": {"c": "d"}, "e": {}, "f": []} "#
        let expected: JSONValue = ["a": [1, -2, 0, true, false, nil], "b": ["c": "d"], "e": [:], "f": []]
        #expect(try parse(json) == expected)
        #expect(try parse(json)["b"]?["c"]?.string == "d")
        #expect(try parse(json)["a"]?.array?.count == 6)
    }

    @Test(arguments: [
        ("", JSONError.Reason.unexpectedEnd, 0), ("{", .unexpectedEnd, 1), ("[1", .unexpectedEnd, 2),
        ("\"ab", .unexpectedEnd, 3), ("[1,]", .malformed, 3), ("{\"a\":1,}", .malformed, 7), ("{a:1}", .malformed, 1),
        ("{\"a\" 1}", .malformed, 5), ("[1 2]", .malformed, 3), ("tru", .unexpectedEnd, 3), ("nul!", .malformed, 3),
        ("NaN", .malformed, 0), ("Infinity", .malformed, 0), ("-", .unexpectedEnd, 1), ("+1", .malformed, 0),
        ("01", .malformed, 1), ("-012", .malformed, 2), (".5", .malformed, 0), ("1.", .unexpectedEnd, 2),
        ("1e", .unexpectedEnd, 2), ("1 x", .trailingBytes, 2), ("{}{}", .trailingBytes, 2), ("'a'", .malformed, 0),
        ("\"a\tb\"", .controlCharacter, 2), ("\"a\u{0}b\"", .controlCharacter, 2), ("\"\\x\"", .badEscape, 1),
        ("\"\\u12G4\"", .badEscape, 1), ("\"\\ud800\"", .badEscape, 1), ("\"\\ud800\\u0041\"", .badEscape, 1),
        ("\"\\udc00\"", .badEscape, 1), ("\u{FEFF}{}", .malformed, 0), ("\u{0}", .malformed, 0),
        ("[1]\u{0}", .trailingBytes, 3),
    ])
    func `what is not JSON is refused where it breaks`(json: String, reason: JSONError.Reason, offset: Int) {
        let error = flaw(Array(json.utf8), .lenient)
        #expect(error?.reason == reason)
        #expect(error?.offset == offset)
    }

    @Test(
        arguments: [
            [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF],
            [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80],
            [0xFF], [0xFE], [0x80], [0xBF], [0xC3], [0xE2, 0x82], [0xF0, 0x9F, 0x98], [0xC3, 0x28], [0xE2, 0x28, 0xA1],
            [0xF0, 0x9F, 0x28, 0x80],
        ] as [[UInt8]])
    func `what is not UTF-8 is refused, escaped neighbours or not`(bytes: [UInt8]) {
        #expect(flaw([0x22, 0x61] + bytes + [0x22])?.reason == .badUTF8)
        #expect(flaw([0x22] + Array(#"\n"#.utf8) + bytes + [0x22])?.offset == 3)
        #expect(flaw([0x22, 0x61] + bytes)?.reason == .badUTF8)
    }

    @Test func `every length of character is read beside every other`() throws {
        for text in ["é", "ż", "€", "日本語", "😀", "\u{10FFFF}", "\u{D7FF}\u{E000}", "aaaaaaaé", "aaaaaaaaa😀aaaaaaaaa"] {
            #expect(try parse("\"\(text)\"") == .string(text))
            #expect(try parse("\"\\t\(text)\\n\(text)\"") == .string("\t\(text)\n\(text)"))
        }
    }

    @Test func `escapes are undone`() throws {
        #expect(try parse(#""\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud83d\ude00""#) == "\"\\/\u{8}\u{C}\n\r\tAé€😀")
        #expect(try parse(#""\u0000""#) == "\u{0}")
        #expect(try parse(#"{"\u0061":1}"#)["a"] == 1)
    }

    @Test func `quotes and backslashes are seen at every place of a long string`() throws {
        for place in 0..<24 {
            let before = String(repeating: "x", count: place)
            #expect(try parse("\"\(before)\"") == .string(before))
            #expect(try parse("\"\(before)\\\\yyyyyyyyyyyy\"") == .string(before + "\\yyyyyyyyyyyy"))
            #expect(flaw(Array("\"\(before)\u{1F}yyyyyyyyyyyy\"".utf8))?.offset == place + 1)
        }
    }

    @Test func `nesting ends at the limit`() throws {
        let deep = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        _ = try parse(deep)
        #expect(flaw(Array("[\(deep)]".utf8))?.reason == .tooDeep)
        let objects = String(repeating: "{\"a\":", count: 65)
        #expect(flaw(Array(objects.utf8))?.reason == .tooDeep)
        #expect(flaw([UInt8](repeating: UInt8(ascii: "["), count: 1_000_000))?.reason == .tooDeep)
    }

    @Test func `a repeated key is refused or the last one wins`() throws {
        let json = #"{"b":0,"a":1,"b":{"c":2,"c":3},"\u0061":4}"#
        #expect(flaw(Array(json.utf8), .strict)?.reason == .duplicateKey)
        #expect(try parse(json, .lenient) == ["a": 4, "b": ["c": 3]])
        let adjacent = #"{"a":1,"a":2}"#
        #expect(flaw(Array(adjacent.utf8))?.reason == .duplicateKey)
        #expect(try JSONParser.lenient.parse(Array(adjacent.utf8)).isCanonical == false)
    }

    @Test func `keys that only look alike are two keys`() throws {
        let json = "{\"\u{E9}\":1,\"e\u{301}\":2,\"\u{212B}\":3,\"A\u{30A}\":4}"
        let object = try #require(try parse(json).object)
        #expect(object.count == 4)
        #expect(object["\u{E9}"] == 1 && object["e\u{301}"] == 2 && object["\u{212B}"] == 3)
        #expect(object["A\u{30A}"] == 4)
        #expect(JSONValue.string("\u{212B}") != .string("A\u{30A}"))
    }

    @Test func `a hundred thousand unsorted keys are no trouble`() throws {
        let json = "{" + (0..<100_000).map { "\"\(($0 * 7919) % 100_000)\":\($0)" }.joined(separator: ",") + "}"
        #expect(try parse(json).object?.count == 100_000)
        let repeated = json.dropLast() + ",\"7\":0}"
        #expect(flaw(Array(repeated.utf8))?.reason == .duplicateKey)
    }

    @Test func `whole numbers reach to 2^53-1 and no further`() throws {
        #expect(try parse("[9007199254740991,-9007199254740991]") == [9_007_199_254_740_991, -9_007_199_254_740_991])
        for json in [
            "9007199254740992", "-9007199254740992", "1.0", "1e3", "1E+2", "-0", "0.0", "92233720368547758080",
        ] {
            #expect(flaw(Array("[\(json)]".utf8))?.reason == .numberNotCanonical)
            #expect(flaw(Array("[\(json)]".utf8))?.offset == 1)
            #expect(try parse("[\(json)]", .lenient) == [.fraction(json)])
            #expect(CanonicalJSON.encode(try parse("[\(json)]", .lenient)) == Array("[\(json)]".utf8))
        }
        #expect(try parse("[1.5,-0.25e-10]", .lenient) == [.fraction("1.5"), .fraction("-0.25e-10")])
    }

    @Test(arguments: [
        #"{"a":1,"b":[true,null,"\n\"\\\u001f\u007F"]}"#.replacingDelete(), #"{}"#, #"[]"#, #""é😀""#, "0", "-7",
        #"{"":0,"\n":1,"a":2,"aa":3,"é":4,"｡":5,"😀":6}"#,
    ])
    func `canonical bytes are known for what they are`(json: String) throws {
        let parsed = try JSONParser.lenient.parse(Array(json.utf8))
        #expect(parsed.isCanonical)
        #expect(CanonicalJSON.encode(parsed.value) == Array(json.utf8))
    }

    @Test(arguments: [
        " {}", "{} ", "{ }", "[1, 2]", "{\"a\" :1}", #"{"b":1,"a":2}"#, #""\/""#, #""\u0041""#, #""\u000a""#,
        #""\u001F""#, #""\u00e9""#, #""\ud83d\ude00""#, "1.5", "-0", "1e2", #"{"a":1,"a":1}"#, #"{"b":1,"\u0061":2}"#,
        #"{"😀":6,"｡":5}"#, #"{"a":2,"\n":1}"#, #"[{"a":[{ }]}]"#,
    ])
    func `bytes that are not canonical are known for what they are`(json: String) throws {
        let parsed = try JSONParser.lenient.parse(Array(json.utf8))
        #expect(!parsed.isCanonical)
        let canonical = parsed.canonicalBytes(from: Array(json.utf8))
        #expect(CanonicalJSON.encode(try JSONParser.lenient.parse(canonical).value) == canonical)
    }
}

extension String {
    /// The delete character needs no escape; the literal above cannot hold it readably.
    fileprivate func replacingDelete() -> String { split(separator: #"\u007F"#).joined(separator: "\u{7F}") }
}
