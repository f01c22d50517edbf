import MatrixWire

/// Says in words how an answer differs from the recorded one, with what varies left out.
///
/// Where the status differs, the error code is compared too and the rest is not: it is another document.
public enum AnswerComparison {
    /// More differences of one body are only counted.
    public static let bodyDifferencesLimit = 20

    /// Every difference, status first, then in the order of the recorded body.
    public static func differences(
        between exchange: RecordedExchange, and received: ReceivedAnswer
    ) -> [Difference] {
        var found: [Difference] = []
        func note(_ aspect: Difference.Aspect, _ words: String) {
            found.append(Difference(place: exchange.place, aspect: aspect, words: words))
        }
        if exchange.status != received.status {
            note(.status, "status \(exchange.status) became \(received.status)")
        }
        let recordedCode = exchange.answer?["errcode"]?.string
        if recordedCode != received.errorCode {
            note(.errcode, "errcode \(recordedCode ?? "none") became \(received.errorCode ?? "none")")
        }
        guard found.isEmpty else { return found }
        for words in bodyDifferences(exchange, received) { note(.body, words) }
        return found
    }

    private static func bodyDifferences(_ exchange: RecordedExchange, _ received: ReceivedAnswer) -> [String] {
        guard let recorded = exchange.answer else {
            let text = exchange.answerText ?? ""
            if Array(text.utf8) == received.body { return [] }
            if text.isEmpty { return ["no body became \(excerpt(received.body))"] }
            return ["body \(excerpt(Array(text.utf8))) became \(excerpt(received.body))"]
        }
        guard let json = received.json else {
            return ["JSON became \(received.body.isEmpty ? "no body" : excerpt(received.body))"]
        }
        var words: [String] = []
        compare(VaryingParts.removed(from: recorded), VaryingParts.removed(from: json), at: "", into: &words)
        guard words.count > bodyDifferencesLimit else { return words }
        return words.prefix(bodyDifferencesLimit) + ["and \(words.count - bodyDifferencesLimit) more"]
    }

    private static func compare(_ left: JSONValue, _ right: JSONValue, at path: String, into words: inout [String]) {
        if left == right { return }
        switch (left, right) {
        case (.object(let left), .object(let right)):
            for member in left.members {
                let path = path.isEmpty ? member.key : "\(path).\(member.key)"
                if let other = right[member.key] {
                    compare(member.value, other, at: path, into: &words)
                } else {
                    words.append("\(path): \(excerpt(member.value)) is missing")
                }
            }
            for member in right.members where left[member.key] == nil {
                let path = path.isEmpty ? member.key : "\(path).\(member.key)"
                words.append("\(path): \(excerpt(member.value)) is new")
            }
        case (.array(let left), .array(let right)):
            for (index, pair) in zip(left, right).enumerated() {
                compare(pair.0, pair.1, at: "\(path)[\(index)]", into: &words)
            }
            if left.count != right.count {
                words.append("\(path.isEmpty ? "list" : path): \(left.count) elements became \(right.count)")
            }
        default:
            words.append("\(path.isEmpty ? "body" : path): \(excerpt(left)) became \(excerpt(right))")
        }
    }

    private static func excerpt(_ value: JSONValue) -> String { excerpt(CanonicalJSON.encode(value)) }

    private static func excerpt(_ bytes: [UInt8]) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        return text.count > 80 ? "\(text.prefix(79))…" : text
    }
}
