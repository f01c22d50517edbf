import FederationEngine
import Logging
import MatrixHTTP
import MatrixWire
import PresenceModel
import PresenceRuntime

/// The endpoints that face other servers. One endpoint, one file.
public struct FederationGateway: Sendable {
    /// Limits and times of the endpoints, and what they say of this server.
    public struct Configuration: Hashable, Sendable {
        /// Past this a body is refused with 413.
        public var bodyLimitBytes = 8 * 1024 * 1024
        /// How long our key document may be relied on.
        public var keyDocumentLife: Duration = .hours(24)
        /// The version that `GET /_matrix/federation/v1/version` tells.
        public var version = "0"
        /// Which servers are talked to.
        public var access = ServerAccess.everyone
        /// Whether EDUs are wished for; the engines decide by the same value what becomes of those that come.
        public var directions = PresenceInstance.Directions.both
        /// Signed requests of one server in the long run; 0 for no limit.
        public var requestsPerSecond = 20.0
        /// Signed requests of one server at once after a quiet time.
        public var requestBurst = 200
        /// Transactions of one server that wait for the one under way.
        public var transactionQueue = 10
        /// Which transactions are remembered, and for how long.
        public var memory = TransactionMemory.Limits()

        /// The defaults above.
        public init() {}
    }

    let server: ServerName
    let ownKeys: OwnKeys
    let runtime: PresenceRuntime
    let authentication: RequestAuthentication
    let configuration: Configuration
    let clock: any PresenceClock
    let logger: Logger
    let isUser: @Sendable (UserID) async -> Bool
    let notices = FailureNotices<FederationError.Code>()
    let rate: RequestRate<ServerName>
    let bodies: BodyBudget<ServerName>
    let incoming: IncomingTransactions

    /// - Parameters:
    ///   - ownKeys: what is published as ours.
    ///   - isUser: whether there is such a user here, for those of whom the engine has not heard yet.
    public init(
        server: ServerName, ownKeys: OwnKeys, keys: KeyRing, runtime: PresenceRuntime,
        configuration: Configuration, clock: any PresenceClock, logger: Logger,
        isUser: @escaping @Sendable (UserID) async -> Bool
    ) {
        self.isUser = isUser
        self.server = server
        self.ownKeys = ownKeys
        self.runtime = runtime
        self.authentication = RequestAuthentication(server: server, keys: keys, access: configuration.access)
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
        rate = RequestRate(
            perSecond: configuration.requestsPerSecond, burst: configuration.requestBurst, now: { clock.now })
        bodies = BodyBudget(limits: FederationGateway.bodyLimits(longest: configuration.bodyLimitBytes))
        incoming = IncomingTransactions(
            clock: clock, queueLimit: configuration.transactionQueue, memory: configuration.memory)
    }

    /// Small bodies of five hundred requests, and eight of the longest, of one sender two.
    private static func bodyLimits(longest: Int) -> BodyBudget<ServerName>.Limits {
        BodyBudget.Limits(
            small: 512 * BodyBudget<ServerName>.smallBytes, large: 8 * longest, largePerKey: 2 * longest)
    }

    /// The federation endpoints of a server without a homeserver: keys, version, what we wish to be sent, and `send`.
    public var routes: RouteTable {
        let send: Route.Handle = { request throws(MatrixErrorBody) in try await sendTransaction(request) }
        return RouteTable(
            [
                Route("GET", "/_matrix/key/v2/server") { _ throws(MatrixErrorBody) in getServerKeys() },
                // Old servers name a key id behind it, and get the same document. Spec: publishing keys.
                Route("GET", "/_matrix/key/v2/server/*") { _ throws(MatrixErrorBody) in getServerKeys() },
                Route("GET", "/_matrix/federation/v1/version") { _ throws(MatrixErrorBody) in getVersion() },
                Route("PUT", "/_matrix/federation/v1/send/*", send),
                // Synapse tries again with a slash behind where it got a 404.
                Route("PUT", "/_matrix/federation/v1/send/*/", send),
            ] + ownRoutes)
    }

    /// What we wish to be sent: answered here also beside a homeserver.
    public var ownRoutes: [Route] {
        let types: Route.Handle = { request throws(MatrixErrorBody) in try await getEDUTypes(request) }
        return [
            // Where the proposal has it, where it had it before, and where it is asked for until it is accepted.
            Route("GET", "/_matrix/federation/v1/edutypes", types),
            Route("GET", "/_matrix/federation/v1/query/edutypes", types),
            Route("GET", EDUOptOuts.target, types),
        ]
    }
}
