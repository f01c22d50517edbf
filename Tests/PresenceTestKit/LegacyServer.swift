import FederationEngine
import PresenceModel

/// One of today's servers, as far as another one notices (facts, section 6): it tells every server in a room with one of
/// its users of every change, refreshes whoever is not offline after 25 min, ignores polls and everything else that it does
/// not know, and takes a user of another server for offline 30 min after the last push.
struct LegacyServer: Sendable {
    static let refreshesAfter = Duration.minutes(25)
    static let forgetsAfter = Duration.minutes(30)
    static let triesAgainAfter = Duration.minutes(1)

    /// States on their way to one server.
    struct Push: Hashable, Sendable {
        /// Which of the legacy servers.
        var from: Int
        var number: Int
        /// Ages are left out.
        var reports: [PresenceMessage.Report]
    }

    /// What it was told of another server's user.
    struct Held: Sendable {
        var presence: Presence
        var at: Instant
    }

    let name: ServerName
    var users: [UserID] = []
    var presences: [UserID: Presence] = [:]
    var held: [UserID: Held] = [:]
    /// Users of whom a site is still to be told, and from when on.
    var waiting: [Int: Set<UserID>] = [:]
    var notBefore: [Int: Instant] = [:]
    /// When a site took a user last.
    var told: [Int: [UserID: Instant]] = [:]
    /// Transactions taken, by their origin.
    var taken: [ServerName: Set<String>] = [:]
    var pushCount = 0

    /// What it believes of another server's user.
    func state(of user: UserID, at now: Instant) -> PublishedState {
        guard let held = held[user], now < held.at + LegacyServer.forgetsAfter else { return .offline }
        return held.presence.state
    }
}
