import BridgeEngine
import PresenceModel
import SocialEngine

/// Where the operator and users see how it stands with the bridge, and say what they want of it. Gateways see the bridge
/// by this alone.
public protocol BridgeDesk: Sendable {
    /// How the bridge to each service stands; never empty.
    func reports() async -> [BridgeReport]
    /// Links in the order of their users, from `first` on.
    func links(from first: UserID?, limit: Int) async -> LinkPage
    /// How it stands with one user of this server.
    func account(of user: UserID) async -> BridgeAccount
    /// Makes a link in the place of the one that the same source made for the user; on disk by the return. Links are for
    /// the external service: in our own everybody is who they are in Matrix.
    func link(_ link: Link, by source: LinkSource) async throws(BridgeRefusal)
    /// Takes back what those sources say of the user; on disk by the return.
    func unlink(_ user: UserID, by sources: [LinkSource]) async throws(BridgeRefusal)
    /// Takes up what is to hold of the user; on disk by the return.
    func choose(_ choice: BridgeChoice, of user: UserID) async throws(BridgeRefusal)
    /// Whether there is an external service that takes such a credential.
    func takes(_ kind: HandedCredential.Kind) -> Bool
    /// Takes a credential for the external service; on disk by the return.
    func handOver(_ credential: HandedCredential) async throws(BridgeRefusal)
    /// Forgets what the user handed over; gone from the disk by the return.
    func takeBackCredentials(of user: UserID) async throws(BridgeRefusal)
}

/// Why something is not done.
public enum BridgeRefusal: Error, Hashable, Sendable {
    case link(LinkRefusal)
    /// There is no external service to which links lead.
    case noLinks
    /// Credentials are for linked users.
    case notLinked
    /// The credential is another wallet's than the user's.
    case otherAddress
    /// There is no external service that takes this.
    case notTaken(HandedCredential.Kind)
    /// The disk did not take it; it may hold until the next start, and is tried again.
    case notStored
}

/// What a user, or the operator for them, wants to be otherwise.
public struct BridgeChoice: Hashable, Sendable {
    /// Whether to be bridged.
    public enum Participation: Hashable, Sendable {
        case yes, no
        /// As the server is configured.
        case asConfigured

        /// As the engine has it.
        var choice: Bool? {
            switch self {
            case .yes: true
            case .no: false
            case .asConfigured: nil
            }
        }
    }

    /// `nil`: as it is.
    public var participation: Participation?
    /// What friends may see through the bridge; `nil`: as it is.
    public var privacy: SocialPrivacy?

    /// A choice as given.
    public init(participation: Participation? = nil, privacy: SocialPrivacy? = nil) {
        self.participation = participation
        self.privacy = privacy
    }
}

/// How it stands with one user of this server.
public struct BridgeAccount: Hashable, Sendable {
    /// With one service.
    public struct Session: Hashable, Sendable {
        /// Which.
        public var service: BridgeDestination
        /// It takes what is said in the user's name.
        public var isOpen: Bool
        /// When it ceased to; `nil` while it does, and for who is not bridged.
        public var closedSince: Instant?
        /// What went wrong last, of the kinds of ``SocialSideReport/failures``.
        public var latestFailure: String?
    }

    /// Links and choices: of the external service, if there is a bridge to it.
    public var view: MemberView
    /// In the order of ``BridgeDestination``.
    public var sessions: [Session]
    /// What the user handed over.
    public var credentials: [CredentialView]
}

/// How the bridge to one service stands.
public struct BridgeReport: Hashable, Sendable {
    /// What is fixed while it runs.
    public struct Setting: Hashable, Sendable {
        /// Which service.
        public var service: BridgeDestination
        /// Of the external service, without what may be secret.
        public var url: String?
        /// Of the external service: `v1`, `v2`, `production`.
        public var generation: String?
        /// `presenced` or `homeserver`.
        public var matrix: String
        /// When it was started.
        public var since: Instant

        /// A setting as given.
        public init(service: BridgeDestination, url: String?, generation: String?, matrix: String, since: Instant) {
            self.service = service
            self.url = url
            self.generation = generation
            self.matrix = matrix
            self.since = since
        }
    }

    /// What is fixed while it runs.
    public var setting: Setting
    /// What there is now.
    public var counts: BridgeEngine.Counts
    /// What happened since the start.
    public var tally: BridgeEngine.Tally
    /// Sessions and connections.
    public var social: SocialSideReport
    /// Of the external service.
    public var credentials: CredentialBook.Counts?

    /// A report as given.
    public init(
        setting: Setting, counts: BridgeEngine.Counts, tally: BridgeEngine.Tally, social: SocialSideReport,
        credentials: CredentialBook.Counts? = nil
    ) {
        self.setting = setting
        self.counts = counts
        self.tally = tally
        self.social = social
        self.credentials = credentials
    }
}
