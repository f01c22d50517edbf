import PresenceModel
import Testing

@testable import ClientGateway

@Suite struct AccessTokenTests {
    @Test func `a token is a prefix and forty-three characters that differ each time`() {
        var generator = SystemRandomNumberGenerator()
        let tokens = (0..<100).map { _ in AccessToken(from: &generator) }
        #expect(Set(tokens).count == 100)
        for token in tokens {
            #expect(token.text.hasPrefix("prs_"))
            let secret = token.text.dropFirst(4)
            #expect(secret.count == 43)
            #expect(secret.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
        }
    }

    @Test func `a token that is printed does not tell its secret`() {
        var generator = SeededGenerator(seed: 1)
        let token = AccessToken(from: &generator)
        #expect("\(token)" == "prs_…")
        #expect(String(reflecting: token) == "prs_…")
    }

    @Test func `the digest is the SHA-256 of the whole text`() {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(TokenDigest(of: "abc").hex == hex)
        #expect(TokenDigest(hex: hex) == TokenDigest(of: "abc"))
        #expect(TokenDigest(hex: hex.uppercased()) == TokenDigest(of: "abc"))
    }

    @Test(arguments: ["", "ba78", String(repeating: "g", count: 64), String(repeating: "a", count: 65)])
    func `what is not a digest is refused`(hex: String) {
        #expect(TokenDigest(hex: hex) == nil)
    }
}
