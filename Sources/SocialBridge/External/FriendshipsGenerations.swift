import AuthChain
import PresenceModel
import SocialClient
import SocialEngine
import Synchronization

/// A service of the first generation: a token in every request, so that users share a few connections.
public struct FirstGeneration: BridgedService {
    private let pool: SharedConnections
    private let now: @Sendable () -> Instant

    /// - Parameters:
    ///   - client: where to; its pauses are those between attempts of one connection, at most
    ///     ``pauseLimit``, so that all are back soon after an outage.
    ///   - now: the wall clock.
    public init(
        _ client: SocialClient.Configuration, connections: SharedConnections.Configuration = .init(),
        now: @escaping @Sendable () -> Instant
    ) {
        var client = client
        client.pause.limit = min(client.pause.limit, FirstGeneration.pauseLimit)
        pool = SharedConnections(to: client, configuration: connections)
        self.now = now
    }

    /// Between attempts to connect, but for the jitter: an hour has some 360 of each connection.
    public static var pauseLimit: Duration { .seconds(10) }

    /// Where to, and the pauses.
    public var client: SocialClient.Configuration { pool.client }

    /// They do.
    public var takesCredentials: Bool { true }
    /// None: users share.
    public var sessionsLimit: Int? { nil }

    /// A session that is not alive yet.
    public func session(
        of user: UserID, at address: SocialAddress, with credential: SessionCredential?
    ) async throws(BridgedSessionError) -> any BridgedSession {
        guard case .token(let token)? = credential else {
            throw BridgedSessionError(
                .unauthorized, "the service takes tokens, and there is a credential of another kind")
        }
        guard let client = SocialClient(sharing: pool, token: token, now: now) else {
            throw BridgedSessionError(.connectionsFull, "all connections have as many users as they may")
        }
        return FriendshipsSession(client, sharesConnection: true)
    }

    /// Connections that stand, and the most.
    public func connections() async -> (standing: Int, limit: Int) {
        (await pool.standing(), pool.configuration.connectionsLimit)
    }

    /// Attempts to connect that failed.
    public func connectionFailures() -> AsyncStream<BridgedSessionError> {
        let failures = pool.failures
        return AsyncStream { continuation in
            let passing = Task {
                for await failure in failures { continuation.yield(BridgedSessionError(failure)) }
                continuation.finish()
            }
            continuation.onTermination = { _ in passing.cancel() }
        }
    }
}

/// A service of the second generation: a login by the signatures of a wallet, on a connection for each user.
public struct SecondGeneration: BridgedService {
    private let client: SocialClient.Configuration
    private let connectionsLimit: Int
    private let now: @Sendable () -> Instant
    private let logins = LoginCount()

    /// - Parameters:
    ///   - client: where to.
    ///   - connectionsLimit: users past it wait until another one needs theirs no longer.
    ///   - now: the wall clock, which is signed.
    public init(
        _ client: SocialClient.Configuration, connectionsLimit: Int, now: @escaping @Sendable () -> Instant
    ) {
        self.client = client
        self.connectionsLimit = connectionsLimit
        self.now = now
    }

    /// They do.
    public var takesCredentials: Bool { true }
    /// As many as there may be connections.
    public var sessionsLimit: Int? { connectionsLimit }

    /// A session that is not alive yet.
    public func session(
        of user: UserID, at address: SocialAddress, with credential: SessionCredential?
    ) async throws(BridgedSessionError) -> any BridgedSession {
        guard case .identity(let identity)? = credential else {
            throw BridgedSessionError(
                .unauthorized, "the service takes wallets, and there is a credential of another kind")
        }
        guard identity.address.text == address.text else {
            throw BridgedSessionError(.unauthorized, "the credential is of another address than the link")
        }
        let client = SocialClient(client, credential: .login { identity.login(at: $0) }, now: now)
        logins.add(client)
        return FriendshipsSession(client, sharesConnection: false)
    }

    /// Connections that stand, and the most.
    public func connections() async -> (standing: Int, limit: Int) { (await logins.standing(), connectionsLimit) }
}

/// Clients that have a connection of their own.
private final class LoginCount: Sendable {
    private struct Weak: Sendable {
        weak let client: SocialClient?
    }

    private let clients = Mutex<[Weak]>([])

    func add(_ client: SocialClient) {
        clients.withLock { clients in
            clients.removeAll { $0.client == nil }
            clients.append(Weak(client: client))
        }
    }

    func standing() async -> Int {
        var count = 0
        for client in clients.withLock({ $0.compactMap(\.client) }) where await client.isConnected { count += 1 }
        return count
    }
}

extension EphemeralIdentity {
    /// What Login takes: the chain, with the time signed by the ephemeral key.
    fileprivate func login(at now: Instant) -> SocialClient.SignedLogin {
        let timestamp = String(now.millisecondsSinceEpoch)
        let signed = AuthLink(
            type: AuthLink.signedEntity, payload: timestamp, signature: key.sign(timestamp).text)
        return SocialClient.SignedLogin(
            address: address.text, timestamp: timestamp, authChain: AuthChain(links: links + [signed]).text)
    }
}
