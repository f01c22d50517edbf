import Foundation
import MatrixWire
import PresenceModel

/// What must be put in place of recorded values so that the server under test understands a request: its tokens
/// instead of the recorded ones, its names instead of the recorded ones, and its positions in streams.
public struct Rewriting: Sendable {
    /// Texts to replace wherever they stand in path, headers, body and recorded answer; longer ones first.
    private var names: [(from: String, to: String)] = []
    private var tokens: [String: String] = [:]
    /// Recorded `next_batch` → that of the server under test.
    private var positions: [String: String] = [:]

    /// Leaves everything as it was recorded.
    public init() {}

    /// Replaces `from`, a server name or a user identifier, by `to`.
    public mutating func rename(_ from: String, to: String) {
        names.append((from, to))
        names.sort { ($0.from.utf8.count, $0.from) > ($1.from.utf8.count, $1.from) }
    }

    /// Tokens by a file: a JSON object from recorded token, or from user identifier, to the token to use.
    ///
    /// Recorded tokens name their user (`syt_<localpart in base64>_…`), which is how an entry for a user is found.
    /// - Throws: ``FixtureError``, or a file or JSON error.
    public mutating func takeTokens(contentsOf path: String) throws {
        try takeTokens(document: [UInt8](try Data(contentsOf: URL(filePath: path))))
    }

    /// - Throws: ``FixtureError``, or a JSON error.
    public mutating func takeTokens(document: [UInt8]) throws {
        guard let object = try JSONParser.strict.parse(document).value.object else {
            throw FixtureError("a file of tokens must be {recorded token or user identifier: token}")
        }
        for member in object.members {
            guard let token = member.value.string else { throw FixtureError("the token of \(member.key) is no text") }
            if let user = try? UserID(parsing: member.key) {
                tokens["@\(user.localpart)"] = token
            } else {
                tokens[member.key] = token
            }
        }
    }

    /// Notes which position the server under test gave where the recorded one gave its own.
    mutating func learn(from exchange: RecordedExchange, _ received: ReceivedAnswer) {
        guard let old = exchange.answer?["next_batch"]?.string, let new = received.json?["next_batch"]?.string else {
            return
        }
        positions[old] = new
    }

    /// The exchange as it must be for the server under test.
    public func applied(to exchange: RecordedExchange) -> RecordedExchange {
        var exchange = exchange
        exchange.target = target(exchange.target)
        exchange.headers = exchange.headers.map { field in
            var value = renamed(field.value)
            if field.name.lowercased() == "authorization", let token = value.split(separator: " ").last,
                let replacement = replacement(for: String(token))
            {
                value = value.dropLast(token.count) + replacement
            }
            return RecordedExchange.Field(name: field.name, value: value)
        }
        guard !names.isEmpty else { return exchange }
        if case .bytes(let bytes) = exchange.body, let text = String(validating: bytes, as: UTF8.self) {
            exchange.body = .bytes(Array(renamed(text).utf8))
        }
        if let answer = exchange.answer {
            let text = renamed(String(decoding: CanonicalJSON.encode(answer), as: UTF8.self))
            exchange.answer = (try? JSONParser.lenient.parse(Array(text.utf8)).value) ?? answer
        }
        exchange.answerText = exchange.answerText.map(renamed)
        return exchange
    }

    private func target(_ target: String) -> String {
        var target = target
        for (from, to) in names {
            target.replace(PercentEncoding.encode(from), with: PercentEncoding.encode(to))
            target.replace(from, with: PercentEncoding.encode(to))
        }
        guard let mark = target.firstIndex(of: "?") else { return target }
        let pairs = target[target.index(after: mark)...].split(separator: "&", omittingEmptySubsequences: false)
        let query = pairs.map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2 else { return String(pair) }
            let new = parts[0] == "since" ? positions[parts[1]] : replacement(for: parts[1])
            return new.map { "\(parts[0])=\(PercentEncoding.encode($0))" } ?? String(pair)
        }
        return "\(target[...mark])\(query.joined(separator: "&"))"
    }

    private func replacement(for token: String) -> String? {
        if let exact = tokens[token] { return exact }
        let parts = token.split(separator: "_")
        guard parts.count > 2, parts[0] == "syt", let name = Base64.decode(parts[1]) else { return nil }
        return tokens["@\(String(decoding: name, as: UTF8.self))"]
    }

    private func renamed(_ text: String) -> String {
        names.reduce(text) { text, name in text.replacing(name.from, with: name.to) }
    }
}
