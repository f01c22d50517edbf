import PresenceModel
import Synchronization

/// A few connections that many users of the first generation share: each request says in whose name it is.
///
/// A user keeps their connection. The first one is filled before there is a second, so that few users need few. Each is
/// made when somebody waits for it, by one attempt at a time with pauses between them, and for all who wait.
public final class SharedConnections: Sendable {
    /// Bounds; each says what follows past it.
    public struct Configuration: Hashable, Sendable {
        /// Connections at once; past that many, each full, there is no seat.
        public var connectionsLimit = 20
        /// Users of one connection; one more gets a seat on another. Each has two streams that stay.
        public var usersPerConnection = 500
        /// Users of one connection who begin their subscriptions at once; the others wait. Beginning takes two more
        /// streams for a moment.
        public var openingsAtOnce = 16
        /// A connection that stood for less counts as one that could not be made.
        public var settledAfter = Duration.seconds(10)

        /// The bounds above.
        public init() {}

        /// Streams that the service has to allow on one connection, so that no user is refused.
        public var streamsPerConnection: Int { 2 * (usersPerConnection + openingsAtOnce) }

        /// What may wait for the service on one connection: streams, and of each user a word and an act.
        var waitersPerConnection: Int { streamsPerConnection + 2 * usersPerConnection }
    }

    /// The bounds.
    public let configuration: Configuration
    /// Where to, and the pauses between attempts.
    public let client: SocialClient.Configuration
    /// Attempts that failed, as they come; of those that nobody takes, the latest hundred.
    public let failures: AsyncStream<SocialClientError>

    private let connections: [SharedConnection]
    private let users: Mutex<[Int]>

    /// None stands yet.
    public init(to client: SocialClient.Configuration, configuration: Configuration = Configuration()) {
        let (failures, tell) = AsyncStream.makeStream(
            of: SocialClientError.self, bufferingPolicy: .bufferingNewest(100))
        self.client = client
        self.configuration = configuration
        self.failures = failures
        connections = (0..<configuration.connectionsLimit).map { _ in
            SharedConnection(client, configuration) { tell.yield($0) }
        }
        users = Mutex(Array(repeating: 0, count: configuration.connectionsLimit))
    }

    /// Room for one user; `nil`: there is none.
    func seat() -> Seat? {
        let place = users.withLock { users -> Int? in
            guard let place = users.firstIndex(where: { $0 < configuration.usersPerConnection }) else { return nil }
            users[place] += 1
            return place
        }
        return place.map { Seat(self, $0) }
    }

    /// Connections that stand.
    public func standing() async -> Int {
        var count = 0
        for connection in connections where await connection.isOpen { count += 1 }
        return count
    }

    /// Users who have a seat.
    public var userCount: Int { users.withLock { $0.reduce(0, +) } }

    /// Ends all connections; users wait for others then.
    public func close() async {
        for connection in connections { await connection.drop() }
    }

    private func release(_ place: Int) async {
        let isEmpty = users.withLock { users in
            users[place] -= 1
            return users[place] == 0
        }
        if isEmpty { await connections[place].drop() }
    }

    /// One user's place on a connection; given back when it is closed or forgotten.
    final class Seat: ConnectionSource {
        private let pool: SharedConnections
        private let place: Int
        private let isReleased = Mutex(false)

        fileprivate init(_ pool: SharedConnections, _ place: Int) {
            self.pool = pool
            self.place = place
        }

        deinit {
            guard !isReleased.withLock({ $0 }) else { return }
            let (pool, place) = (pool, place)
            Task { await pool.release(place) }
        }

        private var connection: SharedConnection { pool.connections[place] }

        func connected() async throws -> SocialConnection { try await connection.connected() }

        func ready() async throws -> SocialConnection { try await connection.ready() }

        func enter() async throws { try await connection.gate.enter() }

        func leave() async { await connection.gate.leave() }

        var isOpen: Bool { get async { await connection.isOpen } }

