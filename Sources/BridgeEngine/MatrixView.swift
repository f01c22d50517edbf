import PresenceModel
import SocialEngine

/// How a local user is, as the bridge may know it.
public enum MatrixView: Hashable, Sendable {
    /// By what a user is visible.
    public enum Source: Hashable, Sendable {
        /// At least one device of the user's own is connected.
        case devices
        /// The device `world` alone, which is the bridge's.
        case worldAlone
        /// Nothing is said about devices; the bridge goes by what it showed itself.
        case untold
    }

    /// What others see; offline too.
    case visible(PublishedState, statusText: String?, Source)
    /// The user chose to be hidden.
    case hidden
    /// Nothing is known of the user.
    case unknown
}

/// What Matrix is to show of somebody of the social side.
public enum Showing: Hashable, Sendable {
    case visible(PublishedState, statusText: String?)
    case offline
    /// The social side does not say.
    case unknown
}

/// A Matrix user and a social address are one person.
public struct Link: Hashable, Sendable {
    /// Of this server.
    public var user: UserID
    /// Of the social service.
    public var address: SocialAddress

    /// A link as given.
    public init(user: UserID, address: SocialAddress) {
        self.user = user
        self.address = address
    }
}

/// Who says that a link holds; later ones count for more.
public enum LinkSource: String, Hashable, Sendable, CaseIterable, Comparable {
    /// A file of the operator's.
    case file
    /// The operator, by command or interface.
    case `operator`
    /// The user, who proved to be both, and thereby takes part unless they decline.
    case proof

    private var rank: Int {
        switch self {
        case .file: 0
        case .operator: 1
        case .proof: 2
        }
    }

    /// By what they count for.
    public static func < (left: LinkSource, right: LinkSource) -> Bool { left.rank < right.rank }
}
