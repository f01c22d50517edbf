import MatrixWire
import PresenceModel
import Testing

@Suite struct MutationTests {
    private static let pieces: [[UInt8]] = [
        "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u", "\\ud83d", "\\ude00", "\\u0000", "\\n", "null", "true",
        "1.5", "-0", "1e9", "9007199254740993", "\u{0}", "é", "😀", " ", "\n", "\"push\":", "\"user_id\":",
        "\"org.presenced.state\":\"busy\"", "@a:b", "-",
    ].map { Array($0.utf8) }

    private func mutate(_ body: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var body = body
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let place = Int.random(in: 0...body.count, using: &random)
            let end = min(body.count, place + Int.random(in: 0...12, using: &random))
            switch Int.random(in: 0..<5, using: &random) {
            case 0: body.insert(contentsOf: MutationTests.pieces.randomElement(using: &random) ?? [], at: place)
            case 1: body.removeSubrange(place..<end)
            case 2: body.insert(contentsOf: body[place..<end], at: Int.random(in: 0...body.count, using: &random))
            case 3: body.replaceSubrange(place..<end, with: [UInt8.random(in: 0...255, using: &random)])
            default: body = Array(body[..<place])
            }
        }
        return body
    }

    /// Bodies of every kind that was recorded.
    private static let bodies: [[UInt8]] = {
        let files = [
            "edge_presence_in", "edge_presence_malformed", "edge_transactions", "federation_mixed",
            "federation_presence_transitions", "cs_presence_put",
        ]
        return files.flatMap { file in
            ((try? Recordings.exchanges(in: "\(file).jsonl")) ?? []).compactMap(\.body).filter { $0.count < 4096 }
        }
    }()

    /// With the test of headers, 100,000 inputs.
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `whatever parses has a canonical form that parses to the same`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let bodies = MutationTests.bodies
        #expect(bodies.count > 100)
        var (good, canonical) = (0, 0)
        for _ in 0..<10_000 {
            let body = mutate(bodies.randomElement(using: &random) ?? [], &random)
            _ = try? PutPresenceBody.decode(body, allowsBusy: true)
            _ = try? Transaction(decoding: body)
            _ = EDUTypesBody(decoding: body)
            guard let parsed = try? JSONParser.lenient.parse(body) else { continue }
            good += 1
            let form = CanonicalJSON.encode(parsed.value)
            let again = try JSONParser.lenient.parse(form)
            // Issues are recorded only where there is one: a hundred thousand expectations take longer than the rest.
            if again.value != parsed.value || CanonicalJSON.encode(again.value) != form {
                Issue.record("\(text(body)) and \(text(form)) differ")
            }
            if parsed.isCanonical {
                canonical += 1
                if form != body { Issue.record("\(text(body)) is not canonical") }
            } else if form == body, (try? JSONParser.strict.parse(body)) != nil {
                Issue.record("\(text(body)) is canonical")
            }
        }
        #expect(good > 500 && canonical > 100, "\(good) parsed, \(canonical) canonical")
    }

    @Test(arguments: 7...10 as ClosedRange<UInt64>) func `no header makes the parser stumble`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let headers = try ["edge_auth.jsonl", "federation_mixed.jsonl"]
            .flatMap { try Recordings.exchanges(in: $0).compactMap(\.authorization) }
            .filter { $0.hasPrefix("X-Matrix") }
        #expect(headers.count > 30)
        var good = 0
        for _ in 0..<10_000 {
            let bytes = mutate(Array((headers.randomElement(using: &random) ?? "").utf8), &random)
            guard let header = try? XMatrixHeader(parsing: text(bytes)) else { continue }
            good += 1
            guard !header.signatureText.contains(where: { "\"\\".contains($0) }) else { continue }
            if try XMatrixHeader(parsing: header.text) != header { Issue.record("\(text(bytes)) and \(header.text)") }
        }
        #expect(good > 500, "\(good) parsed")
    }
}
