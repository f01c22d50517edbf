import Logging
import PresenceModel
import PresenceRuntime
import SocialEngine
import Synchronization

/// How it stands with Redis, for health.
public struct RedisStatus: Hashable, Sendable {
    /// The process hears the others and is heard.
    public var isConnected = false
    /// Since when it is so.
    public var since: Instant
    /// Why the latest connection could not be made or ended; `nil` if none failed yet.
    public var latestFailure: String?
    /// Texts in Redis that say nothing we know.
    public var unreadable: UInt64 = 0
    /// Updates that were told.
    public var told: UInt64 = 0
    /// Updates of other processes.
    public var heard: UInt64 = 0
}

/// Several processes, one population: tells the others over Redis what happens here, and takes up what they say.
///
/// Each user of a process is a key with a time to live; friendships and settings are a hash. Every change of either is
/// written and published in one Redis transaction, so whoever subscribes first and reads then misses nothing. While
/// Redis is gone everything goes on with what is known; when it is back both sides are compared. Decision 26.
public final class RedisSharing: PopulationSharing, Sendable {
    /// How Redis is used.
    public struct Configuration: Hashable, Sendable {
        /// Begins every key. Default: `presenced:social:`.
        public var prefix = "presenced:social:"
        /// A connection or an answer that takes longer is given up. Default: 10 s.
        public var answerLimit: Duration = .seconds(10)
        /// Redis is asked this often whether it is there. Default: 10 s.
        public var probedEvery: Duration = .seconds(10)
        /// After a failure, the first wait; it doubles. Default: 200 ms.
        public var againAfter: Duration = .milliseconds(200)
        /// Where it stops growing. Default: 10 s.
        public var againAfterAtMost: Duration = .seconds(10)
        /// A user of this process whose key was not written for this long is gone. Default: 2 min.
        public var onlineFor: Duration = .minutes(2)
        /// Updates that wait for Redis; past this the connection is made anew, and everything compared.
        public var updatesWaiting = 100_000
        /// Who is online elsewhere is believed when the rows found in Redis are on this disk, or after this at the
        /// latest. Default: 5 s.
        public var rowsWrittenWithin: Duration = .seconds(5)

        /// The defaults.
        public init() {}
    }

    private struct Queue {
        var updates: [SocialEngine.SharedUpdate] = []
        var isOpen = false
        var wake: AsyncStream<Void>.Continuation?
    }

    private let url: RedisURL
    private let process: UInt64
    let configuration: Configuration
    private let clock: any PresenceClock
    private let logger: Logger
    private let queue = Mutex(Queue())
    /// What Redis had of friendships and choices is taken up; until then nobody who is online elsewhere is believed in.
    private let areRowsKnown = Mutex(false)
    private let state: Mutex<RedisStatus>

    /// - Parameter process: as the engine's.
    public init(
        _ url: RedisURL, process: UInt64, clock: any PresenceClock, logger: Logger,
        configuration: Configuration = Configuration()
    ) {
        self.url = url
        self.process = process
        self.clock = clock
        self.logger = logger
        self.configuration = configuration
        state = Mutex(RedisStatus(since: clock.now))
    }

    /// How it stands now.
    public var status: RedisStatus { state.withLock { $0 } }

    /// Takes an update, to be told in its order. Without Redis it is dropped: when Redis is back, everything is compared.
    public func share(_ update: SocialEngine.SharedUpdate) {
        queue.withLock { queue in
            guard queue.isOpen else { return }
            if queue.updates.count >= configuration.updatesWaiting {
                queue.updates.removeAll()
                queue.isOpen = false
                queue.wake?.finish()
            } else {
                queue.updates.append(update)
                queue.wake?.yield()
            }
        }
    }

    /// Talks to Redis until it is cancelled; whatever fails is tried again.
    public func run(for runtime: SocialRuntime) async {
        var wait = configuration.againAfter
        while !Task.isCancelled {
            do {
                try await serve(runtime)
            } catch {
                if status.isConnected { wait = configuration.againAfter }
                note(error)
            }
            queue.withLock { $0 = Queue() }
            try? await Task.sleep(for: wait)
            wait = min(wait * 2, configuration.againAfterAtMost)
        }
    }

