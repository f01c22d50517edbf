import Foundation

/// The machine that a measurement was made on.
struct Machine: Sendable {
    let cores = ProcessInfo.processInfo.activeProcessorCount
    let model: String
    let memoryBytes = ProcessInfo.processInfo.physicalMemory
    #if DEBUG
        let build = "debug build: the figures are worth nothing"
    #else
        let build = "release build"
    #endif

    init() {
        let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n") ?? []
        let line = lines.first { $0.hasPrefix("model name") }
        model = line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown model"
    }

    /// How many wanted to run in the last minute, on average; `nil` where the system does not say.
    static var load: Double? {
        (try? String(contentsOfFile: "/proc/loadavg", encoding: .utf8))?.split(separator: " ").first.flatMap {
            Double($0)
        }
    }

    /// Lets this process have as many sockets open as the system allows.
    static func raiseOpenFilesLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    var text: String { "\(cores) cores, \(model), \(memoryBytes >> 30) GiB, \(build)" }
}

/// What a process has used of the machine, from `/proc`.
struct ProcessUse: Sendable {
    /// User and system time together.
    var cpuSeconds: Double
    /// The most memory it ever had.
    var peakMemoryBytes: Double
    /// What it has at this moment.
    var memoryBytes: Double

    /// What this process has in memory at this moment.
    static var residentBytes: Int {
        let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
        guard fields.count > 1, let pages = Int(fields[1]) else { return 0 }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// `nil` if there is no such process.
    init?(pid: Int32) {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let close = stat.lastIndex(of: ")")
        else { return nil }
        // The name in brackets may hold blanks; state follows it, and utime and stime are the 12th and 13th from there.
        let fields = stat[stat.index(after: close)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return nil }
        cpuSeconds = (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
        let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        func bytes(_ key: String) -> Double {
            let line = status.split(separator: "\n").first { $0.hasPrefix(key) }
            return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) } ?? 0) * 1024
        }
        peakMemoryBytes = bytes("VmHWM:")
        memoryBytes = bytes("VmRSS:")
    }
}
