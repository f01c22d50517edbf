import Foundation
import GRDB
import PresenceModel

/// A value that a foreign hand left in a column.
struct UnparsableColumn: Error {
    var number: Int
}

/// One row as it comes from the database, whatever someone put there; valid until the next one is fetched.
struct StoredRow {
    private let row: Row

    init(_ row: Row) { self.row = row }

    func user(_ column: Int) throws(UnparsableColumn) -> UserID {
        guard let text = try text(column), let user = try? UserID(parsing: text) else {
            throw UnparsableColumn(number: column)
        }
        return user
    }

    func server(_ column: Int) throws(UnparsableColumn) -> ServerName {
        guard let text = try text(column), let server = try? ServerName(parsing: text) else {
            throw UnparsableColumn(number: column)
        }
        return server
    }

    func word<Word: RawRepresentable<String>>(_ column: Int) throws(UnparsableColumn) -> Word {
        guard let text = try text(column), let word = Word(rawValue: text) else {
            throw UnparsableColumn(number: column)
        }
        return word
    }

    /// Cut where it is longer than one of ours.
    func statusText(_ column: Int) throws(UnparsableColumn) -> String? {
        guard let text = try text(column) else { return nil }
        return text.utf8.count > StatusText.limitBytes ? StatusText.truncating(text) : text
    }

    func instant(_ column: Int) throws(UnparsableColumn) -> Instant? {
        guard let milliseconds = try integer(column) else { return nil }
        guard (0...Instant.distantFuture.millisecondsSinceEpoch).contains(milliseconds) else {
            throw UnparsableColumn(number: column)
        }
        return Instant(millisecondsSinceEpoch: milliseconds)
    }

    func flag(_ column: Int) throws(UnparsableColumn) -> Bool {
        switch try integer(column) {
        case 0: false
        case 1: true
        default: throw UnparsableColumn(number: column)
        }
    }

    /// For a report: at most 255 bytes, what is not UTF-8 replaced.
    func lossyText(_ column: Int) -> String {
        let text = try? row.withUnsafeData(atIndex: column) { bytes in
            bytes.map { String(decoding: $0.prefix(UserID.limitBytes), as: UTF8.self) }
        }
        return (text ?? nil) ?? ""
    }

    private func integer(_ column: Int) throws(UnparsableColumn) -> Int64? {
        let value: DatabaseValue = row[column]
        switch value.storage {
        case .null: return nil
        case .int64(let integer): return integer
        default: throw UnparsableColumn(number: column)
        }
    }

    /// By its bytes, because a text may hold a NUL.
    private func text(_ column: Int) throws(UnparsableColumn) -> String? {
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
