import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// How a file looked from outside; a file that looks the same is not read again.
///
/// The time of the last change to the file's attributes is part of it, so that a mended permission is noticed.
enum FileSighting: Hashable, Sendable {
    case missing
    case present(device: UInt64, inode: UInt64, bytes: Int64, modified: Int64, changed: Int64)
    /// It cannot be looked at, for the reason `errno` gives.
    case hidden(errno: Int32)

    init(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            self = errno == ENOENT ? .missing : .hidden(errno: errno)
            return
        }
        self.init(status)
    }

    fileprivate init(_ status: stat) {
        #if canImport(Darwin)
            let (modified, changed) = (status.st_mtimespec, status.st_ctimespec)
        #else
            let (modified, changed) = (status.st_mtim, status.st_ctim)
        #endif
        self = .present(
            device: UInt64(truncatingIfNeeded: status.st_dev), inode: UInt64(status.st_ino),
            bytes: Int64(status.st_size), modified: FileSighting.nanoseconds(modified),
            changed: FileSighting.nanoseconds(changed))
    }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

/// The bytes of a file, and how the very file looked that they came from.
struct FileContents {
    /// `nil` if there is no file.
    var bytes: Data?
    var sighting: FileSighting
    /// Nobody but the owner may read or write it.
    var isPrivate = true

    /// - Throws: ``TokenFileError``: unreadable, or malformed if it is no plain file or above `limitBytes`.
    static func read(_ path: String, limitBytes: Int) throws(TokenFileError) -> FileContents {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return FileContents(bytes: nil, sighting: .missing) }
            throw .because(errno, .unreadable, path, "cannot be opened")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .because(errno, .unreadable, path, "cannot be looked at") }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw TokenFileError(code: .malformed, path: path, message: "is not a plain file")
        }
        guard status.st_size <= limitBytes else {
            throw TokenFileError(code: .malformed, path: path, message: "has more than \(limitBytes) bytes")
        }
        do {
            let bytes = try FileHandle(fileDescriptor: descriptor, closeOnDealloc: false).readToEnd() ?? Data()
            return FileContents(
                bytes: bytes, sighting: FileSighting(status), isPrivate: status.st_mode & 0o077 == 0)
        } catch {
            throw TokenFileError(code: .unreadable, path: path, message: "cannot be read: \(error)")
        }
    }

    /// Puts `bytes` in the place of the file, mode 0600, at once and durably: after a crash the file is the old one or
    /// the new one. The caller holds the file's lock.
    /// - Throws: ``TokenFileError``, unwritable; the file is the old one then.
    static func replace(_ path: String, with bytes: Data) throws(TokenFileError) {
        let temporary = path + ".tmp"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .because(errno, .unwritable, temporary, "cannot be made") }
        do throws(TokenFileError) {
            defer { close(descriptor) }
            keepOwner(of: path, for: descriptor)
            try write(bytes, to: descriptor, named: temporary)
            guard fsync(descriptor) == 0 else { throw .because(errno, .unwritable, temporary, "cannot be synced") }
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else {
            let reason = errno
            unlink(temporary)
            throw .because(reason, .unwritable, path, "cannot be replaced")
        }
        syncFolder(of: path)
    }

    /// When root uses the command line, the daemon's own user must still be able to read the file.
    fileprivate static func keepOwner(of path: String, for descriptor: Int32) {
        guard geteuid() == 0 else { return }
        var status = stat()
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard stat(path, &status) == 0 || stat(folder, &status) == 0 else { return }
        _ = fchown(descriptor, status.st_uid, status.st_gid)
    }

    private static func write(_ bytes: Data, to descriptor: Int32, named path: String) throws(TokenFileError) {
        do {
            try FileHandle(fileDescriptor: descriptor, closeOnDealloc: false).write(contentsOf: bytes)
        } catch {
            throw TokenFileError(code: .unwritable, path: path, message: "cannot be written: \(error)")
        }
    }

    /// The new name is durable only with its folder. A file system that cannot sync folders keeps the name anyway.
    private static func syncFolder(of path: String) {
        let folder = open(URL(fileURLWithPath: path).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
        guard folder >= 0 else { return }
        fsync(folder)
        close(folder)
    }
}

/// A lock among processes, held from its making until ``release()``.
struct FileLock {
    private let descriptor: Int32

    /// Waits for its turn.
    /// - Throws: ``TokenFileError``, unwritable.
    init(path: String) throws(TokenFileError) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .because(errno, .unwritable, path, "cannot be made") }
        FileContents.keepOwner(of: path, for: descriptor)
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else {
                let reason = errno
                close(descriptor)
                throw .because(reason, .unwritable, path, "cannot be locked")
            }
        }
    }

    func release() { close(descriptor) }
}

extension TokenFileError {
    fileprivate static func because(_ reason: Int32, _ code: Code, _ path: String, _ what: String) -> TokenFileError {
        TokenFileError(code: code, path: path, message: "\(what): \(String(cString: strerror(reason)))")
    }
}
