import MatrixWire
import PresenceModel
import Testing

@Suite struct PermissionEDUTests {
    private let observed: UserID
    private let observer: UserID

    init() throws {
        observed = try UserID(parsing: "@bob:y")
        observer = try UserID(parsing: "@a:x")
    }

    private func decode(_ type: String, _ content: String) throws -> Transaction {
        try Transaction(decoding: Array(#"{"edus":[{"edu_type":"\#(type)","content":\#(content)}]}"#.utf8))
    }

    private func encode(_ permissions: [PermissionMessage], _ edus: [PresenceEDU] = []) throws -> [UInt8] {
        Transaction.encode(
            edus, permissions: permissions, origin: try ServerName(parsing: "x"),
            sent: Instant(millisecondsSinceEpoch: 9))
    }

    @Test func `our bytes are these, permissions first and in order`() throws {
        let bytes = try encode(
            [
                PermissionMessage(.invite, observed: observed, observer: observer, request: 7, note: "hi \"you\""),
                PermissionMessage(.deny, observed: observer, observer: observed),
                PermissionMessage(.accept, observed: observer, observer: observed, request: 3, note: "not told"),
            ], [PresenceEDU(poll: [observed])])
        #expect(
            text(bytes) == #"{"edus":[{"content":{"observed_user":"@bob:y","observer_user":"@a:x","#
                + #""org.presenced.note":"hi \"you\"","org.presenced.request":7},"#
                + #""edu_type":"org.presenced.presence_invite"},"#
                + #"{"content":{"observed_user":"@a:x","observer_user":"@bob:y"},"#
                + #""edu_type":"org.presenced.presence_deny"},"#
                + #"{"content":{"observed_user":"@a:x","observer_user":"@bob:y","org.presenced.request":3},"#
                + #""edu_type":"org.presenced.presence_accept"},"#
                + #"{"content":{"poll":["@bob:y"],"push":[]},"edu_type":"m.presence"}],"origin":"x","#
                + #""origin_server_ts":9,"pdus":[]}"#)
    }

    @Test func `everything that we say is canonical and understood`() throws {
        let odd = try UserID(parsing: "@\"b\\:y")
        let said = PermissionMessage.Kind.allCases.flatMap { kind in
            [
                PermissionMessage(kind, observed: observed, observer: observer, request: 1_700_000_000_000),
                PermissionMessage(kind, observed: odd, observer: observer, note: kind == .invite ? "é\n😀" : nil),
            ]
        }
        let bytes = try encode(said)
        #expect(try JSONParser.strict.parse(bytes).isCanonical)
        let transaction = try Transaction(decoding: bytes)
        #expect(transaction.edus == said.map { .permission($0) })
        #expect(transaction.malformedCount == 0 && transaction.carriesExtension)
    }

    @Test(arguments: PermissionMessage.Kind.allCases)
    func `the historical forms are understood likewise, and are no extension`(kind: PermissionMessage.Kind) throws {
        let content = #"{"observed_user":"@bob:y","observer_user":"@a:x"}"#
        let wanted = EDU.permission(PermissionMessage(kind, observed: observed, observer: observer))
        let old = try decode("m.presence_\(kind.rawValue)", content)
        #expect(old.edus == [wanted] && old.malformedCount == 0 && !old.carriesExtension)
        let new = try decode("org.presenced.presence_\(kind.rawValue)", content)
        #expect(new.edus == [wanted] && new.malformedCount == 0 && new.carriesExtension)
        for type in ["presence_\(kind.rawValue)", "m.presence_\(kind.rawValue)s", "org.presenced.\(kind.rawValue)"] {
            #expect(try decode(type, content).edus == [.unknown(type: type)])
        }
    }

    @Test func `a permission without what it needs is left out, and does not sink the others`() throws {
        let good = #"{"observed_user":"@bob:y","observer_user":"@a:x"}"#
        for bad in [
            "{}", "[]", "null", #"{"observed_user":"@bob:y"}"#, #"{"observer_user":"@a:x"}"#,
            #"{"observed_user":"bob","observer_user":"@a:x"}"#, #"{"observed_user":"@bob:y","observer_user":7}"#,
            #"{"observed_user":null,"observer_user":"@a:x"}"#,
            #"{"observed_user":"@bob:y","observer_user":"@a:x","org.presenced.request":"7"}"#,
            #"{"observed_user":"@bob:y","observer_user":"@a:x","org.presenced.request":1.5}"#,
        ] {
            let edus = [good, bad, good].map { #"{"edu_type":"org.presenced.presence_accept","content":\#($0)}"# }
            let body = #"{"edus":[\#(edus.joined(separator: ","))]}"#
            let transaction = try Transaction(decoding: Array(body.utf8))
            #expect(transaction.edus.count == 2 && transaction.malformedCount == 1, "\(bad)")
        }
    }

    @Test func `a note is cut at a character, left out where it is none, and goes with an invite only`() throws {
        func decode(_ type: String, note: String) throws -> (note: String?, malformed: Int) {
            let transaction = try self.decode(
                "org.presenced.presence_\(type)",
                #"{"observed_user":"@bob:y","observer_user":"@a:x","org.presenced.note":\#(note)}"#)
            guard case .permission(let message) = transaction.edus.first else { return (nil, -1) }
            return (message.note, transaction.malformedCount)
        }
        let fits = String(repeating: "é", count: 256)
        #expect(try decode("invite", note: #""\#(fits)""#) == (fits, 0))
        #expect(try decode("invite", note: #""x\#(fits)""#) == ("x" + fits.dropLast(), 0))
        let family = "👩‍👩‍👧"
        let long = String(repeating: "x", count: 500) + family
        #expect(try decode("invite", note: #""\#(long)""#) == (String(repeating: "x", count: 500), 0))
        #expect(try decode("invite", note: #""""#) == (nil, 0))
        #expect(try decode("invite", note: "null") == (nil, 0))
        #expect(try decode("invite", note: "7") == (nil, 1))
        #expect(try decode("accept", note: #""hi""#) == (nil, 0))
    }
}
