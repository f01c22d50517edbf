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

    @Test(arguments: [1, 2] as [UInt64])
    func `whatever parses has a canonical form that parses to the same`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let bodies = try ["edge_presence_in.jsonl", "edge_presence_malformed.jsonl", "cs_presence_put.jsonl"]
            .flatMap { try Recordings.exchanges(in: $0).compactMap(\.body) }
        var (good, canonical) = (0, 0)
        for _ in 0..<10_000 {
            let body = mutate(bodies.randomElement(using: &random) ?? [], &random)
            _ = try? PutPresenceBody.decode(body, allowsBusy: true)
            _ = try? Transaction(decoding: body)
            guard let parsed = try? JSONParser.lenient.parse(body) else { continue }
            good += 1
            let form = CanonicalJSON.encode(parsed.value)
            let again = try JSONParser.lenient.parse(form)
            #expect(again.value == parsed.value)
            #expect(CanonicalJSON.encode(again.value) == form)
            if parsed.isCanonical {
                canonical += 1
                #expect(form == body)
            } else if let strict = try? JSONParser.strict.parse(body) {
                #expect(form != body, "\(strict)")
            }
        }
        #expect(good > 500 && canonical > 100, "\(good) parsed, \(canonical) canonical")
    }

    @Test(arguments: [3] as [UInt64]) func `no header makes the parser stumble`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let headers = try Recordings.exchanges(in: "edge_auth.jsonl").compactMap(\.authorization)
        var good = 0
        for _ in 0..<10_000 {
            let bytes = mutate(Array((headers.randomElement(using: &random) ?? "").utf8), &random)
            guard let header = try? XMatrixHeader(parsing: text(bytes)) else { continue }
            good += 1
            guard !header.signatureText.contains(where: { "\"\\".contains($0) }) else { continue }
            #expect(try XMatrixHeader(parsing: header.text) == header)
        }
        #expect(good > 500)
    }
}
