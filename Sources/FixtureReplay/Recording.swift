import Foundation
import MatrixWire

/// The exchanges of one file of JSON lines, in the order in which they ended.
public struct Recording: Sendable {
    /// A line that holds no record, and why.
    public struct Flaw: Hashable, Sendable, CustomStringConvertible {
        /// Which line.
        public var place: RecordedExchange.Place
        /// What is wrong with it.
        public var message: String

        /// `file:line: message`
        public var description: String { "\(place): \(message)" }
    }

    /// The good lines.
    public private(set) var exchanges: [RecordedExchange] = []
    /// The others; blank lines are neither.
    public private(set) var flaws: [Flaw] = []

    /// - Throws: if the file cannot be read.
    public init(contentsOf path: String) throws {
        let url = URL(filePath: path)
        self.init(lines: [UInt8](try Data(contentsOf: url)), file: url.lastPathComponent)
    }

    /// - Parameter file: the name that places carry.
    public init(lines: [UInt8], file: String) {
        let parts = lines.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in parts.enumerated() where !line.allSatisfy({ $0 == 0x20 || $0 == 0x0D }) {
            let place = RecordedExchange.Place(file: file, line: index + 1)
            do throws(RecordError) {
                exchanges.append(try RecordedExchange(line: Array(line), at: place))
            } catch {
                flaws.append(Flaw(place: place, message: error.message))
            }
        }
    }
}

/// Why a line is no record.
struct RecordError: Error {
    var message: String
}

extension RecordedExchange {
    init(line: [UInt8], at place: Place) throws(RecordError) {
        let record = try RecordedExchange.parse(line)
        guard let method = record["method"]?.string, let target = record["path"]?.string,
            let status = record["status"]?.integer.flatMap({ Int(exactly: $0) })
        else { throw RecordError(message: "method, path or status is not there") }
        guard target.hasPrefix("/") else { throw RecordError(message: "the path does not begin with a slash") }
        self.place = place
        self.method = method
        self.target = target
        self.status = status
        beganMilliseconds = record["t_ms"]?.integer ?? 0
        headers = (record["request_headers"]?.array ?? []).compactMap { element in
            guard let pair = element.array, pair.count == 2, let name = pair[0].string, let value = pair[1].string
            else { return nil }
            return Field(name: name, value: value)
        }
        body = .none
        // A bare `nil` here would be the JSON value null.
        answer = record["response_body"].flatMap { $0.isNull ? JSONValue?.none : $0 }
        answerText = record["response_body_raw"]?.string
        destination = record["to"]?.string
        note = record["note"]?.string ?? ""
        isRemark = record["summary"]?.bool ?? false
        body = recordedBody(in: record)
    }

    private func recordedBody(in record: JSONValue) -> Body {
        if let size = record["request_body_bytes"]?.integer {
            return .leftOut("the recorder left its body of \(size) bytes out")
        }
        guard let raw = record["request_body_raw"]?.string else { return .none }
        let bytes = Array(raw.utf8)
        let announced = values(of: "Content-Length").first.flatMap { Int($0) } ?? bytes.count
        if announced == bytes.count { return .bytes(bytes) }
        let unescaped = RecordedExchange.undoingByteEscapes(bytes)
        if announced == unescaped.count { return .bytes(unescaped) }
        return .leftOut("the recorder did not keep its body byte for byte")
    }

    /// Bytes that are not UTF-8 were written as `\xff` by the recorder.
    private static func undoingByteEscapes(_ text: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        var index = 0
        while index < text.count {
            let isEscape = text[index...].starts(with: #"\x"#.utf8) && index + 4 <= text.count
            let digits = isEscape ? String(decoding: text[index + 2..<index + 4], as: UTF8.self) : ""
            if let byte = UInt8(digits, radix: 16) {
                bytes.append(byte)
                index += 4
            } else {
                bytes.append(text[index])
                index += 1
            }
        }
        return bytes
    }

    /// The recorder's JSON has numbers that JSON does not have; they stand only in `request_body`, which is not read.
    private static func parse(_ line: [UInt8]) throws(RecordError) -> JSONValue {
        do throws(JSONError) {
            return try JSONParser.lenient.parse(line).value
        } catch {
            if let value = try? JSONParser.lenient.parse(BareConstants.replaced(in: line)).value { return value }
            throw RecordError(message: "not JSON: \(error.reason) at byte \(error.offset)")
        }
    }
}

/// `NaN`, `Infinity` and `-Infinity`, which Python writes and JSON does not know.
private enum BareConstants {
    /// With `null` in their place, where they stand outside of strings.
    static func replaced(in json: [UInt8]) -> [UInt8] {
        let words = ["-Infinity", "Infinity", "NaN"].map { Array($0.utf8) }
        var replaced: [UInt8] = []
        replaced.reserveCapacity(json.count)
        var isInString = false
        var index = 0
        while index < json.count {
            let byte = json[index]
            if isInString, byte == UInt8(ascii: "\\"), index + 1 < json.count {
                replaced += json[index...index + 1]
                index += 2
            } else if !isInString, let word = words.first(where: { json[index...].starts(with: $0) }) {
                replaced += Array("null".utf8)
                index += word.count
            } else {
                if byte == UInt8(ascii: "\"") { isInString.toggle() }
                replaced.append(byte)
                index += 1
            }
        }
        return replaced
    }
}
