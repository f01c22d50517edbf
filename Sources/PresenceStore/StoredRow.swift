import Foundation
import GRDB
import PresenceModel
import PresenceRuntime

/// A value that a foreign hand left in a column.
struct UnparsableColumn: Error {
    var number: Int
}

/// One row as it comes from the database, whatever someone put there; valid until the next one is fetched.
struct StoredRow {
    private let row: Row

    init(_ row: Row) { self.row = row }

    func user(_ column: Int) throws(UnparsableColumn) -> UserID {
        try parsed(column) { (text) throws(IdentifierError) in try UserID(parsing: text) }
    }

    func server(_ column: Int) throws(UnparsableColumn) -> ServerName {
        try parsed(column) { (text) throws(IdentifierError) in try ServerName(parsing: text) }
    }

    func room(_ column: Int) throws(UnparsableColumn) -> RoomID {
        try parsed(column) { (text) throws(IdentifierError) in try RoomID(parsing: text) }
    }

    func device(_ column: Int) throws(UnparsableColumn) -> DeviceID {
        try parsed(column) { (text) throws(IdentifierError) in try DeviceID(parsing: text) }
    }

    func groupName(_ column: Int) throws(UnparsableColumn) -> GroupName {
        try parsed(column) { (text) throws(IdentifierError) in try GroupName(parsing: text) }
    }

    func deviceType(_ column: Int) throws(UnparsableColumn) -> DeviceType {
        try parsed(column) { (text) throws(IdentifierError) in try DeviceType(parsing: text) }
    }

    func word<Word: RawRepresentable<String>>(_ column: Int) throws(UnparsableColumn) -> Word {
        guard let text = try text(column), let word = Word(rawValue: text) else {
            throw UnparsableColumn(number: column)
        }
        return word
    }

    func contactRule(_ column: Int) throws(UnparsableColumn) -> ContactRule {
        guard let text = try text(column), let rule = ContactRule(stored: text) else {
            throw UnparsableColumn(number: column)
        }
        return rule
    }

    /// Cut where it is longer than one of ours.
    func statusText(_ column: Int) throws(UnparsableColumn) -> String? {
        guard let text = try text(column) else { return nil }
        return text.utf8.count > StatusText.limitBytes ? StatusText.truncating(text) : text
    }

    func text(_ column: Int, limitBytes: Int) throws(UnparsableColumn) -> String? {
        guard let text = try text(column) else { return nil }
        guard text.utf8.count <= limitBytes else { throw UnparsableColumn(number: column) }
        return text
    }

    func instant(_ column: Int) throws(UnparsableColumn) -> Instant? {
        guard let milliseconds = try integer(column) else { return nil }
        guard (0...Instant.distantFuture.millisecondsSinceEpoch).contains(milliseconds) else {
            throw UnparsableColumn(number: column)
        }
        return Instant(millisecondsSinceEpoch: milliseconds)
    }

    func integer(_ column: Int) throws(UnparsableColumn) -> Int64? {
        let value: DatabaseValue = row[column]
        switch value.storage {
        case .null: return nil
        case .int64(let integer): return integer
        default: throw UnparsableColumn(number: column)
        }
    }

    func syncCursors(_ column: Int) throws(UnparsableColumn) -> [SyncCursors.Cursor] {
        let value: DatabaseValue = row[column]
        guard case .blob(let bytes) = value.storage, let cursors = SyncCursorBytes.decode(bytes), !cursors.isEmpty
        else { throw UnparsableColumn(number: column) }
        return cursors
    }

    func flag(_ column: Int) throws(UnparsableColumn) -> Bool {
        switch try integer(column) {
        case 0: false
        case 1: true
        default: throw UnparsableColumn(number: column)
        }
    }

    func isNull(_ column: Int) -> Bool { row.hasNull(atIndex: column) }

    /// What is in a column that may not be empty.
    func present<Value>(
        _ column: Int, _ read: (Int) throws(UnparsableColumn) -> Value?
    ) throws(UnparsableColumn) -> Value {
        guard let value = try read(column) else { throw UnparsableColumn(number: column) }
        return value
    }

    /// For a report: at most 255 bytes, what is not UTF-8 replaced.
    func lossyText(_ column: Int) -> String {
        let text = try? row.withUnsafeData(atIndex: column) { bytes in
            bytes.map { String(decoding: $0.prefix(UserID.limitBytes), as: UTF8.self) }
        }
        return (text ?? nil) ?? ""
    }

    private func parsed<Value>(
        _ column: Int, _ parse: (String) throws(IdentifierError) -> Value
    ) throws(UnparsableColumn) -> Value {
        guard let text = try text(column) else { throw UnparsableColumn(number: column) }
        do {
            return try parse(text)
        } catch {
            throw UnparsableColumn(number: column)
        }
    }

    /// By its bytes, because a text may hold a NUL.
    private func text(_ column: Int) throws(UnparsableColumn) -> String? {
        guard !row.hasNull(atIndex: column) else { return nil }
        do {
            return try row.withUnsafeData(atIndex: column) { bytes in
                guard let bytes else { return nil }
                guard let text = bytes.withUnsafeBytes({ String(validating: $0, as: UTF8.self) }) else {
                    throw UnparsableColumn(number: column)
                }
                return text
            }
        } catch {
            throw UnparsableColumn(number: column)
        }
    }
}

extension ContactRule {
    private static let groupMark = "group:"

    /// - Returns: `nil` for a text that is none of ``stored``.
    init?(stored text: String) {
        switch text {
        case "anyone": self = .anyone
        case "list": self = .list
        case "nobody": self = .nobody
        default:
            // By bytes: a mark that a combining character follows is a mark all the same.
            guard text.utf8.starts(with: Self.groupMark.utf8),
                let rest = String(text.utf8.dropFirst(Self.groupMark.utf8.count)),
                let name = try? GroupName(parsing: rest)
            else { return nil }
            self = .group(name)
        }
    }

    /// As the column says it.
    var stored: String {
        switch self {
        case .anyone: "anyone"
        case .list: "list"
        case .group(let name): Self.groupMark + name.text
        case .nobody: "nobody"
        }
    }
}
