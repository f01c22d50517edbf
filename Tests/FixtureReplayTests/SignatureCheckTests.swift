import FixtureReplay
import MatrixWire
import PresenceModel
import Testing

/// Spec: server-server API, request authentication.
struct SignatureCheckTests {
    @Test(arguments: Recordings.files)
    func `recorded signatures verify, and those that are deliberately wrong do not`(file: String) throws {
        let check = try Recordings.signatureCheck()
        for exchange in try Recordings.read(file).exchanges {
            let verdict = check.verdict(on: exchange)
            let isSigned = exchange.values(of: "Authorization").contains { $0.hasPrefix("X-Matrix ") }
            switch verdict {
            case .verified: #expect(isSigned && !exchange.isMeantToBeRefused, "\(exchange.place)")
            case .unsigned: #expect(!isSigned, "\(exchange.place)")
            case .refused(let reason): #expect(exchange.isMeantToBeRefused, "\(exchange.place): \(reason)")
            case .undecidable: #expect(exchange.lacksItsKey || exchange.hasLostItsBody, "\(exchange.place)")
            }
        }
    }

    @Test func `there is enough to verify`() throws {
        let check = try Recordings.signatureCheck()
        let exchanges = try Recordings.files.flatMap { try Recordings.read($0).exchanges }
        let verified = exchanges.count { if case .verified = check.verdict(on: $0) { true } else { false } }
        #expect(verified > 100)
    }

    @Test(arguments: Recordings.files)
    func `one flipped bit in signature, path, body or method is refused`(file: String) throws {
        let check = try Recordings.signatureCheck()
        var chance = SeededGenerator(seed: 4)
        for exchange in try Recordings.read(file).exchanges {
            guard case .verified = check.verdict(on: exchange) else { continue }
            var changed = [exchange.flippingSignatureBit(Int.random(in: 0..<512, using: &chance))]
            changed.append(exchange.flippingTarget(at: Int.random(in: 1..<exchange.target.utf8.count, using: &chance)))
            if case .bytes(let body) = exchange.body {
                changed.append(exchange.flippingBody(at: Int.random(in: 0..<body.count, using: &chance)))
            }
            var otherMethod = exchange
            otherMethod.method = "QUT"
            changed.append(otherMethod)
            for (number, change) in changed.enumerated() {
                guard case .refused = check.verdict(on: change) else {
                    Issue.record("\(exchange.place): change \(number) was not noticed")
                    continue
                }
            }
        }
    }

    @Test func `every single bit of a signature counts`() throws {
        let check = try Recordings.signatureCheck()
        let exchange = try #require(
            try Recordings.read("federation_presence_transitions.jsonl").exchanges.first { exchange in
                if case .verified = check.verdict(on: exchange) { true } else { false }
            })
        for bit in 0..<512 {
            guard case .refused = check.verdict(on: exchange.flippingSignatureBit(bit)) else {
                Issue.record("bit \(bit) was not noticed")
                continue
            }
        }
    }

    @Test func `a request to another server than the signed one is refused`() throws {
        let check = try Recordings.signatureCheck()
        for var exchange in try Recordings.read("federation_presence_transitions.jsonl").exchanges {
            exchange.destination = "localhost:1"
            guard case .refused = check.verdict(on: exchange) else {
                Issue.record("\(exchange.place)")
                continue
            }
        }
    }

    @Test func `without keys nothing verifies`() throws {
        let check = SignatureCheck(keys: RecordedKeys())
        for exchange in try Recordings.read("edge_auth.jsonl").exchanges {
            if case .verified = check.verdict(on: exchange) { Issue.record("\(exchange.place)") }
        }
    }

    @Test func `a key document that is not signed by its key is not believed`() throws {
        var keys = RecordedKeys()
        var exchanges = try Recordings.read("federation_keys.jsonl").exchanges
        for index in exchanges.indices {
            var document = exchanges[index].answer?.object ?? JSONObject()
            document["valid_until_ts"] = 1
            exchanges[index].answer = .object(document)
        }
        keys.takeDocuments(of: exchanges)
        let server = try ServerName(parsing: "localhost:18448")
        #expect(keys.candidates(for: try SigningKeyID(parsing: "ed25519:labA"), of: server).isEmpty)
        keys.takeDocuments(of: try Recordings.read("federation_keys.jsonl").exchanges)
        #expect(keys.candidates(for: try SigningKeyID(parsing: "ed25519:labA"), of: server).count == 1)
    }
}

extension RecordedExchange {
    fileprivate var hasLostItsBody: Bool { if case .leftOut = body { true } else { false } }

    fileprivate func flippingSignatureBit(_ bit: Int) -> RecordedExchange {
        var copy = self
        copy.headers = headers.map { field in
            guard field.name == "Authorization", var header = try? XMatrixHeader(parsing: field.value),
                var signature = header.signature
            else { return field }
            signature[bit / 8] ^= 1 << (bit % 8)
            header.signatureText = Base64.encode(signature)
            return Field(name: field.name, value: header.text)
        }
        return copy
    }

    fileprivate func flippingTarget(at index: Int) -> RecordedExchange {
        var copy = self
        var bytes = Array(target.utf8)
        bytes[index] ^= 1
        copy.target = String(decoding: bytes, as: UTF8.self)
        return copy
    }

    fileprivate func flippingBody(at index: Int) -> RecordedExchange {
        guard case .bytes(var bytes) = body else { return self }
        var copy = self
        bytes[index] ^= 1
        copy.body = .bytes(bytes)
        return copy
    }
}
