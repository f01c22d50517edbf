import SocialWire
import Testing

struct `The recorded frames` {
    @Test(arguments: ["ts-ts", "py-ts", "py-rust", "rust-py"])
    func `are decoded and encoded byte for byte`(folder: String) throws {
        var undecodable: [String] = []
        for recording in try Recording.all(in: folder) {
            for (place, line) in recording.lines.enumerated() where line.text == nil {
                guard let message = try? RPCMessage(decoding: line.bytes) else {
                    undecodable.append("\(recording.name):\(place + 1)")
                    continue
                }
                #expect(message.encoded() == line.bytes, "\(recording.name):\(place + 1)")
            }
        }
        let bad = ["empty_frame", "identifier_as_varint", "random_bytes", "truncated_identifier", "unknown_type_12"]
        switch folder {
        // Sent on purpose.
        case "py-ts": #expect(undecodable == bad.map { "py-ts/bad_input_\($0).jsonl:6" })
        // The credential of one deployment, ahead of the protocol.
        case "ts-ts": #expect(undecodable == ["ts-ts/social_prod.jsonl:1"])
        default: #expect(undecodable.isEmpty)
        }
    }
}
