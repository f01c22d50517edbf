/// Why the token file could not be read or written.
public struct TokenFileError: Error, Hashable, Sendable {
    /// What kind of trouble it is.
    public enum Code: Hashable, Sendable {
        /// It is there and cannot be opened or read.
        case unreadable
        /// It is not what presenced writes; it was left as it is.
        case malformed
        /// It, its lock or its folder cannot be written; the old contents stand.
        case unwritable
    }

    /// Callers branch on this alone.
    public var code: Code
    /// The file, lock or folder concerned.
    public var path: String
    /// What happened.
    public var message: String
}

extension TokenFileError: CustomStringConvertible {
    /// Path and message.
    public var description: String { "\(path): \(message)" }
}
