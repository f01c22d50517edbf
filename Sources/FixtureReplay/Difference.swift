import MatrixWire

/// One thing in which an answer is not what the recorded server answered.
public struct Difference: Hashable, Sendable, CustomStringConvertible {
    /// What is different.
    public enum Aspect: String, Hashable, Sendable {
        /// There was no whole answer.
        case transport
        /// The HTTP status.
        case status
        /// The Matrix error code.
        case errcode
        /// Anything else in the body.
        case body
    }

    /// The record that was replayed.
    public var place: RecordedExchange.Place
    /// What is different.
    public var aspect: Aspect
    /// What was recorded, and what came instead.
    public var words: String

    /// One thing that is different.
    public init(place: RecordedExchange.Place, aspect: Aspect, words: String) {
        self.place = place
        self.aspect = aspect
        self.words = words
    }

    /// `file:line: words`
    public var description: String { "\(place): \(words)" }
}

/// What the server under test answered.
public struct ReceivedAnswer: Hashable, Sendable {
    /// The HTTP status.
    public var status: Int
    /// Byte for byte.
    public var body: [UInt8]

    /// What the server under test answered.
    public init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }

    /// The body, if it is JSON.
    public var json: JSONValue? { body.isEmpty ? nil : try? JSONParser.lenient.parse(body).value }

    /// The Matrix error code, if it is a refusal in the standard form.
    public var errorCode: String? { json?["errcode"]?.string }
}
