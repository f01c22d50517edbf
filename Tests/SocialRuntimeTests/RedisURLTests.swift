import SocialService
import Testing

struct `A Redis URL` {
    @Test func `names host, port, credentials and database`() throws {
        let plain = try RedisURL(parsing: "redis://cache")
        #expect(plain.host == "cache" && plain.port == 6379 && plain.password == nil && plain.database == 0)
        let full = try RedisURL(parsing: "redis://us%3Aer:p%40ss:w@[::1]:7000/3")
        #expect(full.host == "::1" && full.port == 7000 && full.database == 3)
        #expect(full.user == "us:er" && full.password == "p@ss:w")
        #expect("\(full)" == "redis://::1:7000/3")
        #expect(try RedisURL(parsing: "redis://:secret@h/").user == nil)
    }

    @Test(arguments: [
        ("http://h", RedisURL.Flaw.scheme), ("redis://", .host), ("redis://h:0", .port), ("redis://h:x", .port),
        ("redis://h/-1", .database), ("redis://h/x", .database), ("redis://secret@h", .credentials),
        ("redis://u:%ZZ@h", .credentials), ("redis://[::1", .host), ("redis://a b", .host), ("rediss://h", .scheme),
    ])
    func `that is none is refused, and why`(text: String, flaw: RedisURL.Flaw) {
        #expect(throws: flaw) { try RedisURL(parsing: text) }
    }
}