        func close() async {
            let wasReleased = isReleased.withLock { isReleased in
                defer { isReleased = true }
                return isReleased
            }
            if !wasReleased { await pool.release(place) }
        }
    }
}

/// One of them.
actor SharedConnection {
    let gate: OpeningGate
    private let configuration: SocialClient.Configuration
    private let settledAfter: Duration
    private let waitersLimit: Int
    private let failed: @Sendable (SocialClientError) -> Void

    private var connection: SocialConnection?
    private var openedAt: ContinuousClock.Instant?
    private var failures = 0
    private var latestFailure: SocialClientError?
    private var connector: Task<Void, Never>?
    private var lastTicket: UInt64 = 0
    private var waiting: [UInt64: CheckedContinuation<SocialConnection?, Never>] = [:]

    init(
        _ configuration: SocialClient.Configuration, _ bounds: SharedConnections.Configuration,
        failed: @escaping @Sendable (SocialClientError) -> Void
    ) {
        self.configuration = configuration
        self.failed = failed
        settledAfter = bounds.settledAfter
        waitersLimit = bounds.waitersPerConnection
        gate = OpeningGate(atOnce: bounds.openingsAtOnce)
    }

    deinit {
        connector?.cancel()
        if let connection { Task { await connection.close() } }
    }

    var isOpen: Bool { connection?.isOpen ?? false }

    /// Waits for as long as it takes.
    /// - Throws: `CancellationError`.
    func connected() async throws -> SocialConnection {
        if let connection, connection.isOpen { return connection }
        lastTicket += 1
        let ticket = lastTicket
        let made: SocialConnection? = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard !Task.isCancelled else { return continuation.resume(returning: nil) }
                waiting[ticket] = continuation
                startConnecting()
            }
        } onCancel: {
            Task { await giveUp(ticket) }
        }
        guard let made else { throw CancellationError() }
        return made
    }

    /// - Throws: ``SocialClientError`` if there is none now.
    func ready() throws -> SocialConnection {
        guard let connection, connection.isOpen else {
            throw latestFailure ?? SocialClientError(.unreachable, "there is no connection now")
        }
        return connection
    }

    /// Ends it; whoever waits goes on waiting for another.
    func drop() async {
        let ended = connection
        connection = nil
        openedAt = nil
        failures = 0
        await ended?.close()
    }

    private func giveUp(_ ticket: UInt64) { waiting.removeValue(forKey: ticket)?.resume(returning: nil) }

    /// At once for the first time, then after a pause: with many that were lost at once, not all come back at once.
    private func startConnecting() {
        guard connector == nil else { return }
        if let openedAt {
            failures = ContinuousClock.now - openedAt < settledAfter ? failures + 1 : 1
            self.openedAt = nil
            connection = nil
        }
        connector = Task { [weak self] in
            while let pause = await self?.nextPause() {
                if pause > .zero { try? await Task.sleep(for: pause) }
                guard !Task.isCancelled else { return }
                await self?.attempt()
            }
        }
    }

    /// Before the next attempt; `nil`: none is needed.
    private func nextPause() -> Duration? {
        guard !waiting.isEmpty else {
            connector = nil
            return nil
        }
        guard failures > 0 else { return .zero }
        var generator = SystemRandomNumberGenerator()
        return configuration.pause.duration(afterFailures: failures, using: &generator)
    }

    private func attempt() async {
        guard !waiting.isEmpty else { return }
        do {
            let made = try await SocialConnection.open(configuration, waitersLimit: waitersLimit)
            // Whoever wanted it may have gone meanwhile.
            guard !waiting.isEmpty else { return await made.close() }
            connection = made
            openedAt = .now
            latestFailure = nil
            let ready = waiting.sorted { $0.key < $1.key }
            waiting = [:]
            for (_, continuation) in ready { continuation.resume(returning: made) }
        } catch {
            failures += 1
            let failure = error as? SocialClientError ?? SocialClientError(.unreachable, "\(error)")
            latestFailure = failure
            failed(failure)
        }
    }
}
