import AuthChain
import BridgeEngine
import ClientGateway
import MatrixHTTP
import MatrixWire
import PresenceModel
import PresenceRuntime
import SocialBridge
import SocialEngine

/// The bridge's endpoints: for users, on the listener for clients; for the operator, among the others of theirs. One
/// endpoint, one file.
public struct BridgeGateway: Sendable {
    /// Limits of the endpoints.
    public struct Configuration: Hashable, Sendable {
        /// Past this a body is refused with 413.
        public var bodyLimitBytes = 64 * 1024
        /// Changes of one user a second, in the long run. Each may cost a few signatures.
        public var changesPerSecond = 0.2
        /// Changes of one user at once.
        public var changeBurst = 10

        /// The defaults above.
        public init() {}
    }

    let server: ServerName
    let desk: any BridgeDesk
    let tokens: any Authenticating
    let clock: any PresenceClock
    let wall: @Sendable () -> Instant
    let configuration: Configuration
    let changeRate: RequestRate<UserID>
    let spent = SpentProofs()

    /// - Parameters:
    ///   - tokens: whose an access token is.
    ///   - wall: the wall clock, by which what was signed is timely, and expires.
    public init(
        server: ServerName, desk: any BridgeDesk, tokens: any Authenticating, clock: any PresenceClock,
        wall: @escaping @Sendable () -> Instant, configuration: Configuration = Configuration()
    ) {
        self.server = server
        self.desk = desk
        self.tokens = tokens
        self.clock = clock
        self.wall = wall
        self.configuration = configuration
        changeRate = RequestRate(
            perSecond: configuration.changesPerSecond, burst: configuration.changeBurst, now: { clock.now })
    }

    /// For users.
    public var userRoutes: [Route] {
        let own = "/_matrix/client/unstable/org.presenced/bridge"
        return [
            Route("GET", own, getOwnBridge),
            Route("PUT", "\(own)/link", putOwnLink),
            Route("DELETE", "\(own)/link", deleteOwnLink),
            Route("PUT", "\(own)/credential", putOwnCredential),
            Route("DELETE", "\(own)/credential", deleteOwnCredential),
            Route("PUT", "\(own)/settings", putOwnSettings),
        ]
    }

    /// For the operator; who asks is not looked at here.
    public var operatorRoutes: [Route] {
        let base = "/_presenced/admin/v1/bridge"
        return [
            Route("GET", base, getBridge),
            Route("GET", "\(base)/links", getBridgeLinks),
            Route("PUT", "\(base)/links/*", putBridgeLink),
            Route("DELETE", "\(base)/links/*", deleteBridgeLink),
            Route("GET", "\(base)/users/*", getBridgeUser),
            Route("PUT", "\(base)/users/*", putBridgeUser),
        ]
    }

    // MARK: Who asks, and about whom

    /// The user of this server whose token the request carries.
    /// - Throws: 401 without a good one, 403 for guests.
    func caller(of request: MatrixRequest) async throws(MatrixErrorBody) -> UserID {
        let caller = try await tokens.caller(of: request)
        guard caller.kind != .guest else { throw MatrixErrorBody(.forbidden, "Guests are not bridged.") }
        return caller.key.user
    }

    /// As ``caller(of:)``, for a request that changes something.
    /// - Throws: as that, or 429.
    func changer(of request: MatrixRequest) async throws(MatrixErrorBody) -> UserID {
        let user = try await caller(of: request)
        try changeRate.take(for: user)
        return user
    }

    /// The user of this server in the path.
    func user(in request: MatrixRequest) throws(MatrixErrorBody) -> UserID {
        let text = try request.capture(0)
        let user: UserID
        do throws(IdentifierError) {
            user = try UserID(parsing: text)
        } catch {
            throw .notAUser(error)
        }
        guard user.isHosted(by: server) else {
            throw MatrixErrorBody(.invalidParameter, "The user is not of this server.")
        }
        return user
    }

    func address(_ text: String) throws(MatrixErrorBody) -> SocialAddress {
        guard !text.hasPrefix("@"), let address = try? SocialAddress(parsing: text) else {
            throw MatrixErrorBody(.invalidParameter, "address is no address of a social service.")
        }
        return address
    }

    /// Ends links, and then what was handed over, also where the former could not be stored.
    func endLinks(of user: UserID, by sources: [LinkSource]) async throws(BridgeRefusal) {
        var trouble: BridgeRefusal?
        do throws(BridgeRefusal) {
            try await desk.unlink(user, by: sources)
        } catch {
            trouble = error
        }
        try await desk.takeBackCredentials(of: user)
        if let trouble { throw trouble }
    }

    func choice(in request: MatrixRequest) async throws(MatrixErrorBody) -> BridgeChoice {
        let body = try BridgeSettingsBody.decode(
            try await request.bodyBytes(limit: configuration.bodyLimitBytes))
        var choice = BridgeChoice()
        if let participates = body.participates {
            choice.participation = participates.map { $0 ? .yes : .no } ?? .asConfigured
        }
        if let word = body.privacy {
            guard let privacy = SocialPrivacy(rawValue: word) else {
                let words = SocialPrivacy.allCases.map(\.rawValue).joined(separator: ", ")
                throw MatrixErrorBody(.invalidParameter, "privacy must be one of \(words).")
            }
            choice.privacy = privacy
        }
        return choice
    }
}

extension MatrixErrorBody {
    /// How a refusal is told. Whose the other link is only the operator may know.
    init(_ refusal: BridgeRefusal, toOperator: Bool) {
        switch refusal {
        case .link(.strangersUser): self.init(.invalidParameter, "The user is not of this server.")
        case .link(.full): self.init(.forbidden, "No more links: as many as bridge.links allows.")
        case .link(.taken(let rival, let source)):
            let who =
                toOperator
                ? "\(rival.user) is linked to \(rival.address) by \(source.words)"
                : "The address, or you, are linked otherwise, by \(source.words)"
            self.init(.linkTaken, "\(who), which counts for as much or more.", status: 409)
        case .noLinks:
            self.init(
                .forbidden, "In our own social service everybody is who they are in Matrix; there is nothing to link.")
        case .notLinked: self.init(.notFound, "You are not linked to any address.")
        case .otherAddress: self.init(.invalidParameter, "The identity is of another address than you are linked to.")
        case .notTaken(.token): self.init(.invalidParameter, "No social service here takes tokens.")
        case .notTaken(.identity): self.init(.invalidParameter, "No social service here takes identities.")
        case .notStored: self = .notStored
        }
    }
}

extension MatrixErrorCode {
    /// The address, or the user, has another link. 409.
    static let linkTaken = MatrixErrorCode(rawValue: "ORG.PRESENCED.LINK_TAKEN")
}

extension LinkSource {
    fileprivate var words: String {
        switch self {
        case .file: "the operator's file"
        case .operator: "the operator"
        case .proof: "the user's proof"
        }
    }
}
