import PresenceModel
import Testing

@Suite struct `User identifiers` {
    @Test func `a user has a localpart and a server`() throws {
        let user = try UserID(parsing: "@alice:example.org:8448")
        #expect(user.localpart == "alice")
        #expect(user.server.text == "example.org:8448")
        #expect(user.isHosted(by: try ServerName(parsing: "example.org:8448")))
        #expect(!user.isHosted(by: try ServerName(parsing: "example.org")))
        #expect("\(user)" == "@alice:example.org:8448")
    }

    @Test func `only the first colon separates`() throws {
        let user = try UserID(parsing: "@a:[::1]:80")
        #expect(user.server.text == "[::1]:80")
    }

    @Test(arguments: [
        ("", IdentifierError.missingSigil), ("alice:example.org", .missingSigil), ("@alice", .missingServerName),
        ("@:example.org", .empty), ("@al ice:example.org", .forbiddenCharacter),
        ("@al\u{0}ice:example.org", .forbiddenCharacter), ("@al\u{7F}ice:example.org", .forbiddenCharacter),
        ("@alice:", .empty), ("@alice:exam_ple.org", .malformedServerName), ("@alice:a:b", .malformedServerName),
    ])
    func `a broken user is refused with the rule it broke`(text: String, rule: IdentifierError) {
        #expect(throws: rule) { try UserID(parsing: text) }
    }

    @Test func `a user has at most 255 bytes`() throws {
        let server = ":example.org"
        let fits = "@" + String(repeating: "a", count: 254 - server.count) + server
        #expect(fits.utf8.count == 255)
        #expect(try UserID(parsing: fits).localpart.count == 242)
        #expect(throws: IdentifierError.tooLong(limitBytes: 255)) { try UserID(parsing: "@a" + fits.dropFirst()) }
        // Bytes, not characters.
        let wide = "@" + String(repeating: "é", count: 127) + server
        #expect(throws: IdentifierError.tooLong(limitBytes: 255)) { try UserID(parsing: wide) }
    }

    @Test func `users that Swift takes for equal texts are two users`() throws {
        let composed = try UserID(parsing: "@caf\u{E9}:example.org")
        let combining = try UserID(parsing: "@cafe\u{301}:example.org")
        #expect(composed.text == combining.text)
        #expect(composed != combining)
        #expect(Set([composed, combining]).count == 2)
        #expect((composed < combining) != (combining < composed))
        let otherOrder = [
            try UserID(parsing: "@q\u{323}\u{307}:example.org"), try UserID(parsing: "@q\u{307}\u{323}:example.org"),
        ]
        #expect(otherOrder[0] != otherOrder[1])
    }

    @Test func `case matters`() throws {
        #expect(try UserID(parsing: "@Alice:example.org") != UserID(parsing: "@alice:example.org"))
    }

    @Test func `a combining character after the colon belongs to the server, which is refused`() {
        #expect(throws: IdentifierError.malformedServerName) { try UserID(parsing: "@a:\u{301}example.org") }
    }

    @Test func `a combining character at the front stays in the localpart`() throws {
        let user = try UserID(parsing: "@\u{301}a:example.org")
        #expect(Array(user.localpart.utf8) == Array("\u{301}a".utf8))
        #expect(user.server.text == "example.org")
    }

    @Test func `users sort by their text`() throws {
        let users = try ["@b:x", "@a:y", "@a:x", "@B:x"].map { try UserID(parsing: $0) }
        #expect(users.sorted().map(\.text) == ["@B:x", "@a:x", "@a:y", "@b:x"])
    }
}

@Suite struct `Server names` {
    @Test(arguments: [
        ("example.org", "example.org", nil, false), ("example.org:8448", "example.org", 8448, false),
        ("1.2.3.4", "1.2.3.4", nil, true), ("1.2.3.4:1", "1.2.3.4", 1, true), ("[::1]", "[::1]", nil, true),
        ("[2001:db8::1]:65535", "[2001:db8::1]", 65535, true), ("1.2.3.400", "1.2.3.400", nil, false),
        ("1.2.3", "1.2.3", nil, false), ("[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]", nil, true),
    ])
    func `a name splits into host and port`(text: String, host: String, port: Int?, isLiteral: Bool) throws {
        let name = try ServerName(parsing: text)
        #expect(name.host == host)
        #expect(name.port == port)
        #expect(name.isAddressLiteral == isLiteral)
    }

    @Test(arguments: [
        "example.org:", "example.org:0", "example.org:65536", "example.org:123456", "example.org:8a", ":80",
        "exam_ple.org", "exämple.org", "example.org/", "[::1", "[]", "[:]", "[::1]x", "[::g]", "[1234]",
        "example.org:80:80", "a b", "@a:b",
    ])
    func `a malformed name is refused`(text: String) {
        #expect(throws: IdentifierError.malformedServerName) { try ServerName(parsing: text) }
    }

    @Test func `a name has 1 to 230 bytes`() throws {
        #expect(throws: IdentifierError.empty) { try ServerName(parsing: "") }
        let fits = String(repeating: "a", count: 230)
        #expect(try ServerName(parsing: fits).text == fits)
        #expect(throws: IdentifierError.tooLong(limitBytes: 230)) { try ServerName(parsing: fits + "a") }
    }
}

@Suite struct `Device identifiers` {
    @Test func `a device has 1 to 255 bytes without control characters`() throws {
        #expect(try DeviceID(parsing: "ABC def").text == "ABC def")
        #expect(throws: IdentifierError.empty) { try DeviceID(parsing: "") }
        let fits = String(repeating: "é", count: 127) + "a"
        #expect(try DeviceID(parsing: fits).text == fits)
        #expect(throws: IdentifierError.tooLong(limitBytes: 255)) { try DeviceID(parsing: fits + "a") }
        for control in ["a\u{0}", "a\n", "a\u{1F}", "a\u{7F}"] {
            #expect(throws: IdentifierError.forbiddenCharacter) { try DeviceID(parsing: control) }
        }
    }
}
