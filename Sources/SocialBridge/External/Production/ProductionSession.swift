import AuthChain
import BridgeEngine
import PresenceModel
import SocialClient
import SocialEngine
import Synchronization

/// One user's session with the production service: a connection for each life, with one subscription of each kind.
///
/// What is between the user and others is read after the subscriptions stand, and told before the news that came
/// meanwhile. Heartbeats and leaving are nothing.
public final class ProductionSession: BridgedSession {
    /// Pauses and bounds.
    public struct Configuration: Sendable {
        /// How friends who are there already are told from those who come.
        public var window = SightingWindow.Configuration()
        /// Between attempts to read what is between the user and others, of a connection that stands.
        public var readingPause = ReconnectPause()
        /// Before a life, when the service ended the last one's subscriptions itself: a service that takes each for a
        /// second one is not asked in a loop.
        public var endedPause = ReconnectPause()
        /// A life that was longer than this had nothing to do with the one before.
        public var settledAfter: Duration = .minutes(10)
        /// Past this many updates that nobody took, the life ends.
        public var unreadLimit = 1_000

        /// Readings 5 s to 5 min apart, lives 30 s to 1 h.
        public init() {
            readingPause.first = .seconds(5)
            readingPause.limit = .minutes(5)
            endedPause.first = .seconds(30)
            endedPause.limit = .hours(1)
        }
    }

    /// What reaches the order of friendships, which is told one after the other.
    private enum FriendshipTurn: Sendable {
        case happened(FriendshipNews)
        case readingWanted
    }

    private struct State {
        var client: ProductionClient?
        var turns: AsyncStream<FriendshipTurn>.Continuation?
        /// Lives in a row whose subscriptions the service ended.
        var endedByService = 0
    }

    private let address: SocialAddress
    private let identity: EphemeralIdentity
    private let connecting: ProductionClient.Configuration
    private let configuration: Configuration
    private let profiles: SocialProfiles
    private let standing: StandingConnections
    private let now: @Sendable () -> Instant
    private let acquaintances: @Sendable (SocialAddress) async -> [SocialAddress]
    private let failed: @Sendable (BridgedSessionError) -> Void
    private let state = Mutex(State())

    init(
        of address: SocialAddress, identity: EphemeralIdentity, client: ProductionClient.Configuration,
        configuration: Configuration, profiles: SocialProfiles, standing: StandingConnections,
        now: @escaping @Sendable () -> Instant,
        acquaintances: @escaping @Sendable (SocialAddress) async -> [SocialAddress],
        failed: @escaping @Sendable (BridgedSessionError) -> Void
    ) {
        self.address = address
        self.identity = identity
        connecting = client
        self.configuration = configuration
        self.profiles = profiles
        self.standing = standing
        self.now = now
        self.acquaintances = acquaintances
        self.failed = failed
    }

    // MARK: Lives

    /// See ``BridgedSession/follow(_:)``.
    public func follow(_ tell: @escaping @Sendable (BridgedWord) async -> Void) async throws {
        let ends = state.withLock { $0.endedByService }
        if ends > 0 { try await Task.sleep(for: pause(configuration.endedPause, after: ends)) }
        guard identity.expiration > now() else {
            throw BridgedSessionError(.unauthorized, "the ephemeral identity has expired")
        }
        let opening = { @Sendable [identity, now] in SignedFetch(opening: identity, at: now()).message }
        let client = try await BridgedSessionError.translating {
            try await ProductionClient.connect(connecting, opening: opening, profiles: profiles, now: now)
        }
        standing.began()
        let began = ContinuousClock.now
        do {
            try await live(with: client, tell)
        } catch {
            await end(client)
            let isEndedByService = (error as? SocialClientError)?.code == .refused
            state.withLock { state in
                let isNew = ContinuousClock.now - began > configuration.settledAfter
                state.endedByService = isEndedByService ? (isNew ? 1 : state.endedByService + 1) : 0
            }
            if let error = error as? SocialClientError { throw BridgedSessionError(production: error) }
            throw error
        }
    }

    private func end(_ client: ProductionClient) async {
        state.withLock { state in
            state.client = nil
            state.turns?.finish()
            state.turns = nil
        }
        standing.ended()
        await client.close()
    }

