import MatrixWire
import PresenceModel
import Testing

@testable import MatrixFederation

/// Spec: appendices, cryptographic test vectors.
struct `The test vectors of the specification` {
    private let server: ServerName
    private let key: SigningKey

    init() throws {
        server = try ServerName(parsing: "domain")
        let seed = try #require(Base64.decode("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1"))
        key = try SigningKey(id: try SigningKeyID(parsing: "ed25519:1"), seed: seed)
    }

    private func object(_ json: String) throws -> JSONObject {
        try #require(try JSONParser.strict.parse(Array(json.utf8)).value.object)
    }

    /// The algorithm of the appendix, with our parts: what stands there unsigned stays.
    private func sign(_ object: JSONObject) -> String {
        var signed = object
        let signature = Base64.encode(key.sign(CanonicalJSON.signingBytes(ofObject: object)))
        signed["signatures"] = ["domain": ["ed25519:1": .string(signature)]]
        return String(decoding: CanonicalJSON.encode(.object(signed)), as: UTF8.self)
    }

    private func isSigned(_ object: JSONObject) throws -> Bool {
        let text = object["signatures"]?["domain"]?["ed25519:1"]?.string
        let signature = try #require(text.flatMap { Base64.decode($0) })
        return SigningKey.isValid(signature, of: CanonicalJSON.signingBytes(ofObject: object), by: key.publicKey)
    }

    @Test(arguments: [
        (
            "{}",
            #"{"signatures":{"domain":{"ed25519:1":"K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7"#
                + #"Xg4ahLwYGYZzuHGZKM5ZAQ"}}}"#
        ),
        (
            "{\n    \"one\": 1,\n    \"two\": \"Two\"\n}",
            #"{"one":1,"signatures":{"domain":{"ed25519:1":"KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoq"#
                + #"E7BP7vBZhG6kYdD13EIMJpvhJI+6Bw"}},"two":"Two"}"#
        ),
    ])
    func `for JSON come out to the letter`(json: String, expected: String) throws {
        let document = try object(json)
        #expect(sign(document) == expected)
        var signed = try object(expected)
        #expect(try isSigned(signed))
        signed["unsigned"] = ["anything": 1]
        #expect(try isSigned(signed))
        signed["one"] = 2
        #expect(try !isSigned(signed))
    }

    /// Events are signed in their redacted form with the hash of the whole; hashes are room business, and given here.
    @Test(arguments: [
        (
            #"{"auth_events":[],"content":{},"depth":3,"hashes":{"sha256":"5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos"},"#
                + #""origin":"domain","origin_server_ts":1000000,"prev_events":[],"room_id":"!x:domain","#
                + #""sender":"@a:domain","type":"X","unsigned":{"age_ts":1000000}}"#,
            "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg"
        ),
        (
            #"{"content":{},"event_id":"$0:domain","hashes":{"sha256":"onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g"},"#
                + #""origin":"domain","origin_server_ts":1000000,"room_id":"!r:domain","sender":"@u:domain","#
                + #""type":"m.room.message","unsigned":{"age_ts":1000000}}"#,
            "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA"
        ),
    ])
    func `for events come out to the letter`(redacted: String, signature: String) throws {
        #expect(sign(try object(redacted)).contains(signature))
    }
}
