import CCares
import Foundation
import Synchronization

/// DNS by c-ares: one thread, any number of look-ups at once up to ``lookupsLimit``, each of them over within about
/// 5 s for each DNS server.
///
/// The servers are those given, or those of `/etc/resolv.conf`, which is read anew when it is idle. The hosts file
/// goes before DNS. Search domains are not appended: server names are whole names.
final class CaresResolver: NameResolving {
    /// Past this many look-ups at once a further one fails.
    static let lookupsLimit = 4096
    /// So many questions are on the way at once, or a DNS server would drop some; others wait.
    static let underwayLimit = 128
    /// The first wait for an answer; the second and last one is twice as long.
    static let firstWaitMilliseconds: Int32 = 1500

    /// One look-up, until its answer.
    fileprivate enum Question: Sendable {
        case addresses(of: String, @Sendable (Result<[IPAddress], NameFailure>) -> Void)
        case services(of: String, @Sendable (Result<[ServiceRecord], NameFailure>) -> Void)
    }

    private let worker: ResolverThread

    /// Starts the thread.
    /// - Parameter servers: `192.0.2.53` or `192.0.2.53:5353`, an IPv6 address in brackets; empty for the system's.
    init(servers: [String]) throws {
        worker = try ResolverThread(servers: servers)
        Thread.detachNewThread { [worker] in worker.run() }
    }

    /// Ends the thread; look-ups under way fail.
    func shutdown() { worker.stop() }

    func addresses(of host: String) async throws(NameFailure) -> [IPAddress] {
        let result = await withCheckedContinuation { continuation in
            worker.ask(.addresses(of: host) { continuation.resume(returning: $0) })
        }
        return try result.get()
    }

    func services(of name: String) async throws(NameFailure) -> [ServiceRecord] {
        let result = await withCheckedContinuation { continuation in
            worker.ask(.services(of: name) { continuation.resume(returning: $0) })
        }
        return try result.get()
    }
}

extension CaresResolver.Question {
    func fail(_ failure: NameFailure) {
        switch self {
        case .addresses(_, let answer): answer(.failure(failure))
        case .services(_, let answer): answer(.failure(failure))
        }
    }
}

/// What c-ares hands back with each answer.
private final class Asked {
    let question: CaresResolver.Question
    let thread: ResolverThread

    init(_ question: CaresResolver.Question, _ thread: ResolverThread) {
        self.question = question
        self.thread = thread
    }

    /// Ends what ``ResolverThread/begin(_:)`` began.
    static func end(_ pointer: UnsafeMutableRawPointer?) -> CaresResolver.Question? {
        guard let pointer else { return nil }
        let asked = Unmanaged<Asked>.fromOpaque(pointer).takeRetainedValue()
        asked.thread.outstanding -= 1
        return asked.question
    }
}

/// The thread and what it shares. Everything but ``shared`` belongs to the thread alone.
private final class ResolverThread: @unchecked Sendable {
    private struct Shared {
        var waiting: ArraySlice<CaresResolver.Question> = []
        var count = 0
        var isStopped = false
    }

    private let shared = Mutex(Shared())
    private let servers: [String]
    /// A byte through this pipe wakes the thread.
    private let wakeRead: Int32
    private let wakeWrite: Int32

    private var channel: ares_channel?
    private var channelMade = ContinuousClock.now
    private var sockets: [Int32: Int16] = [:]
    fileprivate var outstanding = 0

    init(servers: [String]) throws {
        self.servers = servers
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0, ares_library_init(ARES_LIB_INIT_NONE) == 0 else {
            throw NameFailure.failed("the resolver cannot start: \(String(cString: strerror(errno)))")
        }
        (wakeRead, wakeWrite) = (ends[0], ends[1])
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        try makeChannel()
    }

    func ask(_ question: CaresResolver.Question) {
        let refusal = shared.withLock { shared -> NameFailure? in
            if shared.isStopped { return .failed("the resolver has stopped") }
            guard shared.count < CaresResolver.lookupsLimit else { return .failed("too many look-ups at once") }
            shared.count += 1
            shared.waiting.append(question)
            return nil
        }
        if let refusal { question.fail(refusal) } else { wake() }
    }

    func stop() {
        shared.withLock { $0.isStopped = true }
        wake()
    }

    private func wake() {
        var byte: UInt8 = 1
        // A full pipe wakes as well.
        _ = write(wakeWrite, &byte, 1)
    }

    func run() {
        while true {
            let (questions, isStopped) = shared.withLock { shared in
                let room = shared.isStopped ? shared.waiting.count : CaresResolver.underwayLimit - outstanding
                let next = Array(shared.waiting.prefix(room))
                shared.count = outstanding + shared.waiting.count
                shared.waiting.removeFirst(next.count)
                return (next, shared.isStopped)
            }
            if isStopped {
                for question in questions { question.fail(.failed("the resolver has stopped")) }
                break
            }
            if !questions.isEmpty, outstanding == 0, channelMade + .seconds(60) < .now { try? makeChannel() }
            for question in questions { begin(question) }
            // What the hosts file answers is done already, and nothing would wake us.
            if outstanding < CaresResolver.underwayLimit, shared.withLock({ !$0.waiting.isEmpty }) { continue }
            waitForSockets()
        }
        if let channel { ares_destroy(channel) }
        close(wakeRead)
        close(wakeWrite)
    }

