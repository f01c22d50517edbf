import SocialEngine
import Synchronization

/// Names as they came by in a social service's lists and updates, the latest of each address. Not checked: users choose
/// them themselves. May be asked from any task.
public final class SocialProfiles: Sendable {
    /// A longer name is cut.
    public static let nameLimitCharacters = 100

    /// Who goes by another name than was known, or by one at last. Taken by one task; of those that it did not take yet,
    /// the latest, as many as names are kept.
    public let renamed: AsyncStream<SocialAddress>

    private struct State {
        var names: [SocialAddress: String] = [:]
        /// A ring of their addresses, in the order in which they first came.
        var order: [SocialAddress] = []
        var oldest = 0
    }

    private let limit: Int
    private let tell: AsyncStream<SocialAddress>.Continuation
    private let state = Mutex(State())

    /// - Parameter limit: past this many, the one that was heard of first is forgotten.
    public init(limit: Int = 50_000) {
        precondition(limit > 0, "no room for a profile")
        self.limit = limit
        (renamed, tell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(limit))
    }

    /// What somebody goes by: at most ``nameLimitCharacters`` characters, none of them a control character; never empty.
    /// `nil`: it is not known.
    public func name(of address: SocialAddress) -> String? { state.withLock { $0.names[address] } }

    /// How many are kept.
    public var count: Int { state.withLock { $0.names.count } }

    /// Takes what a service says; what is no name says nothing.
    public func note(name: String, of address: SocialAddress) {
        guard let name = SocialProfiles.readable(name) else { return }
        let isNew = state.withLock { state in
            let before = state.names.updateValue(name, forKey: address)
            guard before == nil else { return before != name }
            if state.order.count < limit {
                state.order.append(address)
            } else {
                state.names[state.order[state.oldest]] = nil
                state.order[state.oldest] = address
                state.oldest = (state.oldest + 1) % limit
            }
            return true
        }
        if isNew { tell.yield(address) }
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
}
