import NIOCore
import NIOHTTP1

/// Reads the head of an HTTP/1.1 message from the beginning of what came, as far as an upgrade to WebSocket needs it.
///
/// Strict: what it does not take is given to the usual server, or refused. RFC 9112, sections 2 to 5.
public enum HeadReader {
    /// What a head holds.
    public struct Head: Sendable {
        /// The first line, without its end.
        public var firstLine: String
        /// In their order.
        public var fields: HTTPHeaders
        /// Of the head, the empty line too.
        public var length: Int

        /// The first line, in the three parts that its blanks make.
        public var firstLineParts: [Substring] {
            firstLine.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        }
    }

    /// What the bytes so far are.
    public enum Outcome: Sendable {
        /// More has to come.
        case partial
        /// The head is there.
        case whole(Head)
        /// No head of ours.
        case malformed
    }

    /// Bytes of a head; a longer one is malformed.
    public static var lengthLimit: Int { 64 * 1024 }
    /// Fields of a head; more are malformed.
    public static var fieldsLimit: Int { 100 }

    /// Reads nothing away.
    public static func read(_ bytes: ByteBuffer) -> Outcome {
        let view = bytes.readableBytesView
        guard let length = end(of: view) else { return view.count > lengthLimit ? .malformed : .partial }
        guard length <= lengthLimit else { return .malformed }
        let text = String(decoding: view.prefix(length), as: UTF8.self)
        var lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)[...]
        guard let first = lines.popFirst(), !first.isEmpty else { return .malformed }
        var fields = HTTPHeaders()
        for line in lines.prefix(while: { !$0.isEmpty }) {
            guard fields.count < fieldsLimit, let colon = line.firstIndex(of: ":") else { return .malformed }
            let name = line[..<colon]
            guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return .malformed }
            var value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            while value.last == " " || value.last == "\t" { value.removeLast() }
            guard value.utf8.allSatisfy({ $0 >= 0x20 || $0 == 0x09 }) else { return .malformed }
            fields.add(name: String(name), value: String(value))
        }
        return .whole(Head(firstLine: String(first), fields: fields, length: length))
    }

    /// The target of the request line without its query, once as much of the line has come.
    static func path(_ bytes: ByteBuffer) -> Substring? {
        let line = bytes.readableBytesView.prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }
        let parts = line.split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        let target = String(decoding: parts[1], as: UTF8.self)
        return target.prefix { $0 != "?" }
    }

    private static func end(of bytes: ByteBufferView) -> Int? {
        var matched = 0
        for (place, byte) in bytes.prefix(lengthLimit + 4).enumerated() {
            switch (byte, matched) {
            case (13, 0), (10, 1), (13, 2): matched += 1
            case (10, 3): return place + 1
            case (13, _): matched = 1
            default: matched = 0
            }
        }
        return nil
    }
}
