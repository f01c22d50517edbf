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
    let isUser: @Sendable (UserID) -> Bool
    let notices = FailureNotices<FederationError.Code>()

    /// - Parameters:
    ///   - ownKeys: what is published as ours.
    ///   - isUser: whether there is such a user here, for those of whom the engine has not heard yet.
    public init(
        server: ServerName, ownKeys: OwnKeys, keys: KeyRing, runtime: PresenceRuntime,
        configuration: Configuration, clock: any PresenceClock, logger: Logger,
        isUser: @escaping @Sendable (UserID) -> Bool
    ) {
        self.isUser = isUser
        self.server = server
        self.ownKeys = ownKeys
        self.runtime = runtime
        self.authentication = RequestAuthentication(server: server, keys: keys)
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
    }

    /// The federation endpoints: keys, version, and `send`.
    public var routes: RouteTable {
        let send: Route.Handle = { request throws(MatrixErrorBody) in try await sendTransaction(request) }
        return RouteTable([
            Route("GET", "/_matrix/key/v2/server") { _ throws(MatrixErrorBody) in getServerKeys() },
            // Old servers name a key id behind it, and get the same document. Spec: publishing keys.
            Route("GET", "/_matrix/key/v2/server/*") { _ throws(MatrixErrorBody) in getServerKeys() },
            Route("GET", "/_matrix/federation/v1/version") { _ throws(MatrixErrorBody) in getVersion() },
            Route("PUT", "/_matrix/federation/v1/send/*", send),
            // Synapse tries again with a slash behind where it got a 404.
            Route("PUT", "/_matrix/federation/v1/send/*/", send),
        ])
    }
}
