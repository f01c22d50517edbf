import HomeserverLink
import Testing

@Suite struct `Where the homeserver is` {
    @Test(arguments: ["http://127.0.0.1:8008", "https://matrix.example", "http://[::1]:8008", "http://synapse_1:80"])
    func `is an origin`(text: String) throws {
        #expect(try HomeserverOrigin(parsing: text).text == text)
        #expect(try HomeserverOrigin(parsing: text + "/").text == text)
    }

    @Test(arguments: [
        "", "127.0.0.1:8008", "http://", "http://a/b", "http://a?b", "http://u@a", "ftp://a", "http://a:0",
        "http://a:70000", "http://a:", "http://[::1", "http://a b", "http://a//",
    ])
    func `is nothing else`(text: String) {
        #expect(throws: HomeserverOrigin.Malformed.self) { try HomeserverOrigin(parsing: text) }
    }
}
