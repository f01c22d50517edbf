import HomeserverLink
import PresenceModel
import SocialClient
import SocialEngine

/// Ghosts as accounts of the homeserver that the application service owns, with the names that people go by. Pictures
/// are not carried: a homeserver takes those that were given to it, and services say where others lie.
public struct HomeserverGhosts: GhostMaking {
    /// Attempts to set a name at a homeserver that does not answer; past it the ghost keeps its name until the next
    /// change, or start.
    static let attemptsLimit = 5

    private let users: ApplicationServiceUsers
    private let names: @Sendable (SocialAddress) async -> String?
    private let renamed: AsyncStream<SocialAddress>
    private let ghosts: @Sendable (SocialAddress) async -> UserID?
    private let pause: ReconnectPause

    /// - Parameters:
    ///   - names: what somebody goes by; `nil`: it is not known, and their ghost goes by its address.
    ///   - renamed: who goes by another name than before, or by one at last; taken once.
    ///   - ghosts: who was made for somebody, in earlier runs too.
    ///   - pause: between attempts to set one name.
    public init(
        users: ApplicationServiceUsers, names: @escaping @Sendable (SocialAddress) async -> String?,
        renamed: AsyncStream<SocialAddress> = AsyncStream { $0.finish() },
        ghosts: @escaping @Sendable (SocialAddress) async -> UserID? = { _ in nil }, pause: ReconnectPause = .init()
    ) {
        self.users = users
        self.names = names
        self.renamed = renamed
        self.ghosts = ghosts
        self.pause = pause
    }

    /// Asks the homeserver for the account, and gives it its name.
    /// - Throws: `HomeserverTrouble`, with what would mend it.
    public func make(_ user: UserID, for address: SocialAddress) async throws {
        let known = await names(address)
        try await users.makeAccount(user, name: known)
        // Until it is made, nobody knows that there is a ghost to be named anew.
        if let now = await names(address), now != known { try await users.setName(now, of: user) }
    }

    /// Names ghosts anew, one after the other, each once for each change.
    public func keepUp() async {
        for await address in renamed {
            for failures in 1...HomeserverGhosts.attemptsLimit {
                guard let ghost = await ghosts(address), let name = await names(address) else { break }
                do {
                    try await users.setName(name, of: ghost)
                    break
                } catch {
                    var generator = SystemRandomNumberGenerator()
                    let pause = pause.duration(afterFailures: failures, using: &generator)
                    guard (try? await Task.sleep(for: pause)) != nil else { return }
                }
            }
        }
    }
}
