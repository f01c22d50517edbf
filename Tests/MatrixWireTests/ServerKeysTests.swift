import MatrixWire
import PresenceModel
import Testing

@Suite struct ServerKeysTests {
    private static let key = Base64.encode([UInt8](repeating: 5, count: 32))
    private static let signature = Base64.encode([UInt8](repeating: 6, count: 64))

    private func decode(_ json: JSONValue) throws(ServerKeysError) -> ServerKeys { try ServerKeys(decoding: json) }

    private func document(_ change: (inout JSONObject) -> Void) -> JSONValue {
        var object = JSONObject()
        object["server_name"] = "a.example"
        object["valid_until_ts"] = 5
        object["verify_keys"] = ["ed25519:1": ["key": .string(ServerKeysTests.key)]]
        change(&object)
        return .object(object)
    }

    @Test func `recorded key documents come out as they went in`() throws {
        let answers = try Recordings.exchanges(in: "federation_keys.jsonl") { $0.path == "/_matrix/key/v2/server" }
        let known = try JSONParser.strict.parse(try Recordings.bytes(of: "keys.json")).value
        for exchange in answers {
            let keys = try decode(exchange.answer)
            let name = keys.serverName.text
            let expected = try #require(known["verify_keys"]?[name]?.object)
            #expect(keys.verifyKeys.map(\.id.text) == expected.members.map(\.key))
            #expect(keys.verifyKeys.map { Base64.encode($0.key) } == expected.members.compactMap(\.value.string))
            #expect(keys.signatures.map(\.server) == [keys.serverName] && keys.skippedCount == 0)
            #expect(keys.encode() == exchange.answer)
            let first = try #require(keys.verifyKeys.first)
            #expect(keys.verifyKey(first.id) == first.key)
            let signed = CanonicalJSON.signingBytes(ofObject: try #require(exchange.answer.object))
            #expect(try JSONParser.strict.parse(signed).value["signatures"] == nil)
        }
    }

    @Test func `old keys keep the moment they expired`() throws {
        let keys = try decode(
            document {
                $0["old_verify_keys"] = ["ed25519:0": ["expired_ts": 99, "key": .string(ServerKeysTests.key)]]
            })
        #expect(keys.oldVerifyKeys.map(\.expired.millisecondsSinceEpoch) == [99])
        #expect(keys.validUntil.millisecondsSinceEpoch == 5)
        #expect(try decode(keys.encode()) == keys)
    }

    @Test func `a bad key does not sink the good one`() throws {
        let keys = try decode(
            document {
                $0["verify_keys"] = [
                    "ed25519:1": ["key": .string(ServerKeysTests.key)], "ed25519:2": ["key": "AAAA"],
                    "ed25519:3": ["key": 5], "ed25519:4": "x", "rsa:5": ["key": .string(ServerKeysTests.key)],
                    "six": nil,
                ]
                $0["old_verify_keys"] = ["ed25519:0": ["key": .string(ServerKeysTests.key)]]
                $0["signatures"] = [
                    "a.example": ["ed25519:1": .string(ServerKeysTests.signature), "ed25519:2": "AAAA"], "b_": [:],
                    "c.example": 7,
                ]
            })
        #expect(keys.verifyKeys.map(\.id.text) == ["ed25519:1"])
        #expect(keys.signatures.count == 1 && keys.oldVerifyKeys.isEmpty)
        #expect(keys.skippedCount == 9)
    }

    @Test func `what is required must be there`() {
        for member in ["server_name", "valid_until_ts", "verify_keys"] {
            #expect(throws: ServerKeysError.malformed(member)) { try decode(document { $0[member] = nil }) }
            #expect(throws: ServerKeysError.malformed(member)) { try decode(document { $0[member] = .bool(true) }) }
        }
        for member in ["old_verify_keys", "signatures"] {
            #expect(throws: ServerKeysError.malformed(member)) { try decode(document { $0[member] = .array([]) }) }
        }
        #expect(throws: ServerKeysError.malformed("")) { try decode([]) }
    }

    @Test func `there is an end to keys and signatures`() throws {
        func many(_ count: Int, _ value: JSONValue) -> JSONValue {
            var object = JSONObject()
            for index in 0..<count { object["ed25519:\(index)"] = value }
            return .object(object)
        }
        let key: JSONValue = ["key": .string(ServerKeysTests.key), "expired_ts": 1]
        for member in ["verify_keys", "old_verify_keys"] {
            #expect(throws: ServerKeysError.tooMany(member)) { try decode(document { $0[member] = many(33, key) }) }
        }
        #expect(try decode(document { $0["verify_keys"] = many(32, key) }).verifyKeys.count == 32)
        let signatures = many(17, .string(ServerKeysTests.signature))
        #expect(throws: ServerKeysError.tooMany("signatures")) {
            try decode(document { $0["signatures"] = ["a": signatures, "b": signatures] })
        }
    }
}