    private func note(_ error: any Error) {
        guard !Task.isCancelled else { return }
        let isNews = state.withLock { state in
            defer {
                state.isConnected = false
                state.latestFailure = "\(error)"
            }
            if state.isConnected { state.since = clock.now }
            return state.isConnected || state.latestFailure == nil
        }
        if isNews {
            logger.warning(
                "redis is gone; friends on other processes fade until it is back",
                metadata: ["redis": "\(url)", "reason": "\(error)"])
        } else {
            logger.debug("redis cannot be reached", metadata: ["redis": "\(url)", "reason": "\(error)"])
        }
    }

    /// One connection's life.
    private func serve(_ runtime: SocialRuntime) async throws {
        areRowsKnown.withLock { $0 = false }
        let commands = try await RedisConnection.open(url, within: configuration.answerLimit)
        defer { commands.close() }
        let hearing = try await RedisConnection.open(url, within: configuration.answerLimit)
        defer { hearing.close() }
        let (wakes, waking) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        try await hearing.subscribe(to: channel)
        queue.withLock { $0 = Queue(updates: [], isOpen: true, wake: waking) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.hear(hearing, for: runtime) }
            group.addTask { try await self.tell(commands, wakes) }
            group.addTask {
                try await self.compare(commands, with: runtime)
                self.noteConnected()
                while true {
                    try await Task.sleep(for: self.configuration.probedEvery)
                    try await hearing.probe()
                    _ = try await commands.send([["PING"]])
                }
            }
            defer {
                group.cancelAll()
                // What waits for an answer does not hear of the cancellation.
                commands.close()
                hearing.close()
            }
            try await group.next()
        }
        throw RedisFailure(description: "more was to be told than Redis took")
    }

    private func noteConnected() {
        state.withLock { state in
            state.isConnected = true
            state.since = clock.now
        }
        logger.info("redis is there", metadata: ["redis": "\(url)"])
    }

    // MARK: Hearing

    private func hear(_ connection: RedisConnection, for runtime: SocialRuntime) async throws {
        for try await message in connection.published {
            guard let parts = message.list, parts.count == 3, parts[0].text == "message", let text = parts[2].text
            else { continue }
            await take(text, validFor: configuration.onlineFor, for: runtime)
        }
        throw RedisFailure(description: "the subscription ended")
    }

    /// What is found in Redis counts even if this process put it there: of users who left since, the others are told.
    private func take(
        _ text: String, validFor: Duration, echoes: Bool = false, for runtime: SocialRuntime
    ) async {
        guard let (teller, update) = SharedText.decode(text, validFor: validFor) else {
            state.withLock { $0.unreadable += 1 }
            return
        }
        guard teller != process || echoes else { return }
        if teller != process { state.withLock { $0.heard += 1 } }
        // Who hid or blocked meanwhile must not be shown first. Who is online is read again after the rows are.
        if case .presence(let presence) = update, presence.state != .offline, !areRowsKnown.withLock({ $0 }) { return }
        await runtime.submit(.shared(update))
    }

    // MARK: Telling

    private func tell(_ connection: RedisConnection, _ wakes: AsyncStream<Void>) async throws {
        for await _ in wakes {
            while true {
                let updates = queue.withLock { queue in
                    let first = Array(queue.updates.prefix(RedisSharing.updatesAtOnce))
                    queue.updates.removeFirst(first.count)
                    return first
                }
                guard !updates.isEmpty else { break }
                var commands = [["MULTI"]]
                for update in updates { commands += self.commands(for: update) }
                let replies = try await connection.send(commands + [["EXEC"]])
                // An error of one command is in the list of the transaction's replies.
                for case .error(let text) in replies.last?.list ?? [] { throw RedisFailure(description: text) }
                state.withLock { $0.told += UInt64(updates.count) }
            }
        }
    }

    private static let updatesAtOnce = 256

    private func commands(for update: SocialEngine.SharedUpdate) -> [[String]] {
        let text = SharedText.encode(update, of: process)
        let publish = ["PUBLISH", channel, text]
        switch update {
        case .presence(let presence):
            let key = "\(onlinePrefix)\(process):\(presence.user)"
            guard presence.state != .offline else { return [["DEL", key], publish] }
            return [["SET", key, text, "PX", "\(configuration.onlineFor.inMilliseconds)"], publish]
        case .friendship, .settings:
            return [["HSET", rowsKey, RedisSharing.field(of: update), text], publish]
        }
    }

    // MARK: Comparing

    /// Takes up what Redis has, and tells what it does not have.
    private func compare(_ connection: RedisConnection, with runtime: SocialRuntime) async throws {
        var known: Set<String> = []
        var cursor = "0"
        repeat {
            let reply = try await connection.send([["HSCAN", rowsKey, cursor, "COUNT", "1000"]])[0]
            guard let parts = reply.list, parts.count == 2, let next = parts[0].text, let rows = parts[1].list else {
                throw RedisFailure(description: "an unexpected reply to HSCAN")
            }
            for place in stride(from: 0, to: rows.count - 1, by: 2) {
                guard let field = rows[place].text, let text = rows[place + 1].text else { continue }
                known.insert(field)
                await take(text, validFor: .zero, echoes: true, for: runtime)
            }
            cursor = next
        } while cursor != "0"
        for row in await runtime.read({ engine, _ in engine.sharedRows })
        where !known.contains(RedisSharing.field(of: row)) {
            try await waitForRoom()
            await tellAnew(row, of: runtime)
        }
        try await waitForRows(of: runtime)
        areRowsKnown.withLock { $0 = true }
        try await readOnline(connection, for: runtime)
        try await tellOnline(of: runtime)
    }

    /// What the row says by now: in one turn of the population, so that what changes next is told after it.
    private func tellAnew(_ row: SocialEngine.SharedUpdate, of runtime: SocialRuntime) async {
        await runtime.read { engine, _ in
            switch row {
            case .friendship(let pair, _): self.share(.friendship(pair, engine.friendship(of: pair)))
            case .settings(let user, _): self.share(.settings(user, engine.settings(of: user)))
            case .presence: break
            }
        }
    }

    /// A block that was read holds once it is written. A disk that takes too long must not hold up everybody else.
    private func waitForRows(of runtime: SocialRuntime) async throws {
        let limit = clock.now.advanced(by: configuration.rowsWrittenWithin)
        while await runtime.read({ engine, _ in engine.counts.changes }) > 0, clock.now < limit {
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Says who is here, no more at once than may wait.
    private func tellOnline(of runtime: SocialRuntime) async throws {
        let users = await runtime.read { engine, _ in engine.usersHere }
        let count = max(1, min(RedisSharing.updatesAtOnce, configuration.updatesWaiting / 4))
        for start in stride(from: 0, to: users.count, by: count) {
            try await waitForRoom()
            await runtime.submit(.sharingWanted(Array(users[start..<min(start + count, users.count)])))
        }
    }

    private func readOnline(_ connection: RedisConnection, for runtime: SocialRuntime) async throws {
        var cursor = "0"
        repeat {
            let scan = ["SCAN", cursor, "MATCH", "\(onlinePrefix)*", "COUNT", "1000"]
            let reply = try await connection.send([scan])[0]
            guard let parts = reply.list, parts.count == 2, let next = parts[0].text, let keys = parts[1].list else {
                throw RedisFailure(description: "an unexpected reply to SCAN")
            }
            let names = keys.compactMap(\.text)
            if !names.isEmpty {
                let replies = try await connection.send(names.flatMap { [["GET", $0], ["PTTL", $0]] })
                for place in stride(from: 0, to: replies.count, by: 2) {
                    guard let text = replies[place].text, let left = replies[place + 1].integer, left > 0 else {
                        continue
                    }
                    await take(text, validFor: .milliseconds(left), echoes: true, for: runtime)
                }
            }
            cursor = next
        } while cursor != "0"
    }

    /// A whole population must not overflow the queue.
    private func waitForRoom() async throws {
        while queue.withLock({ $0.isOpen && $0.updates.count >= configuration.updatesWaiting / 2 }) {
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    // MARK: Names

    /// Channels are not of a database, keys are.
    private var channel: String { "\(configuration.prefix)updates:\(url.database)" }
    private var rowsKey: String { "\(configuration.prefix)rows" }
    private var onlinePrefix: String { "\(configuration.prefix)online:" }

    private static func field(of update: SocialEngine.SharedUpdate) -> String {
        switch update {
        case .presence(let presence): "online \(presence.user)"
        case .friendship(let pair, _): "pair \(pair.low) \(pair.high)"
        case .settings(let user, _): "user \(user)"
        }
    }
}