    /// A new channel in place of the old one: with the DNS servers that the system uses now.
    private func makeChannel() throws {
        var options = ares_options()
        options.flags = ARES_FLAG_NOSEARCH
        options.timeout = CaresResolver.firstWaitMilliseconds
        options.tries = 2
        options.socket_receive_buffer_size = 1 << 20
        options.sock_state_cb_data = Unmanaged.passUnretained(self).toOpaque()
        options.sock_state_cb = { pointer, socket, reads, writes in
            guard let pointer else { return }
            let thread = Unmanaged<ResolverThread>.fromOpaque(pointer).takeUnretainedValue()
            let events = (reads != 0 ? POLLIN : 0) | (writes != 0 ? POLLOUT : 0)
            thread.sockets[socket] = events == 0 ? nil : Int16(events)
        }
        let mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_SOCK_RCVBUF
        var fresh: ares_channel?
        try check(ares_init_options(&fresh, &options, mask))
        if !servers.isEmpty {
            do {
                try check(ares_set_servers_ports_csv(fresh, servers.joined(separator: ",")))
            } catch {
                ares_destroy(fresh)
                throw error
            }
        }
        if let channel { ares_destroy(channel) }
        channel = fresh
        channelMade = .now
    }

    private func check(_ status: Int32) throws(NameFailure) {
        guard status == ARES_SUCCESS else { throw .failed(String(cString: ares_strerror(status))) }
    }

    private func begin(_ question: CaresResolver.Question) {
        let asked = Unmanaged.passRetained(Asked(question, self)).toOpaque()
        outstanding += 1
        switch question {
        case .addresses(let host, _):
            var hints = ares_addrinfo_hints()
            hints.ai_family = AF_UNSPEC
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
            ares_getaddrinfo(channel, host, nil, &hints, addressesArrived, asked)
        case .services(let name, _): ares_query(channel, name, 1, 33, servicesArrived, asked)
        }
    }

    /// Until something can be read or written, a wait is over, or the pipe wakes us.
    private func waitForSockets() {
        var polled = sockets.map { pollfd(fd: $0.key, events: $0.value, revents: 0) }
        polled.append(pollfd(fd: wakeRead, events: Int16(POLLIN), revents: 0))
        var limit = timeval(tv_sec: 3600, tv_usec: 0)
        var wait = timeval()
        let next = ares_timeout(channel, &limit, &wait)?.pointee ?? limit
        let milliseconds = min(Int32.max / 2, Int32(next.tv_sec) * 1000 + Int32((next.tv_usec + 999) / 1000))
        _ = poll(&polled, nfds_t(polled.count), milliseconds)
        var bytes = [UInt8](repeating: 0, count: 256)
        while read(wakeRead, &bytes, bytes.count) > 0 {}
        for ready in polled.dropLast() where ready.revents != 0 {
            let reads = ready.revents & Int16(POLLIN | POLLERR | POLLHUP) != 0
            let writes = ready.revents & Int16(POLLOUT) != 0
            ares_process_fd(channel, reads ? ready.fd : ARES_SOCKET_BAD, writes ? ready.fd : ARES_SOCKET_BAD)
        }
        // Looks after the waits that are over.
        ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD)
    }
}

private func failure(_ status: Int32) -> NameFailure {
    switch status {
    case ARES_ENODATA, ARES_ENOTFOUND, ARES_EBADNAME, ARES_ENONAME: .noSuchName
    case ARES_ETIMEOUT: .timedOut
    default: .failed(String(cString: ares_strerror(status)))
    }
}

private let addressesArrived: ares_addrinfo_callback = { pointer, status, _, answer in
    guard case .addresses(_, let take)? = Asked.end(pointer) else { return }
    defer { if let answer { ares_freeaddrinfo(answer) } }
    guard status == 0 else { return take(.failure(failure(status))) }
    var found: [IPAddress] = []
    var node = answer?.pointee.nodes
    while let current = node?.pointee, let address = current.ai_addr {
        defer { node = current.ai_next }
        let bytes = UnsafeRawBufferPointer(start: address, count: Int(current.ai_addrlen))
        let address =
            switch current.ai_family {
            case AF_INET where bytes.count >= 8: IPAddress(bytes: bytes[4..<8])
            case AF_INET6 where bytes.count >= 24: IPAddress(bytes: bytes[8..<24])
            default: IPAddress?.none
            }
        if let address, !found.contains(address) { found.append(address) }
    }
    take(found.isEmpty ? .failure(.noSuchName) : .success(found))
}

private let servicesArrived: ares_callback = { pointer, status, _, bytes, count in
    guard case .services(_, let take)? = Asked.end(pointer) else { return }
    guard status == 0, let bytes else {
        let reason = failure(status)
        return take(reason == .noSuchName ? .success([]) : .failure(reason))
    }
    var list: UnsafeMutablePointer<ares_srv_reply>?
    let parsed = ares_parse_srv_reply(bytes, count, &list)
    defer { if let list { ares_free_data(list) } }
    guard parsed == 0 else {
        let reason = failure(parsed)
        return take(reason == .noSuchName ? .success([]) : .failure(reason))
    }
    var found: [ServiceRecord] = []
    var node = list
    while let current = node?.pointee {
        defer { node = current.next }
        guard let host = current.host else { continue }
        found.append(
            ServiceRecord(
                priority: Int(current.priority), weight: Int(current.weight), port: Int(current.port),
                host: String(cString: host).trimmingSuffix(".")))
    }
    take(.success(found))
}

extension String {
    fileprivate func trimmingSuffix(_ suffix: Character) -> String { last == suffix ? String(dropLast()) : self }
}
