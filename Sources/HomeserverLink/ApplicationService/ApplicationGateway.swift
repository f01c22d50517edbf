import HTTPTypes
import Logging
import MatrixHTTP
import MatrixWire
import PresenceRuntime

/// Hears what the homeserver tells of its users' presence.
public protocol PresenceHearing: Sendable {
    /// In the order in which it was told. Returns at once: the homeserver waits.
    func hear(_ presences: [PresencePush])
}

/// The endpoints that face the homeserver: it tells what happens, and asks whether we are there and whom we have.
///
/// Spec: application service API. Both forms of a path are served: with `/_matrix/app/v1`, and as it was before that.
public struct ApplicationGateway: Sendable {
    /// Limits of the endpoints.
    public struct Configuration: Hashable, Sendable {
        /// Past this a transaction is refused with 413, and comes again for ever: a hundred events of the largest size
        /// that homeservers let pass, and as much again, are far below.
        public var bodyLimitBytes = 64 << 20
        /// Transactions that are being taken, or wait for their turn; one more is refused with 429.
        public var queueLimit = 4
        /// Whose repetitions are recognized.
        public var remembered = 1000

        /// The defaults.
        public init() {}
    }

    let registration: Registration
    let census: RoomCensus
    let configuration: Configuration
    let turns: TransactionTurns
    let presences: (any PresenceHearing)?
    let logger: Logger

    /// - Parameters:
    ///   - registration: whose `hs_token` every request must bear.
    ///   - presences: hears of presence, where the homeserver has its own.
    public init(
        registration: Registration, census: RoomCensus, presences: (any PresenceHearing)? = nil,
        configuration: Configuration = Configuration(), logger: Logger
    ) {
        self.registration = registration
        self.census = census
        self.presences = presences
        self.configuration = configuration
        self.logger = logger
        turns = TransactionTurns(limit: configuration.queueLimit, remembered: configuration.remembered)
    }

    /// The homeserver's endpoints.
    public var routes: RouteTable {
        RouteTable(
            ["/_matrix/app/v1", ""].flatMap { base in
                [
                    Route("PUT", "\(base)/transactions/*", authenticated(sendTransaction)),
                    Route("GET", "\(base)/users/*", authenticated(refuseQuery)),
                    Route("GET", "\(base)/rooms/*", authenticated(refuseQuery)),
                ]
            } + [Route("POST", "/_matrix/app/v1/ping", authenticated(ping))]
                + ["protocol", "user", "location"].flatMap { kind in
                    [
                        Route("GET", "/_matrix/app/v1/thirdparty/\(kind)", authenticated(refuseQuery)),
                        Route("GET", "/_matrix/app/v1/thirdparty/\(kind)/*", authenticated(refuseQuery)),
                    ]
                })
    }

    /// The token goes in the header; old homeservers put it into the query.
    private func authenticated(_ handle: @escaping Route.Handle) -> Route.Handle {
        { [registration] request throws(MatrixErrorBody) in
            var shown = try request.bearerToken()
            if shown == nil { shown = try request.queryValue("access_token") }
            guard let shown else { throw .noToken }
            guard registration.homeserverToken.matches(shown) else {
                throw MatrixErrorBody(.forbidden, "Not the token of this application service's homeserver.")
            }
            return try await handle(request)
        }
    }

    /// `POST /_matrix/app/v1/ping` → 200 `{}`
    func ping(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer { .emptyObject }

    /// `GET …/users/{userId}`, `…/rooms/{alias}`, `…/thirdparty/…` → 404: nothing is made on demand.
    func refuseQuery(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        throw MatrixErrorBody(.notFound, "Nothing is made on demand here.")
    }
}
