import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The sole right to a store among all processes, held until ``release()`` or the end of the process, however it ends.
///
/// It lies on a file beside the database, because SQLite's own locks come and go with its transactions. That file
/// stays.
final class StoreLock: Sendable {
    private let descriptor: Mutex<Int32?>

    /// Does not wait.
    /// - Throws: ``PresenceStoreError``: locked or unusable.
    init(besides path: String) throws(PresenceStoreError) {
        let lock = path + ".lock"
        let descriptor = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system(errno, lock, "cannot be made") }
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let reason = errno
            guard reason != EINTR else { continue }
            _ = Self.shut(descriptor)
            guard reason != EWOULDBLOCK else {
                throw PresenceStoreError(
                    .locked, path,
                    "another presenced has it open (it holds \(lock)). Stop that one, or give this one its own file.")
            }
            throw .system(reason, lock, "cannot be locked")
        }
        self.descriptor = Mutex(descriptor)
    }

    deinit { release() }

    func release() {
        descriptor.withLock { held in
            if let number = held { _ = Self.shut(number) }
            held = nil
        }
    }

    /// Closing alone would not do while a child of this process, just forked, has the descriptor too.
    private static func shut(_ descriptor: Int32) -> Int32 {
        _ = flock(descriptor, LOCK_UN)
        return close(descriptor)
    }
}

/// The database file before SQLite knows it.
enum StoreFile {
    /// Makes the folder (mode 0700) and the file (mode 0600) where they are missing. What is there keeps its mode.
    static func prepareFolder(of path: String) throws(PresenceStoreError) {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        do {
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw PresenceStoreError(
                .unusable, folder.path, "the folder cannot be made: \(error.localizedDescription)", cause: error)
        }
    }

    /// The files that SQLite puts beside this one take its mode over. The caller holds the lock.
    static func prepare(_ path: String) throws(PresenceStoreError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system(errno, path, "cannot be opened for writing") }
        var status = stat()
        let isPlain = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        _ = close(descriptor)
        guard isPlain else { throw PresenceStoreError(.notADatabase, path, "is not a plain file") }
        // The new name is durable only with its folder. A file system that cannot sync folders keeps it anyway.
        let folder = open(URL(fileURLWithPath: path).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
        guard folder >= 0 else { return }
        fsync(folder)
        _ = close(folder)
    }
}

extension PresenceStoreError {
    fileprivate static func system(_ reason: Int32, _ path: String, _ what: String) -> PresenceStoreError {
        PresenceStoreError(.unusable, path, "\(what): \(String(cString: strerror(reason)))")
    }
}
