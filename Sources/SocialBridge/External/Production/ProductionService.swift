import AuthChain
import PresenceModel
import SocialClient
import SocialEngine
import Synchronization

/// The production service as the bridge reaches it: a connection of its own for each session, opened with headers that
/// the user's ephemeral key signs. Presence goes one way only: who is there, the world's own servers tell it.
///
/// Facts: social service, section 6; decision 30.
public final class ProductionService: BridgedService {
    /// Where, and how much.
    public struct Configuration: Sendable {
        /// Of each connection.
        public var client: ProductionClient.Configuration
        /// The most sessions at once; the others wait.
        public var sessionsLimit = 1_000
        /// Of each session.
        public var session = ProductionSession.Configuration()

        /// To `url`, with the defaults.
        public init(url: String) { client = ProductionClient.Configuration(url: url) }
    }

    /// Names that came by, for ghosts.
    public let profiles: SocialProfiles
    private let configuration: Configuration
    private let now: @Sendable () -> Instant
    private let acquaintances: @Sendable (SocialAddress) async -> [SocialAddress]
    private let standing = StandingConnections()
    private let failures: AsyncStream<BridgedSessionError>
    private let failed: AsyncStream<BridgedSessionError>.Continuation

    /// - Parameters:
    ///   - now: the wall clock, which is signed.
    ///   - acquaintances: with whom the bridge believes that a user has something on the social side:
    ///     ``BridgeEngine/BridgeEngine/socialAcquaintances(of:)``. Who is missing in a list is asked about.
    public init(
        _ configuration: Configuration, profiles: SocialProfiles = SocialProfiles(),
        now: @escaping @Sendable () -> Instant,
        acquaintances: @escaping @Sendable (SocialAddress) async -> [SocialAddress]
    ) {
        self.configuration = configuration
        self.profiles = profiles
        self.now = now
        self.acquaintances = acquaintances
        (failures, failed) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(100))
    }

    /// Nobody is spoken for without an identity.
    public var takesCredentials: Bool { true }

    /// As configured.
    public var sessionsLimit: Int? { configuration.sessionsLimit }

    /// - Throws: `unauthorized` for a token, and for an identity that is somebody else's.
    public func session(
        of user: UserID, at address: SocialAddress, with credential: SessionCredential?
    ) async throws(BridgedSessionError) -> any BridgedSession {
        guard case .identity(let identity) = credential else {
            throw BridgedSessionError(.unauthorized, "the production service takes ephemeral identities only")
        }
        guard identity.address.text == address.text else {
            throw BridgedSessionError(.unauthorized, "the identity is of another address")
        }
        return ProductionSession(
            of: address, identity: identity, client: configuration.client, configuration: configuration.session,
            profiles: profiles, standing: standing, now: now, acquaintances: acquaintances
        ) { [failed] in failed.yield($0) }
    }

    /// Those that the service has checked.
    public func connections() async -> (standing: Int, limit: Int) {
        (standing.count, configuration.sessionsLimit)
    }

    /// Lists that the service could not give. The sessions go on, and ask again.
    public func connectionFailures() -> AsyncStream<BridgedSessionError> { failures }
}

/// Counts connections that stand.
final class StandingConnections: Sendable {
    private let number = Atomic(0)

    var count: Int { number.load(ordering: .relaxed) }

    func began() { number.add(1, ordering: .relaxed) }

    func ended() { number.subtract(1, ordering: .relaxed) }
}
