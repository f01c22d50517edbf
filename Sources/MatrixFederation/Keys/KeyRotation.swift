import Foundation
import MatrixWire
import PresenceModel

/// Puts a new key in the place of the one that signs.
public enum KeyRotation {
    /// What a rotation did.
    public struct Result: Hashable, Sendable {
        /// The key that signed until now.
        public var old: SigningKeyID
        /// The key that signs from now on.
        public var new: SigningKeyID
    }

    /// Replaces the first key of the file by a new one and notes its public half among the old ones, where it stays
    /// published; other lines stay. Both files are written whole or not at all, with the mode 0600 and the owner of
    /// the key file; cut off in between, the old key still signs. The latest ``MatrixWire/ServerKeys/listLimit`` old
    /// keys are kept. Of two rotations at the same time one waits for the other.
    ///
    /// - Parameter now: when the old key signed last.
    /// - Throws: ``SigningKeyFileError``; nothing was changed, or the old key is listed in both files, which does no
    ///   harm.
    public static func rotate(path: String, at now: Instant) throws -> Result {
        let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard lock >= 0, flock(lock, LOCK_EX) == 0 else { throw fail(path, "its folder cannot be locked") }
        defer { close(lock) }
        let signing = try SigningKey.load(path: path)
        let oldFile = OldKeyFile(beside: path)
        let fresh = SigningKey.generate()
        var old = try oldFile.load().filter { $0.id != signing[0].id }
        old.append(.init(id: signing[0].id, key: signing[0].publicKey, expired: now))
        old.sort { ($0.expired, $0.id.text) < ($1.expired, $1.id.text) }
        try replace(oldFile.path, like: path, with: oldFile.encode(old.suffix(ServerKeys.listLimit)), in: folder)
        try replace(path, like: path, with: try lines(of: path, with: fresh), in: folder)
        return Result(old: signing[0].id, new: fresh.id)
    }

    /// The file with the new key in place of the first one.
    private static func lines(of path: String, with fresh: SigningKey) throws -> [UInt8] {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        var isDone = false
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { line -> String in
            let words = line.split(whereSeparator: \.isWhitespace)
            guard !isDone, let first = words.first, !first.hasPrefix("#") else { return String(line) }
            isDone = true
            return String(fresh.line.dropLast())
        }.joined(separator: "\n").utf8.map { $0 }
    }

    private static func replace(_ path: String, like model: String, with bytes: [UInt8], in folder: String) throws {
        let draft = "\(path).new"
        var owner = stat()
        guard stat(model, &owner) == 0 else { throw fail(path, String(cString: strerror(errno))) }
        unlink(draft)
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw fail(draft, String(cString: strerror(errno))) }
        defer { unlink(draft) }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        // Run by root for a server that is not: it must still be able to read its key.
        guard fchown(descriptor, owner.st_uid, owner.st_gid) == 0 else {
            throw fail(draft, "cannot be given to the owner of the key file")
        }
        do {
            try handle.write(contentsOf: bytes)
            try handle.synchronize()
        } catch {
            throw fail(draft, "could not be written: \(error)")
        }
        guard rename(draft, path) == 0 else { throw fail(path, String(cString: strerror(errno))) }
        let place = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard place >= 0 else { return }
        fsync(place)
        close(place)
    }

    private static func fail(_ path: String, _ message: String) -> SigningKeyFileError {
        SigningKeyFileError(path: path, message: message)
    }
}
