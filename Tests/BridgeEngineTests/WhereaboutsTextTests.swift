import BridgeEngine
import SocialEngine
import Testing

@Suite struct `A status text` {
    @Test(arguments: [
        (#"{"realm":{"layer":"","serverName":"main"},"position":{"x":10,"y":-20}}"#, place(10, -20)),
        (#"{"realm":{"layer":"amber","serverName":"fenrir"}}"#, Whereabouts(realm: "fenrir-amber", parcel: nil)),
        (
            #"{"realm":{"serverName":"https:\/\/peer.example\/x"}}"#,
            Whereabouts(realm: "https://peer.example/x", parcel: nil)
        ),
        (#" { "position" : { "y" : 0 , "x" : -1 } } "#, place(-1, 0, nil)),
        (#"{"realm":{"layer":"","serverName":"a\u002eb"}}"#, Whereabouts(realm: "a.b", parcel: nil)),
    ])
    func `of the old client says where somebody is`(text: String, whereabouts: Whereabouts) {
        #expect(WhereaboutsText.parse(text) == whereabouts)
    }

    @Test(arguments: [
        "", "hello", "10,-20", "{}", "[]", "null", #"{"realm":"main"}"#, #"{"realm":{}}"#,
        #"{"realm":{"serverName":""}}"#,
        #"{"realm":{"serverName":"in a meeting"}}"#, #"{"realm":{"serverName":"caf\u00e9"}}"#,
        #"{"realm":{"serverName":"é"}}"#,
        #"{"position":{"x":1}}"#, #"{"position":{"x":1.5,"y":2}}"#, #"{"position":{"x":"1","y":"2"}}"#,
        #"{"position":{"x":01,"y":2}}"#, #"{"position":{"x":+1,"y":2}}"#, #"{"position":{"x":1e2,"y":2}}"#,
        #"{"position":{"x":2147483648,"y":2}}"#, #"{"position":{"x":--1,"y":2}}"#, #"{"position":{"x":-0,"y":2}}"#,
        #"{"position":{"x":1,"y":2},"mood":"fine"}"#, #"{"position":{"x":1,"y":2,"z":3}}"#,
        #"{"position":{"x":1,"x":1,"y":2}}"#, #"{"position":{"x":1,"y":2}} see you"#, #"{"position":{"x":1,"y":2}"#,
        #"{"position":{"x":1,"y":2},}"#, #"{"realm":{"serverName":"a\"}}"#, #"{"realm":{"serverName":"\u00"}}"#,
        #"{"realm":{"serverName":"\x41"}}"#,
    ])
    func `of anybody else says nothing, not even in parts`(text: String) {
        #expect(WhereaboutsText.parse(text) == nil)
    }

    @Test func `is bounded`() {
        let long = String(repeating: " ", count: 1024)
        #expect(WhereaboutsText.parse(long + #"{"position":{"x":1,"y":2}}"#) == nil)
        let name = String(repeating: "a", count: 256)
        #expect(WhereaboutsText.parse(#"{"realm":{"serverName":"\#(name)"}}"#) == nil)
        #expect(WhereaboutsText.parse(#"{"realm":{"serverName":"\#(name.dropLast())"}}"#) != nil)
    }

    @Test(arguments: [
        place(10, -20), place(0, 0, nil), Whereabouts(realm: #"a"b\c/d"#, parcel: nil), place(.min, .max),
    ])
    func `that is written is read back`(whereabouts: Whereabouts) throws {
        let text = try #require(WhereaboutsText.oldClient(whereabouts))
        #expect(WhereaboutsText.parse(text) == whereabouts)
    }

    @Test func `for people is a line, and no text of the other side`() {
        #expect(WhereaboutsText.readable(place(10, -20)) == "10,-20 in main")
        #expect(WhereaboutsText.readable(place(1, 2, nil)) == "1,2")
        #expect(WhereaboutsText.readable(Whereabouts(realm: "dao", parcel: nil)) == "in dao")
        let shouting = Whereabouts(realm: "buy now\n", parcel: nil)
        #expect(WhereaboutsText.readable(shouting) == nil && WhereaboutsText.oldClient(shouting) == nil)
    }

    @Test func `cut or changed anywhere is read without a trap`() {
        let text = #"{"realm":{"layer":"a","serverName":"main"},"position":{"x":10,"y":-20}}"#
        let bytes = Array(text.utf8)
        for end in bytes.indices {
            #expect(WhereaboutsText.parse(String(decoding: bytes[..<end], as: UTF8.self)) == nil)
        }
        for index in bytes.indices {
            for byte: UInt8 in [0, 0x22, 0x2D, 0x30, 0x5C, 0x7B, 0x7D, 0xC3, 0xFF] {
                var changed = bytes
                changed[index] = byte
                _ = WhereaboutsText.parse(String(decoding: changed, as: UTF8.self))
            }
        }
    }
}
