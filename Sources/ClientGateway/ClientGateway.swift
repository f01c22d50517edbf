import HTTPTypes
import MatrixHTTP
import MatrixWire
import PresenceEngine
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
        /// What clients are told of users of whom nothing is known.
        public var unknownAs = UnknownShape.offline
        /// A silent stream says that it lives this often.
        public var streamKeepalive: Duration = .seconds(15)
        /// The longest wait of a long-poll; a longer one is cut to this.
        public var longPollLimit: Duration = .seconds(60)
        /// Ages leave as multiples of this.
        public var ageGranularity: Duration = .seconds(60)
        /// A longer text is refused with 413; at most ``StatusText/limitBytes``.
        public var statusTextLimitBytes = StatusText.limitBytes
        /// Changes of one user: a second, and in one burst; 0 a second: no limit.
        public var putsPerSecond = 0.0
        /// The most changes of one user in one burst; below 1 counts as 1.
        public var putBurst = 10

        /// The defaults above.
        public init() {}
    }

    /// What clients that know nothing of `org.presenced.unknown` make of it.
    public enum UnknownShape: String, Hashable, Sendable, CaseIterable {
        /// Offline, as Synapse shows a user of whom it knows nothing.
        case offline
        /// 404 where one user is asked for, as the specification has it; offline in streams and lists.
        case notFound = "not_found"
        /// `support.feline.msc4042.v1.disabled`, which clients show as unknown.
        case disabled
    }

    let server: ServerName
    let runtime: PresenceRuntime
    let tokens: any Authenticating
    let configuration: Configuration
    let ageGranularityMilliseconds: Int64
    let putRate: RequestRate<UserID>
    let positions = StreamPositionSeal()

    /// A gateway for the users of `server`; `clock` times the limit on changes.
    public init(
        server: ServerName, runtime: PresenceRuntime, tokens: any Authenticating, configuration: Configuration,
        clock: any PresenceClock
    ) {
        self.server = server
        self.runtime = runtime
        self.tokens = tokens
        self.configuration = configuration
        ageGranularityMilliseconds = configuration.ageGranularity.inMilliseconds
        putRate = RequestRate(
            perSecond: configuration.putsPerSecond, burst: configuration.putBurst, now: { clock.now })
    }

    /// Whose token the request carries, in the header or (as old clients and `EventSource` do) in the query.
    /// - Throws: 401 in Synapse's words, or what whoever knows the tokens answers.
    func authenticate(_ request: MatrixRequest) async throws(MatrixErrorBody) -> DeviceKey {
        try await tokens.caller(of: request).key
    }

    /// As ``authenticate(_:)``, for a request that changes something.
    /// - Throws: 401, or 429 for too many changes.
    func authenticateChange(_ request: MatrixRequest) async throws(MatrixErrorBody) -> DeviceKey {
        let key = try await authenticate(request)
        try putRate.take(for: key.user)
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
            case .missingSigil, .missingServerName: throw .notAUser(error)
            default: return nil
            }
        }
    }

    /// The user in the path.
    /// - Throws: 400 if it can be nobody.
    func somebody(in request: MatrixRequest, at place: Int) throws(MatrixErrorBody) -> UserID {
        guard let user = try user(in: request, at: place) else { throw .notAUser(.forbiddenCharacter) }
        return user
    }

    /// The name of a group in the path.
    /// - Throws: 400 if it can be none.
    func group(in request: MatrixRequest, at place: Int) throws(MatrixErrorBody) -> GroupName {
        guard let name = try? GroupName(parsing: try request.capture(place)) else { throw .notAGroupName }
        return name
    }

    /// The whole body, within the limit.
    func body(of request: MatrixRequest) async throws(MatrixErrorBody) -> [UInt8] {
        try await request.bodyBytes(limit: configuration.bodyLimitBytes)
    }

    /// Does what a user asks for; it is on disk by the return.
    /// - Throws: why it cannot be done, or 503 if it is not on disk.
    func perform(_ event: PresenceEngine.Event) async throws(MatrixErrorBody) {
        // Who has just got a token may be asked, before the engine has heard of them.
        if case .entryAdded(_, let observed, _, _) = event, observed.isHosted(by: server) {
            if await tokens.knows(observed) { await runtime.submit(.presence(.userKnown(observed))) }
        }
        do {
            try await runtime.perform(event)
        } catch let refusal as PresenceEngine.Refusal {
            throw MatrixErrorBody(refusal)
        } catch {
            throw .notStored
        }
    }
}
