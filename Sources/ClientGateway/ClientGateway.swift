import HTTPTypes
import MatrixHTTP
import MatrixWire
import PresenceModel
import PresenceRuntime

/// The presence endpoints that face Matrix clients: turns requests into events, and what the engine answers into
/// responses. One endpoint, one file.
public struct ClientGateway: Sendable {
    /// Limits and times of the client endpoints.
    public struct Configuration: Hashable, Sendable {
        /// Past this a body is refused with 413.
        public var bodyLimitBytes = 64 * 1024
        /// Clients may pick `org.matrix.msc3026.busy`.
        public var acceptsBusy = true
        /// What clients are told of busy users.
        public var busyValue = BusyValue.msc3026
        /// A silent stream says that it lives this often.
        public var streamKeepalive: Duration = .seconds(15)
        /// The longest wait of a long-poll; a longer one is cut to this.
        public var longPollLimit: Duration = .seconds(60)
        /// Ages leave as multiples of this.
        public var ageGranularity: Duration = .seconds(60)
        /// A longer text is refused with 413; at most ``StatusText/limitBytes``.
        public var statusTextLimitBytes = StatusText.limitBytes
        /// PUTs of one user: a second, and in one burst; 0 a second: no limit.
        public var putsPerSecond = 0.0
        /// The most PUTs of one user in one burst; below 1 counts as 1.
        public var putBurst = 10

        /// The defaults above.
        public init() {}
    }

    let server: ServerName
    let runtime: PresenceRuntime
    let tokens: TokenSource
    let configuration: Configuration
    let ageGranularityMilliseconds: Int64
    let putRate: PutRate

    /// A gateway for the users of `server`; `clock` times the limit on PUTs.
    public init(
        server: ServerName, runtime: PresenceRuntime, tokens: TokenSource, configuration: Configuration,
        clock: any PresenceClock
    ) {
        self.server = server
        self.runtime = runtime
        self.tokens = tokens
        self.configuration = configuration
        ageGranularityMilliseconds = configuration.ageGranularity.inMilliseconds
        putRate = PutRate(
            perSecond: configuration.putsPerSecond, burst: configuration.putBurst, now: { clock.now })
    }

    /// The path prefixes under which clients, old and new, look for presence. Spec: section 2.1 of the facts.
    static let prefixes = ["v3", "r0", "api/v1", "unstable"]

    /// The client endpoints, presence under every prefix that clients use.
    public var routes: RouteTable {
        var routes: [Route] = []
        for prefix in ClientGateway.prefixes {
            let path = "/_matrix/client/\(prefix)/presence/*/status"
            routes += [
                Route("GET", path) { request throws(MatrixErrorBody) in try await getPresenceStatus(request) },
                Route("PUT", path) { request throws(MatrixErrorBody) in try await putPresenceStatus(request) },
            ]
        }
        let own = "/_matrix/client/unstable/org.presenced/presence"
        routes += [
            Route("GET", "/_matrix/client/versions") { _ throws(MatrixErrorBody) in getVersions() },
            Route("GET", "\(own)/stream") { request throws(MatrixErrorBody) in try await streamPresence(request) },
            Route("GET", "\(own)/watch") { request throws(MatrixErrorBody) in try await getWatchList(request) },
            Route("PUT", "\(own)/watch/*") { request throws(MatrixErrorBody) in try await putWatchEntry(request) },
            Route("DELETE", "\(own)/watch/*") { request throws(MatrixErrorBody) in
                try await deleteWatchEntry(request)
            },
        ]
        return RouteTable(routes)
    }

    /// Whose token the request carries, in the header or (as old clients and `EventSource` do) in the query.
    /// - Throws: 401 in Synapse's words.
    func authenticate(_ request: MatrixRequest) throws(MatrixErrorBody) -> DeviceKey {
        let token: String
        if let header = request.headers[.authorization] {
            let parts = header.split(separator: " ", omittingEmptySubsequences: true)
            guard parts.count == 2, parts[0] == "Bearer" else {
                throw MatrixErrorBody(.missingToken, "Invalid Authorization header.")
            }
            token = String(parts[1])
        } else {
            guard let value = request.queryValue("access_token") else {
                throw MatrixErrorBody(.missingToken, "Missing access token")
            }
            token = value
        }
        guard let key = tokens.authenticate(token) else {
            throw MatrixErrorBody(.unknownToken, "Invalid access token passed.", softLogout: false)
        }
        return key
    }

    /// The user in the path, or `nil` for a text that has the outer form of one and cannot be anybody.
    /// - Throws: 400 in Synapse's words if it has not even the form.
    func user(in request: MatrixRequest, at place: Int) throws(MatrixErrorBody) -> UserID? {
        let text = try request.capture(place)
        do throws(IdentifierError) {
            return try UserID(parsing: text)
        } catch {
            switch error {
            case .missingSigil:
                throw MatrixErrorBody(.invalidParameter, "Expected UserID string to start with '@'")
            case .missingServerName:
                throw MatrixErrorBody(.invalidParameter, "Expected UserID of the form '@localname:domain'")
            default:
                return nil
            }
        }
    }
}
