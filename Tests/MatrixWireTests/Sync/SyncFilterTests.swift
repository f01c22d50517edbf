import MatrixWire
import PresenceModel
import Testing

@Suite struct `A filter of syncs` {
    private func filter(_ json: String) throws -> SyncFilter { try #require(SyncFilter(decoding: Array(json.utf8))) }

    private func allows(_ json: String, _ user: String = "@a:b") throws -> Bool {
        try filter(json).allows(try UserID(parsing: user))
    }

    @Test(arguments: [
        "{}", #"{"presence":{}}"#, #"{"presence":{"types":["m.presence"]}}"#, #"{"presence":{"types":["m.*"]}}"#,
        #"{"presence":{"types":["*"]}}"#, #"{"presence":{"types":["x","m.pre*ce"]}}"#, #"{"presence":{"limit":5}}"#,
        #"{"presence":{"types":["m.presence**"]}}"#, #"{"presence":{"not_types":["m.room.*","m.presenc"]}}"#,
        #"{"presence":{"senders":["@a:b"]}}"#, #"{"presence":{"not_senders":["@A:b","nobody"]}}"#,
        #"{"presence":{"types":"m.room"}}"#, #"{"presence":[]}"#, #"{"room":{"types":[]},"event_fields":["type"]}"#,
        #"{"event_format":"federation","account_data":{"not_types":["*"]},"presence":{"limit":"a"}}"#,
    ]) func `lets presence pass`(json: String) throws {
        #expect(try allows(json))
        #expect(try !filter(json).blocksEverything)
    }

    @Test(arguments: [
        #"{"presence":{"types":[]}}"#, #"{"presence":{"not_types":["m.presence"]}}"#, #"{"presence":{"limit":0}}"#,
        #"{"presence":{"not_types":["*"],"types":["m.presence"]}}"#, #"{"presence":{"types":["m.room.*","presence"]}}"#,
        #"{"presence":{"senders":[]}}"#, #"{"presence":{"not_types":["*.pre*e*"]}}"#, #"{"presence":{"limit":-1}}"#,
    ]) func `lets none pass`(json: String) throws {
        #expect(try filter(json).blocksEverything)
        #expect(try !allows(json))
    }

    @Test func `knows senders to the byte, and an exclusion goes first`() throws {
        #expect(try !allows(#"{"presence":{"senders":["@a:*","@A:b"]}}"#))
        #expect(try !allows(#"{"presence":{"senders":["@a:b"],"not_senders":["@a:b"]}}"#))
        #expect(try !filter(#"{"presence":{"senders":["@a:b"],"not_senders":["@a:b"]}}"#).blocksEverything)
        #expect(try filter(#"{"presence":{"limit":7}}"#).limit == 7)
        #expect(try filter("{}").limit == nil)
    }

    @Test(arguments: ["", "[]", "12", "{", #""a""#]) func `is a JSON object`(json: String) {
        #expect(SyncFilter(decoding: Array(json.utf8)) == nil)
    }

    @Test func `takes no longer for many stars`() throws {
        let stars = String(repeating: "*e", count: 5000)
        #expect(try allows(#"{"presence":{"not_types":["\#(stars)"]}}"#))
    }
}
