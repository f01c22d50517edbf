import GRDB

/// Why the store could not be opened, read or written.
public struct PresenceStoreError: Error, Sendable {
    /// What kind of trouble it is.
    public enum Code: Hashable, Sendable {
        /// The folder or file cannot be made, opened or prepared; nothing was changed.
        case unusable
        /// Another program holds the file.
        case locked
        /// The file is something else, or the database of another program; it was left as it is.
        case notADatabase
        /// A later presenced wrote the file; it was left as it is.
        case newerVersion
        /// The saved rows cannot be read.
        case unreadable
        /// A transaction failed; its rows are kept in memory and tried again, unless the message says otherwise.
        case unwritten
        /// The store was closed before.
        case closed
    }

    /// Callers branch on this alone.
    public var code: Code
    /// The file concerned.
    public var path: String
    /// What happened, what was kept, and what would mend it.
    public var message: String
    /// What the layer below said.
    public var cause: (any Error)?

    init(_ code: Code, _ path: String, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.path = path
        self.message = message
        self.cause = cause
    }
}

extension PresenceStoreError: CustomStringConvertible {
    /// Path and message.
    public var description: String { "\(path): \(message)" }
}

extension PresenceStoreError {
    /// What `cause` means while the file is being opened.
    static func opening(_ path: String, _ cause: any Error) -> PresenceStoreError {
        if let cause = cause as? PresenceStoreError { return cause }
        switch (cause as? DatabaseError)?.resultCode {
        case .SQLITE_NOTADB:
            return PresenceStoreError(
                .notADatabase, path,
                "is not a SQLite database; it was left as it is. Name another file, or move this one away.",
                cause: cause)
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return PresenceStoreError(
                .locked, path, "is held by another program (a shell, a backup?). Start again when it has let go.",
                cause: cause)
        default:
            return PresenceStoreError(.unusable, path, "cannot be opened: \(reason(of: cause))", cause: cause)
        }
    }

    static func reading(_ path: String, _ cause: any Error) -> PresenceStoreError {
        if let cause = cause as? PresenceStoreError { return cause }
        return PresenceStoreError(
            .unreadable, path, "cannot be read: \(reason(of: cause)) Nothing was changed.", cause: cause)
    }

    /// - Parameter rows: how many the failed transaction held.
    static func writing(_ rows: Int, to path: String, _ cause: any Error) -> PresenceStoreError {
        PresenceStoreError(
            .unwritten, path,
            "\(rows) rows were not written: \(reason(of: cause)) They are kept in memory and tried again.",
            cause: cause)
    }

    /// As ``writing(_:to:_:)``, of rows that nobody keeps.
    static func refusing(_ rows: Int, to path: String, _ cause: any Error) -> PresenceStoreError {
        PresenceStoreError(
            .unwritten, path, "\(rows) rows were not written: \(reason(of: cause)) They were refused.", cause: cause)
    }

    /// The boot number could not be raised.
    static func booting(_ path: String, _ cause: any Error) -> PresenceStoreError {
        if let cause = cause as? PresenceStoreError { return cause }
        return PresenceStoreError(
            .unwritten, path, "the boot number was not raised: \(reason(of: cause)) The old one stands.", cause: cause)
    }

    /// A sentence or two: what SQLite met, and what would mend it. Holds no values of rows.
    private static func reason(of cause: any Error) -> String {
        guard let cause = cause as? DatabaseError else { return "\(cause)." }
        let words = cause.message ?? "SQLite code \(cause.extendedResultCode.rawValue)"
        switch cause.resultCode {
        case .SQLITE_FULL: return "the disk is full; free some space."
        case .SQLITE_BUSY, .SQLITE_LOCKED: return "another program holds it; end that program."
        case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH, .SQLITE_CANTOPEN:
            return "\(words); presenced must be able to write the file and its folder."
        case .SQLITE_IOERR: return "\(words); look after the disk."
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return "\(words); the file is damaged, put a backup in its place or mend it with `sqlite3 .recover`."
        default: return "\(words)."
        }
    }
}
