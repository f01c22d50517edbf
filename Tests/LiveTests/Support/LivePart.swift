import Foundation

/// A real part that a test needs and a machine may not have. What is not there is noted for the last lines of
/// `make test`.
enum LivePart {
    /// The Python of a virtual environment with Synapse and matrix-nio in it, as `Tests/Live/set-up.sh` makes it.
    static let synapsePython: String? = {
        let environment = ProcessInfo.processInfo.environment
        let home = environment["HOME"] ?? ""
        let cache =
            environment["PRESENCED_CACHE"] ?? "\(environment["XDG_CACHE_HOME"] ?? "\(home)/.cache")/presenced"
        let folder = "\(cache)/synapse-1.163.2"
        let python = "\(folder)/bin/python"
        guard FileManager.default.fileExists(atPath: "\(folder)/.finished-nio-0.26.0"),
            FileManager.default.isExecutableFile(atPath: python)
        else {
            note(
                "Synapse 1.163.2 and matrix-nio 0.26.0: not installed at \(folder); run Tests/Live/set-up.sh to see why"
            )
            return nil
        }
        return python
    }()

    /// A real nginx, as Debian has it.
    static let nginx: String? = {
        let path = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"].first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
        if path == nil { note("nginx: not installed; Tests/set-up does it where apt-get is") }
        return path
    }()

    /// A real Redis, as Debian has it.
    static let redis: String? = {
        let path = ["/usr/bin/redis-server", "/usr/local/bin/redis-server"].first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
        if path == nil { note("redis-server: not installed; Tests/set-up does it where apt-get is") }
        return path
    }()

    /// The root of the checkout.
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    private static func note(_ line: String) {
        FileHandle.standardError.write(Data("SKIPPED: \(line)\n".utf8))
        guard let path = ProcessInfo.processInfo.environment["PRESENCED_SKIPS"],
            let file = FileHandle(forWritingAtPath: path)
        else { return }
        _ = try? file.seekToEnd()
        try? file.write(contentsOf: Data("\(line)\n".utf8))
        try? file.close()
    }
}
