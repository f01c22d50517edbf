import Foundation
import Synchronization

/// A process that a test started: its lines as they come, and its end. Ended by its pid, and only by that.
///
/// Foundation's `Process` is not used: waiting for it from another thread can spin for ever.
final class Child: Sendable {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    fileprivate struct Waiter: Sendable {
        var part: String
        var resume: @Sendable (String?) -> Void
    }

    fileprivate struct State {
        var lines: [String] = []
        var partial: [UInt8] = []
        var isSilent = false
        var waiters: [Waiter] = []
        var status: Int32?
        var mourners: [CheckedContinuation<Int32, Never>] = []
    }

    /// What the reading thread shares with the owner; it does not keep the owner alive.
    fileprivate final class Watched: Sendable {
        let state = Mutex(State())
    }

    /// `posix_spawn_file_actions_addclosefrom_np`, which glibc has since 2.34 and its header hides.
    private static let closeFrom: (@Sendable (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Void)? = {
        typealias Function = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
        guard let symbol = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") else { return nil }
        let function = unsafeBitCast(symbol, to: Function.self)
        return { actions, first in _ = function(actions, first) }
    }()

    /// Held while descriptors are open that no child may inherit.
    static let starting = NSLock()

    let pid: Int32
    private let name: String
    private let input: Int32
    private let watched = Watched()

    /// - Parameters:
    ///   - folder: the working directory.
    ///   - environment: beside the test's own.
    init(
        _ executable: String, _ arguments: [String], in folder: String? = nil, environment: [String: String] = [:]
    ) throws {
        name = (executable as NSString).lastPathComponent
        var output: [Int32] = [0, 0]
        var standardInput: [Int32] = [0, 0]
        // Another child started in between would hold these pipes open.
        Child.starting.lock()
        defer { Child.starting.unlock() }
        guard pipe(&output) == 0, pipe(&standardInput) == 0 else { throw Failure(description: "no pipe: \(errno)") }
        for descriptor in output + standardInput { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, standardInput[0], 0)
        posix_spawn_file_actions_adddup2(&actions, output[1], 1)
        posix_spawn_file_actions_adddup2(&actions, output[1], 2)
        // Sockets of other tests would stay open with it: what nobody listens at any more would still be connected to.
        Child.closeFrom?(&actions, 3)
        // Threads of the runtime block signals, and a child inherits that: it could not be asked to end.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let variables = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        let command = folder.map { ["/usr/bin/env", "-C", $0, executable] } ?? [executable]
        let argv = (command + arguments).map { strdup($0) } + [nil]
        let envp = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in argv + envp { free(text) } }
        var child: pid_t = 0
        let failure = posix_spawn(&child, command[0], &actions, &attributes, argv, envp)
        close(output[1])
        close(standardInput[0])
        guard failure == 0 else { throw Failure(description: "cannot start \(executable): errno \(failure)") }
        pid = child
        input = standardInput[1]
        Thread.detachNewThread { [watched, pid, output] in watched.follow(pid, output[0]) }
    }

    deinit {
        close(input)
        if watched.state.withLock({ $0.status == nil }) { kill(pid, SIGKILL) }
    }

    /// Everything it said so far.
    var text: String { watched.state.withLock { $0.lines.joined(separator: "\n") } }

    /// Whether it has not ended yet.
    var isRunning: Bool { watched.state.withLock { $0.status == nil } }

    /// Writes to its standard input.
    func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Foundation.write(input, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }

    /// Sends a signal that does not end it.
    func send(_ signal: Int32) {
        if isRunning { kill(pid, signal) }
    }

    /// The first line, of all that it says, with `part` in it.
    func line(with part: String, within seconds: Double = 30) async throws -> String {
        let found: String? = await withCheckedContinuation { continuation in
            let isOver = Mutex(false)
            let resume: @Sendable (String?) -> Void = { line in
                let isFirst = isOver.withLock { done in
                    defer { done = true }
                    return !done
                }
                if isFirst { continuation.resume(returning: line) }
            }
            let known = watched.state.withLock { state -> String?? in
                if let line = state.lines.first(where: { $0.contains(part) }) { return .some(line) }
                if state.isSilent { return .some(nil) }
                state.waiters.append(Waiter(part: part, resume: resume))
                return nil
            }
            if let known { return resume(known) }
            DispatchQueue.global().asyncAfter(deadline: .now() + seconds) { resume(nil) }
        }
        guard let found else { throw Failure(description: "\(name) did not say '\(part)'; it said:\n\(text)") }
        return found
    }

    /// Asks it to end, and waits for that.
    /// - Returns: its status; 128 and the signal's number if a signal ended it.
    @discardableResult
    func stop(signal: Int32 = SIGTERM) async -> Int32 {
        if watched.state.withLock({ $0.status == nil }) { kill(pid, signal) }
        return await end()
    }

    /// Waits until it ended, and everything that it said was read.
    func end() async -> Int32 {
        await withCheckedContinuation { continuation in
            let status = watched.state.withLock { state -> Int32? in
                if state.status == nil { state.mourners.append(continuation) }
                return state.status
            }
            if let status { continuation.resume(returning: status) }
        }
    }
}

extension Child.Watched {
    /// Reads until the other end closes, then waits for the process.
    fileprivate func follow(_ pid: Int32, _ descriptor: Int32) {
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            take(buffer[..<max(count, 0)])
            if count <= 0 { break }
        }
        close(descriptor)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let code = status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
        let mourners = state.withLock { state in
            state.status = code
            defer { state.mourners = [] }
            return state.mourners
        }
        for mourner in mourners { mourner.resume(returning: code) }
    }

    private func take(_ bytes: ArraySlice<UInt8>) {
        let ready = state.withLock { state -> [@Sendable () -> Void] in
            var fresh: [String] = []
            for byte in bytes {
                if byte == UInt8(ascii: "\n") {
                    fresh.append(String(decoding: state.partial, as: UTF8.self))
                    state.partial = []
                } else {
                    state.partial.append(byte)
                }
            }
            if bytes.isEmpty {
                state.isSilent = true
                if !state.partial.isEmpty { fresh.append(String(decoding: state.partial, as: UTF8.self)) }
            }
            state.lines += fresh
            var ready: [@Sendable () -> Void] = []
            state.waiters.removeAll { waiter in
                let line = fresh.first { $0.contains(waiter.part) }
                guard line != nil || state.isSilent else { return false }
                ready.append { waiter.resume(line) }
                return true
            }
            return ready
        }
        for resume in ready { resume() }
    }
}
