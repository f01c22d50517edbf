import PresenceModel
import Testing

struct `Patterns for server names` {
    @Test(arguments: [
        ("example.org", "example.org", true), ("example.org", "EXAMPLE.org", true),
        ("Example.ORG", "example.org", true), ("example.org", "example.org:8448", true),
        ("example.org:8448", "example.org:8448", true), ("example.org:8448", "example.org", false),
        ("example.org:8448", "example.org:443", false), ("example.org", "example.orgs", false),
        ("example.org", "an.example.org", false), ("example.org", "exampleXorg", false),
        ("*", "example.org", true), ("*", "[::1]:8448", true), ("*.example.org", "a.example.org", true),
        ("*.example.org", "a.b.example.org:1", true), ("*.example.org", "example.org", false),
        ("*example.org", "example.org", true), ("ex*org", "example.org", true), ("ex*org", "ex.org", true),
        ("ex*or", "example.org", false), ("*a*b*", "xaxbx", true), ("*a*b*", "bxxa", false),
        ("*aab", "aaaab", true), ("a?c", "abc", true), ("a?c", "ac", false), ("a?c", "abbc", false), ("??", "ab", true),
        ("?", "ab", false), ("**", "a", true), ("a*?", "a", false), ("a*?", "ab", true),
        ("localhost:1*", "localhost:18448", true), ("localhost:1*", "localhost:28448", false),
        ("10.0.0.?", "10.0.0.7:8448", true), ("10.0.0.?", "10.0.0.77", false), ("[::1]", "[::1]:8448", true),
        ("[*]", "[2001:db8::1]", true), ("[*]", "example.org", false),
    ])
    func `match whole names, with or without the port`(pattern: String, name: String, expected: Bool) throws {
        let glob = try ServerGlob(parsing: pattern)
        #expect(glob.matches(try ServerName(parsing: name)) == expected)
        #expect(ServerAccess(allow: [glob]).admits(try ServerName(parsing: name)) == expected)
        #expect(ServerAccess(deny: [glob]).admits(try ServerName(parsing: name)) != expected)
    }

    @Test(arguments: [
        "", "example org", "exämple.org", "a/b", "https://example.org", "@a:b", "a_b", "a:0", "a:b", "[a",
    ])
    func `that can match nothing are refused`(pattern: String) {
        #expect(throws: IdentifierError.self) { try ServerGlob(parsing: pattern) }
    }

    @Test func `cost little, however many stars they have`() throws {
        let glob = try ServerGlob(parsing: String(repeating: "*a", count: 115))
        #expect(!glob.matches(try ServerName(parsing: String(repeating: "a", count: 229) + "b")))
        #expect(throws: IdentifierError.tooLong(limitBytes: 230)) {
            try ServerGlob(parsing: String(repeating: "*", count: 231))
        }
    }
}

struct `Who is talked to` {
    private func globs(_ texts: [String]) throws -> [ServerGlob] { try texts.map { try ServerGlob(parsing: $0) } }

    @Test(
        arguments: [
            ([], [], "a.org", true), ([], ["a.org"], "a.org", false), ([], ["a.org"], "b.org", true),
            (["a.org"], [], "a.org", true), (["a.org"], [], "b.org", false), (["*.org"], ["a.org"], "a.org", false),
            (["*.org"], ["a.org"], "b.org", true), (["a.org"], ["*"], "a.org", false),
            (["a.org", "b.org"], [], "b.org:443", true), ([], ["x.org", "a.*"], "a.org:443", false),
        ] as [([String], [String], String, Bool)])
    func `is who is allowed, if anyone is named, and not denied`(
        allow: [String], deny: [String], name: String, expected: Bool
    ) throws {
        let access = ServerAccess(allow: try globs(allow), deny: try globs(deny))
        #expect(access.admits(try ServerName(parsing: name)) == expected)
    }

    @Test func `is everyone where nothing is said`() throws {
        #expect(ServerAccess.everyone.admits(try ServerName(parsing: "anyone.example")))
    }
}
