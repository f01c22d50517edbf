import MatrixWire

/// One HTTP exchange as a recorder wrote it down: what was asked, and what the recorded server answered.
///
/// Form of a record: `Fixtures/Matrix`, README.
public struct RecordedExchange: Sendable {
    /// One header field, name and value as on the wire.
    public struct Field: Hashable, Sendable {
        /// In the case in which it was sent.
        public var name: String
        /// Without the blanks around it.
        public var value: String

        /// One header field.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The body of a request.
    public enum Body: Hashable, Sendable {
        /// None was sent.
        case none
        /// Byte for byte as it was sent.
        case bytes([UInt8])
        /// The recorder did not keep it; the text says why.
        case leftOut(String)
    }

    /// The file, without its folder, and the line in it, counted from 1.
    public var place: Place
    /// When the request was seen: milliseconds since the Unix epoch.
    public var beganMilliseconds: Int64
    /// In upper case.
    public var method: String
    /// Path and query, byte for byte as on the request line.
    public var target: String
    /// In wire order.
    public var headers: [Field]
    /// What was sent behind the headers.
    public var body: Body
    /// The HTTP status; 0: the destination closed the connection without an answer.
    public var status: Int
    /// The answer, `nil` if it was empty or not JSON.
    public var answer: JSONValue?
    /// The answer that was not JSON, `nil` if it was.
    public var answerText: String?
    /// The server that was asked, where servers talk.
    public var destination: String?
    /// What the exchange is for; empty if the recorder said nothing.
    public var note: String
    /// Not an exchange but a remark about one, in ``note``.
    public var isRemark: Bool

    /// Where a record stands.
    public struct Place: Hashable, Sendable, CustomStringConvertible {
        /// Without its folder.
        public var file: String
        /// Counted from 1.
        public var line: Int

        /// Where a record stands.
        public init(file: String, line: Int) {
            self.file = file
            self.line = line
        }

        /// `file:line`
        public var description: String { "\(file):\(line)" }
    }

    /// The recorder's note says that the request is not well signed, on purpose.
    public var isMeantToBeRefused: Bool { note.contains("(deliberately wrong)") }

    /// The recorder's note says that nobody kept the key that signed it.
    public var lacksItsKey: Bool { note.contains("key not in keys.json") }

    /// The path without the query.
    public var path: Substring { target.prefix { $0 != "?" } }

    /// The values of every header field of that name, whatever its case.
    public func values(of name: String) -> [String] {
        headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }
}
