import MatrixWire
import PresenceModel
import Testing

@Suite struct XMatrixHeaderTests {
    private func flaw(_ header: String) -> XMatrixHeaderError? {
        do throws(XMatrixHeaderError) {
            _ = try XMatrixHeader(parsing: header)
            return nil
        } catch {
            return error
        }
    }

    @Test func `recorded headers are judged as Synapse judged them`() throws {
        var (read, refused) = (0, 0)
        for exchange in try Recordings.exchanges(in: "edge_auth.jsonl") where exchange.authorization != nil {
            let header = try #require(exchange.authorization)
            let answer = exchange.answer["error"]?.string ?? ""
            if answer == "Missing Authorization headers" || answer == "Malformed Authorization header" {
                let body = try #require(flaw(header)?.answer, "\(exchange.note)")
                #expect(body.status == exchange.status && body.message == answer)
                #expect(try JSONParser.strict.parse(body.encode()).value == exchange.answer)
                refused += 1
            } else {
                let parsed = try XMatrixHeader(parsing: header)
                #expect(parsed.origin.text.hasPrefix("localhost:"), "\(exchange.note)")
                #expect(parsed.keyID.isEd25519 && parsed.keyID.algorithm == "ed25519", "\(exchange.note)")
                #expect((parsed.destination == nil) == exchange.note.contains("without destination"))
                #expect((parsed.signature?.count == 64) != exchange.note.contains("not base64"), "\(exchange.note)")
                read += 1
            }
        }
        #expect(read == 18 && refused == 3, "\(read) read, \(refused) refused")
    }

    @Test(arguments: [
        #"X-Matrix origin="a.b",destination="c:1",key="ed25519:k",sig="c2ln""#,
        #"X-Matrix origin=a.b,destination=c:1,key=ed25519:k,sig=c2ln"#,
        "X-Matrix  origin=\"a.b\" , destination=\"c:1\"\t,key=\"ed25519:k\", sig=\"c2ln\" ",
        #"X-Matrix ORIGIN="a.b",Destination="c:1",kEy="ed25519:k",SIG="c2ln""#,
        #"X-Matrix sig="c2ln",key="ed25519:k",x=y,destination="c:1",origin="a.b",x="z,\"q""#,
        #"X-Matrix origin = "a.b", destination = c:1 , key="ed25519:k",signature="c2ln""#,
        #"X-Matrix origin="a\.b",destination="\c:1",key="ed25519\:k",sig="c2\ln""#,
        #" X-Matrix ,origin="a.b",,destination="c:1",key="ed25519:k",sig="c2ln","#,
    ])
    func `every legal way to write a header is understood`(header: String) throws {
        let parsed = try XMatrixHeader(parsing: header)
        #expect(parsed.origin.text == "a.b" && parsed.destination?.text == "c:1")
        #expect(parsed.keyID.text == "ed25519:k" && parsed.keyID.version == "k")
        #expect(parsed.signature == Array("sig".utf8))
    }

    @Test(arguments: ["", "Bearer x", "x-matrix origin=a", "X-Matrixorigin=a", "X-MATRIX origin=a", "Basic X-Matrix"])
    func `another scheme is told apart`(header: String) {
        #expect(flaw(header) == .notXMatrix)
    }

    @Test(
        arguments: [
            ("X-Matrix", .missing("origin")), ("X-Matrix ", .missing("origin")), ("X-Matrix origin", .syntax),
            (#"X-Matrix origin="a"#, .syntax), (#"X-Matrix origin="a\"#, .syntax), (#"X-Matrix origin="a"b"#, .syntax),
            ("X-Matrix origin=a,key=ed25519:k", .missing("sig")), ("X-Matrix origin=a,sig=c2ln", .missing("key")),
            ("X-Matrix origin=,key=ed25519:k,sig=c2ln", .missing("origin")),
            ("X-Matrix origin=a_b,key=ed25519:k,sig=c2ln", .badValue("origin")),
            ("X-Matrix origin=a,destination=,key=ed25519:k,sig=c2ln", .badValue("destination")),
            ("X-Matrix origin=a,key=k,sig=c2ln", .badValue("key")), ("X-Matrix origin=a,Origin=b", .repeated("origin")),
            ("X-Matrix origin=" + String(repeating: "a", count: 4096), .tooLong),
        ] as [(String, XMatrixHeaderError.Flaw)])
    func `a malformed header is refused by its first flaw`(header: String, expected: XMatrixHeaderError.Flaw) {
        #expect(flaw(header) == .malformed(expected))
    }

    @Test func `our header is written to the letter`() throws {
        let header = XMatrixHeader(
            origin: try ServerName(parsing: "a"), destination: try ServerName(parsing: "b"),
            keyID: try SigningKeyID(parsing: "ed25519:k1"), signature: [1, 2, 3, 4])
        #expect(header.text == #"X-Matrix origin="a",destination="b",key="ed25519:k1",sig="AQIDBA""#)
        #expect(try XMatrixHeader(parsing: header.text) == header)
    }

    @Test func `key identifiers have two parts and no need for escapes`() throws {
        #expect(try SigningKeyID(parsing: "ed25519:a:b").version == "a:b")
        for text in ["", "ed25519", ":k", "ed25519:"] {
            #expect(throws: IdentifierError.empty) { try SigningKeyID(parsing: text) }
        }
        for text in ["ed25519:a b", "ed25519:\"", "ed25519:é", "ed25519:\\", "ed25519:a,b"] {
            #expect(throws: IdentifierError.forbiddenCharacter) { try SigningKeyID(parsing: text) }
        }
        #expect(throws: IdentifierError.tooLong(limitBytes: 255)) {
            try SigningKeyID(parsing: "ed25519:" + String(repeating: "k", count: 248))
        }
    }
}
