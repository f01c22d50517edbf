import MatrixWire
import Testing

@Suite struct Base64Tests {
    /// Spec: appendices, unpadded base64, examples (RFC 4648, section 10, without padding).
    @Test(arguments: [
        ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
        ("foobar", "Zm9vYmFy"),
    ])
    func `the examples of the specification come out`(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(plain.utf8))
    }

    @Test func `padding and the other alphabet are taken`() {
        #expect(Base64.decode("Zg==") == Array("f".utf8))
        #expect(Base64.decode("Zm8=") == Array("fo".utf8))
        #expect(Base64.decode("-_-_") == Base64.decode("+/+/"))
        #expect(Base64.decode("+/+/") == [0xFB, 0xFF, 0xBF])
    }

    @Test(arguments: ["Z", "Zm9vY", "Zg=", "Zg===", "Zm9v=", "Z=g", "Zm 9v", "!!vV", "Zmé", "=", "===="])
    func `what is not base64 is refused`(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test func `every length and every byte makes the round trip`() {
        let all = (0...255).map(UInt8.init)
        for length in 0...all.count {
            let bytes = Array(all.suffix(length))
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
    }
}

@Suite struct PercentEncodingTests {
    @Test(arguments: [
        ("%40alice%3Alocalhost%3A18448", "@alice:localhost:18448"), ("@alice:localhost", "@alice:localhost"),
        ("%c3%A9", "é"), ("a+b", "a+b"), ("%2F%25", "/%"), ("", ""), ("%00", "\u{0}"),
    ])
    func `escapes are undone`(segment: String, text: String) {
        #expect(PercentEncoding.decode(segment) == text)
    }

    @Test(arguments: ["%", "%4", "a%", "%4G", "%G4", "%ff", "%c3", "%c3%28", "%ed%a0%80", "%%34"])
    func `bad escapes and bad UTF-8 are refused`(segment: String) {
        #expect(PercentEncoding.decode(segment) == nil)
    }

    @Test func `all but the unreserved is escaped`() {
        #expect(PercentEncoding.encode("@a-Z_0.~:x/é") == "%40a-Z_0.~%3Ax%2F%C3%A9")
        #expect(PercentEncoding.decode(PercentEncoding.encode("!\u{0} %+😀")) == "!\u{0} %+😀")
    }
}
