import Foundation

/// How many files and sockets this process may have open.
enum OpenFiles {
    /// Raises the limit to the highest that the system lets us: every client and every other server is a socket.
    static func raiseLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
