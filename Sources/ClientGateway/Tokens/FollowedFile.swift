import Foundation

/// A file of the operator's that is read again whenever it looks otherwise.
public struct FollowedFile: Sendable {
    /// What a file is now.
    public enum Change: Hashable, Sendable {
        /// There is none.
        case missing
        /// Its bytes, and whether nobody but its owner may read or write it.
        case contents(Data, isPrivate: Bool)
    }

    /// Where the file lies.
    public let path: String
    private let limitBytes: Int
    private var sighting: FileSighting?

    /// Touches nothing yet.
    /// - Parameter limitBytes: a larger file is not read.
    public init(path: String, limitBytes: Int) {
        self.path = path
        self.limitBytes = limitBytes
    }

    /// What the file is, if it looks otherwise than the last time; the first time in any case.
    /// - Throws: ``TokenFileError``, unreadable or malformed; once for each time that it changed.
    public mutating func look() throws(TokenFileError) -> Change? {
        let now = FileSighting(path: path)
        guard now != sighting else { return nil }
        sighting = now
        let contents = try FileContents.read(path, limitBytes: limitBytes)
        sighting = contents.sighting
        return contents.bytes.map { .contents($0, isPrivate: contents.isPrivate) } ?? .missing
    }
}