    /// - Throws: always, in the end.
    private func live(with client: ProductionClient, _ tell: @escaping @Sendable (BridgedWord) async -> Void)
        async throws
    {
        let sightings = try await client.connectivityUpdates()
        let news = try await client.friendshipUpdates()
        let blocks = try await client.blockUpdates()
        let (turns, turn) = AsyncStream.makeStream(
            of: FriendshipTurn.self, bufferingPolicy: .bufferingOldest(configuration.unreadLimit))
        state.withLock { state in
            state.client = client
            state.turns = turn
        }
        await tell(.opened)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { throw await client.ended() }
            group.addTask { try await self.followPresence(sightings, tell) }
            group.addTask { for try await update in news { try self.put(.happened(update), turn) } }
            group.addTask { for try await update in blocks { try self.put(.happened(update), turn) } }
            group.addTask { try await self.followFriendships(client, turns, tell) }
            do {
                for try await _ in group {}
            } catch let error as SocialClientError where error.code == .connectionLost && !Task.isCancelled {
                // A connection that ended said why, which is more than a subscription knows that ended with it.
                group.cancelAll()
                throw await client.ended()
            } catch {
                group.cancelAll()
                // Who waits for its end waits through a cancellation.
                await client.close()
                throw error
            }
        }
        throw CancellationError()
    }

    private func put(_ turn: FriendshipTurn, _ turns: AsyncStream<FriendshipTurn>.Continuation) throws {
        guard case .dropped = turns.yield(turn) else { return }
        throw SocialClientError(.tooManyRequests, "\(configuration.unreadLimit) updates wait to be taken: too many")
    }

    private func pause(_ pause: ReconnectPause, after failures: Int) -> Duration {
        var generator = SystemRandomNumberGenerator()
        return pause.duration(afterFailures: failures, using: &generator)
    }

    // MARK: Presence

    private func followPresence(
        _ updates: ProductionUpdates<FriendSighting>, _ tell: @escaping @Sendable (BridgedWord) async -> Void
    ) async throws {
        let limit = configuration.unreadLimit
        let (looks, look) = AsyncStream.makeStream(
            of: FriendSighting?.self, bufferingPolicy: .bufferingOldest(limit))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for try await sighting in updates {
                    guard case .dropped = look.yield(sighting) else { continue }
                    throw SocialClientError(.tooManyRequests, "\(limit) updates wait to be taken: too many")
                }
            }
            group.addTask { [configuration] in
                var window = SightingWindow(configuration.window, openedAt: ContinuousClock.now)
                await withTaskGroup(of: Void.self) { watch in
                    watch.addTask {
                        while !Task.isCancelled {
                            try? await Task.sleep(for: configuration.window.lookEvery)
                            look.yield(nil)
                        }
                    }
                    for await sighting in looks {
                        for word in window.take(sighting, at: ContinuousClock.now) { await tell(word) }
                        // What is open is looked at; what is closed is told as it comes.
                        if window.isClosed { watch.cancelAll() }
                    }
                }
            }
            defer { group.cancelAll() }
            for try await _ in group {}
        }
        throw CancellationError()
    }

    // MARK: Friendships

    /// Readings and news, one after the other. A reading that the service cannot give is tried again for as long as the
    /// connection stands; what happens meanwhile waits.
    private func followFriendships(
        _ client: ProductionClient, _ turns: AsyncStream<FriendshipTurn>,
        _ tell: @escaping @Sendable (BridgedWord) async -> Void
    ) async throws {
        await tell(.read(try await reading(client)))
        for await turn in turns {
            switch turn {
            case .readingWanted: await tell(.read(try await reading(client)))
            case .happened(let news): await tell(.happened([news]))
            }
        }
        throw CancellationError()
    }

    private func reading(_ client: ProductionClient) async throws -> FriendshipReading {
        var failures = 0
        while true {
            do {
                let reading = try await ProductionReading.read(client) { [acquaintances, address] in
                    await acquaintances(address)
                }
                if !reading.unknown.isEmpty {
                    failed(
                        BridgedSessionError(
                            .notUnderstood, "the service does not say how it is with \(reading.unknown.count) others"))
                }
                return reading
            } catch let error as SocialClientError where error.code != .connectionLost {
                failures += 1
                failed(BridgedSessionError(production: error))
                try await Task.sleep(for: pause(configuration.readingPause, after: failures))
            }
        }
    }

    /// See ``BridgedSession/reread()``.
    public func reread() {
        guard let turns = state.withLock({ $0.turns }) else { return }
        turns.yield(.readingWanted)
    }

    // MARK: What is done

    /// Nothing: nobody is there by word of this service.
    public func heartbeat(_ whereabouts: Whereabouts?, _ state: FriendState) async throws -> Bool { false }

    /// Nothing.
    public func leave() async throws {}

    /// See ``BridgedSession/act(_:towards:)``.
    public func act(_ action: FriendshipAction, towards other: SocialAddress) async throws {
        guard let client = state.withLock({ $0.client }) else {
            throw BridgedSessionError(.lost, "there is no connection")
        }
        do {
            try await client.act(action, towards: other)
        } catch let refusal as FriendshipRefusal {
            throw BridgedSessionError(
                refusal == .tooOften ? .tooOften : .refused, "the service refused an act: \(refusal)", refusal: refusal)
        } catch let error as SocialClientError {
            throw BridgedSessionError(production: error)
        }
    }

    /// See ``BridgedSession/close()``.
    public func close() async {
        guard let client = state.withLock({ $0.client }) else { return }
        await client.close()
    }
}

extension BridgedSessionError {
    static func translating<Value>(_ operation: () async throws -> Value) async throws -> Value {
        do {
            return try await operation()
        } catch let error as SocialClientError {
            throw BridgedSessionError(production: error)
        }
    }

    /// Never with a refusal: whether an act was done is not known then.
    init(production error: SocialClientError) {
        let kind: Kind =
            switch error.code {
            case .unreachable, .badAddress: .unreachable
            case .connectionLost: .lost
            case .timedOut: .timedOut
            case .unauthorized: .unauthorized
            case .tooManyRequests: .tooOften
            case .forbidden, .refused: .refused
            case .failed: .failed
            case .notOffered, .malformed: .notUnderstood
            }
        self.init(kind, error.message)
    }
}
