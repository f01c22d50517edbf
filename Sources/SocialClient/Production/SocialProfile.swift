import SocialEngine
import Synchronization

/// What a social service says of somebody besides their address. Not checked: users choose it themselves.
public struct SocialProfile: Hashable, Sendable {
    /// At most ``SocialProfiles/nameLimitCharacters`` characters, none of them a control character; never empty.
    public var name: String?
    /// `https://…`, at most ``SocialProfiles/pictureLimitBytes`` bytes.
    public var pictureURL: String?

    /// A profile as given.
    public init(name: String?, pictureURL: String?) {
        self.name = name
        self.pictureURL = pictureURL
    }
}

/// Names and pictures as they came by in lists and updates, the latest of each address. May be asked from any task.
public final class SocialProfiles: Sendable {
    /// A longer name is cut.
    public static let nameLimitCharacters = 100
    /// A longer address of a picture is left out.
    public static let pictureLimitBytes = 1_024

    private struct State {
        var profiles: [SocialAddress: SocialProfile] = [:]
        /// A ring of their addresses, in the order in which they first came.
        var order: [SocialAddress] = []
        var oldest = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: past this many, the one that was heard of first is forgotten.
    public init(limit: Int = 50_000) {
        precondition(limit > 0, "no room for a profile")
        self.limit = limit
    }

    /// What is known of an address; `nil`: nothing.
    public func profile(of address: SocialAddress) -> SocialProfile? {
        state.withLock { $0.profiles[address] }
    }

    /// How many are kept.
    public var count: Int { state.withLock { $0.profiles.count } }

    /// Takes what a service says; what is no name or no picture is left out, and an empty profile says nothing.
    public func note(name: String, pictureURL: String, of address: SocialAddress) {
        let profile = SocialProfile(
            name: SocialProfiles.readable(name), pictureURL: SocialProfiles.checked(pictureURL))
        guard profile.name != nil || profile.pictureURL != nil else { return }
        state.withLock { state in
            guard state.profiles.updateValue(profile, forKey: address) == nil else { return }
            guard state.order.count == limit else { return state.order.append(address) }
            state.profiles[state.order[state.oldest]] = nil
            state.order[state.oldest] = address
            state.oldest = (state.oldest + 1) % limit
        }
    }

    private static func readable(_ name: String) -> String? {
        let kept = name.unicodeScalars.lazy.filter { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: false
            default: true
            }
        }
        // Scalars first: a character may be made of any number of them.
        let cut = String(String.UnicodeScalarView(kept.prefix(4 * nameLimitCharacters))).prefix(nameLimitCharacters)
        let words = cut.split(separator: " ")
        return words.isEmpty ? nil : words.joined(separator: " ")
    }

    private static func checked(_ url: String) -> String? {
        guard url.hasPrefix("https://"), url.utf8.count <= pictureLimitBytes,
            url.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        return url
    }
}
