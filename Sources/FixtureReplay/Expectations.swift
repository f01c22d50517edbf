import Foundation
import MatrixWire

/// Differences that are meant to be: where the server under test deliberately does not do what the recorded one did.
///
/// A file of expectations is JSON: `{"expected": [{"reason": "…", "note"?: "…", "path"?: "…", "method"?: "…",
/// "file"?: "…", "status"?: 413, "errcode"?: "M_TOO_LARGE"}]}`. `note`, `method` and `file` must be equal; `path` is
/// the path without the query, or the beginning of it if it ends in `*`. At least one of the four must be given. With
/// `status` or `errcode` only that answer is meant, and any other stays a difference.
public struct Expectations: Sendable {
    /// One deliberate difference.
    public struct Entry: Hashable, Sendable {
        /// Why the difference is right.
        public var reason: String
        var note: String?
        var path: String?
        var method: String?
        var file: String?
        var status: Int?
        var errcode: String?
    }

    /// In file order.
    public private(set) var entries: [Entry] = []

    /// None: everything must be equal.
    public init() {}

    /// - Throws: ``FixtureError``, or a file or JSON error.
    public init(contentsOf path: String) throws {
        try self.init(document: [UInt8](try Data(contentsOf: URL(filePath: path))))
    }

    /// - Throws: ``FixtureError``, or a JSON error, if the document is not of that form.
    public init(document: [UInt8]) throws {
        guard let list = try JSONParser.strict.parse(document).value["expected"]?.array else {
            throw FixtureError("a file of expectations must be {\"expected\": [{\"reason\": …, \"note\": …}]}")
        }
        entries = try list.enumerated().map { index, value in try Entry(value, index: index) }
    }

    /// The first entry that is about this exchange and this answer to it.
    public func index(for exchange: RecordedExchange, answeredBy received: ReceivedAnswer?) -> Int? {
        entries.firstIndex { $0.isAbout(exchange) && $0.allows(received) }
    }
}

extension Expectations.Entry {
    private static let known = ["reason", "note", "path", "method", "file", "status", "errcode"]

    fileprivate init(_ value: JSONValue, index: Int) throws {
        guard let object = value.object, let reason = object["reason"]?.string, !reason.isEmpty else {
            throw FixtureError("expected[\(index)]: no reason is given")
        }
        for member in object.members where !Self.known.contains(member.key) {
            throw FixtureError("expected[\(index)]: \(member.key) is not known; known are \(Self.known)")
        }
        self.reason = reason
        note = object["note"]?.string
        path = object["path"]?.string
        method = object["method"]?.string
        file = object["file"]?.string
        status = object["status"]?.integer.flatMap { Int(exactly: $0) }
        errcode = object["errcode"]?.string
        guard note != nil || path != nil || method != nil || file != nil else {
            throw FixtureError("expected[\(index)]: note, path, method or file must say which exchanges are meant")
        }
    }

    /// In a few words, for reports.
    public var title: String {
        [file, method, path, note.map { "'\($0)'" }].compactMap(\.self).joined(separator: " ")
    }

    fileprivate func isAbout(_ exchange: RecordedExchange) -> Bool {
        if let note, note != exchange.note { return false }
        if let method, method != exchange.method { return false }
        if let file, file != exchange.place.file { return false }
        guard let path else { return true }
        return path.hasSuffix("*") ? exchange.path.hasPrefix(path.dropLast()) : exchange.path == path
    }

    fileprivate func allows(_ received: ReceivedAnswer?) -> Bool {
        if let status, status != received?.status { return false }
        if let errcode, errcode != received?.errorCode { return false }
        return true
    }
}
