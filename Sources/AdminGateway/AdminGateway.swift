import HTTPTypes
import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

/// The endpoints that face the operator's own tools: who is in which room, who may open a chat with whom, why somebody is
/// seen or not, and how it stands with other servers. They have a listener of their own. One endpoint, one file.
public struct AdminGateway: Sendable {
    /// Limits of the endpoints.
    public struct Configuration: Hashable, Sendable {
        /// Past this a body is refused with 413.
        public var bodyLimitBytes = 64 * 1024
        /// Past this the members of a room are refused with 413.
        public var membersLimitBytes = 32 * 1024 * 1024

        /// The defaults above.
        public init() {}
    }

    let runtime: PresenceRuntime
    let token: AdminToken
    let configuration: Configuration
    let social: (@Sendable () async -> SocialReport)?
    let metrics: @Sendable () async -> [Metric]
    private let others: [Route]
    let edits = RoomEdits()

    /// - Parameters:
    ///   - token: what every request must carry.
    ///   - social: how the social service stands; `nil`: there is none.
    ///   - metrics: what is to be told besides what is known here.
    ///   - others: further endpoints for the operator alone; the token is asked for here.
    public init(
        runtime: PresenceRuntime, token: AdminToken, configuration: Configuration = Configuration(),
        social: (@Sendable () async -> SocialReport)? = nil,
        metrics: @escaping @Sendable () async -> [Metric] = { [] }, others: [Route] = []
    ) {
        self.metrics = metrics
        self.others = others
        self.runtime = runtime
        self.token = token
        self.social = social
        self.configuration = configuration
    }

    /// The operator's endpoints.
    public var routes: RouteTable {
        let base = "/_presenced/admin/v1"
        return RouteTable(
            [
                Route("GET", "\(base)/rooms", authenticated(getRooms)),
                Route("DELETE", "\(base)/rooms/*", authenticated(deleteRoom)),
                Route("GET", "\(base)/rooms/*/members", authenticated(getRoomMembers)),
                Route("PUT", "\(base)/rooms/*/members", authenticated(putRoomMembers)),
                Route("PUT", "\(base)/rooms/*/members/*", authenticated(putRoomMember)),
                Route("DELETE", "\(base)/rooms/*/members/*", authenticated(deleteRoomMember)),
                Route("GET", "\(base)/users/*/rooms", authenticated(getUserRooms)),
                Route("POST", "\(base)/contact_policy/check", authenticated(checkContact)),
                Route("GET", "\(base)/explain", authenticated(getExplanation)),
                Route("GET", "\(base)/peers", authenticated(getPeers)),
                Route("GET", "\(base)/social", authenticated(getSocial)),
                Route("GET", "\(base)/metrics", authenticated(getMetrics)),
            ] + others.map { $0.answered(by: authenticated) })
    }

    /// The token goes in the header only: addresses are logged, headers are not.
    private func authenticated(_ handle: @escaping Route.Handle) -> Route.Handle {
        { [token] request throws(MatrixErrorBody) in
            guard let shown = try request.bearerToken() else { throw .noToken }
            guard token.matches(shown) else {
                throw MatrixErrorBody(.unknownToken, "Invalid access token passed.")
            }
            return try await handle(request)
        }
    }

    func room(in request: MatrixRequest) throws(MatrixErrorBody) -> RoomID {
        guard let room = try? RoomID(parsing: try request.capture(0)) else {
            throw MatrixErrorBody(.invalidParameter, "Not a room identifier.")
        }
        return room
    }

    func user(in request: MatrixRequest, at place: Int) throws(MatrixErrorBody) -> UserID {
        let text = try request.capture(place)
        do throws(IdentifierError) {
            return try UserID(parsing: text)
        } catch {
            throw .notAUser(error)
        }
    }

    /// On disk by the return.
    /// - Throws: 403 past a limit, or 503 if it is not on disk.
    func perform(_ event: PresenceEngine.Event) async throws(MatrixErrorBody) {
        do {
            try await runtime.perform(event)
        } catch let refusal as PresenceEngine.Refusal {
            throw AdminGateway.words(for: refusal)
        } catch {
            throw .notStored
        }
    }

    static func words(for refusal: PresenceEngine.Refusal) -> MatrixErrorBody {
        guard case .roomsFull(let limit) = refusal else {
            return MatrixErrorBody(.forbidden, "Refused: \(refusal).")
        }
        return MatrixErrorBody(.forbidden, "No more rooms for this user: \(limit) are the most.")
    }
}
