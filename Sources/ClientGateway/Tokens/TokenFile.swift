import Foundation
import PresenceModel

/// The access tokens of a server that runs alone: a JSON file that holds their hashes, never the tokens.
///
/// Readable by its owner alone (mode 0600), replaced as a whole and durable before a change returns. Changes take
/// turns under a lock on a file beside it (`tokens.json.lock`), so several processes may make them at once. A file
/// that is not there counts as an empty one; a malformed one is left untouched, and every operation throws.
public struct TokenFile: Sendable {
    /// A larger file is malformed: about a quarter of a million tokens.
    public static let limitBytes = 64 << 20

    /// Where the file lies; relative paths are taken from the working directory.
    public let path: String

    /// Touches nothing yet.
    public init(path: String) { self.path = path }

    /// A snapshot of every token.
    /// - Throws: ``TokenFileError``, unreadable or malformed.
    public func load() throws(TokenFileError) -> TokenTable { TokenTable(try list()) }

    /// Every entry, in the order in which they were made.
    /// - Throws: ``TokenFileError``, unreadable or malformed.
    public func list() throws(TokenFileError) -> [TokenEntry] {
        try entries(from: FileContents.read(path, limitBytes: TokenFile.limitBytes).bytes)
    }

    /// Makes a token for a device of `user`; earlier tokens of that device are gone.
    /// - Parameter device: `nil` makes a new device of ten upper-case letters.
    /// - Parameter now: Noted as the time of making.
    /// - Throws: ``TokenFileError``.
    public func create(user: UserID, device: DeviceID?, at now: Instant) throws(TokenFileError) -> IssuedToken {
        try changing { (entries) throws(TokenFileError) in
            var generator = SystemRandomNumberGenerator()
            let known = Set(entries.lazy.filter { $0.key.user == user }.map(\.key.device))
            let key = DeviceKey(user: user, device: device ?? newDevice(besides: known, from: &generator))
            let token = AccessToken(from: &generator)
            entries.removeAll { $0.key == key }
            entries.append(TokenEntry(key: key, digest: token.digest, created: now))
            return IssuedToken(key: key, token: token)
        }
    }

    /// Removes the tokens of one device of `user`, or of all their devices.
    /// - Returns: How many were removed.
    /// - Throws: ``TokenFileError``.
    public func revoke(user: UserID, device: DeviceID?) throws(TokenFileError) -> Int {
        try revoke { $0.key.user == user && (device == nil || $0.key.device == device) }
    }

    /// Removes the token whose text is `token`.
    /// - Returns: 1, or 0 if there is no such token.
    /// - Throws: ``TokenFileError``.
    public func revoke(token: String) throws(TokenFileError) -> Int {
        let digest = TokenDigest(of: token)
        return try revoke { $0.digest == digest }
    }

    /// The entries that `bytes` spell; none for a file that is not there.
    func entries(from bytes: Data?) throws(TokenFileError) -> [TokenEntry] {
        guard let bytes else { return [] }
        do {
            return try TokenDocument.entries(from: bytes)
        } catch {
            throw TokenFileError(code: .malformed, path: path, message: error.message)
        }
    }

    private func revoke(where matches: (TokenEntry) -> Bool) throws(TokenFileError) -> Int {
        try changing { (entries) throws(TokenFileError) in
            let before = entries.count
            entries.removeAll(where: matches)
            return before - entries.count
        }
    }

    /// Reads, changes and writes under the lock; writes nothing if nothing changed.
    private func changing<Result>(
        _ change: (inout [TokenEntry]) throws(TokenFileError) -> Result
    ) throws(TokenFileError) -> Result {
        try makeFolder()
        let lock = try FileLock(path: path + ".lock")
        defer { lock.release() }
        let old = try list()
        var new = old
        let result = try change(&new)
        guard new != old else { return result }
        do {
            try FileContents.replace(path, with: try TokenDocument(new).encoded())
        } catch let error as TokenFileError {
            throw error
        } catch {
            throw TokenFileError(code: .unwritable, path: path, message: "cannot be encoded: \(error)")
        }
        return result
    }

    private func makeFolder() throws(TokenFileError) {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw TokenFileError(code: .unwritable, path: folder, message: "the folder cannot be made: \(error)")
        }
    }

    private func newDevice(
        besides known: Set<DeviceID>, from generator: inout some RandomNumberGenerator
    ) -> DeviceID {
        while true {
            let letters = (0..<10).map { _ in UInt8.random(in: 0x41...0x5A, using: &generator) }
            let device = try? DeviceID(parsing: String(decoding: letters, as: UTF8.self))
            if let device, !known.contains(device) { return device }
        }
    }
}
