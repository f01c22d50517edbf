import PresenceModel

/// What other servers said, a moment ago, of users whom nobody here could see yet.
///
/// A user joins a room, and their server says at once how they are: that may arrive before the homeserver told who
/// joined. Kept for a short time and of a bounded number of users, past which the oldest goes.
struct EarlyReports: Sendable {
    struct Report: Sendable {
        var presence: Presence
        var goodUntil: Instant?
        fileprivate var serial: UInt64
    }

    /// Of more users nothing is kept.
    static let limit = 4096

    private var reports: [UserID: Report] = [:]
    /// In the order of their coming; who came again is in it twice, and counts where they are last.
    private var order: [(user: UserID, at: Instant, serial: UInt64)] = []
    private var begin = 0
    private var serial: UInt64 = 0

    mutating func note(_ presence: Presence, of user: UserID, goodUntil: Instant?, at now: Instant, for time: Duration)
    {
        forget(before: now + (.zero - time))
        while order.count - begin >= EarlyReports.limit { removeFirst() }
        serial += 1
        reports[user] = Report(presence: presence, goodUntil: goodUntil, serial: serial)
        order.append((user, now, serial))
    }

    /// What was said of the user not longer than `time` ago, for the last time.
    mutating func take(_ user: UserID, at now: Instant, within time: Duration) -> Report? {
        forget(before: now + (.zero - time))
        return reports.removeValue(forKey: user)
    }

    var count: Int { reports.count }

    private mutating func forget(before instant: Instant) {
        while begin < order.count, order[begin].at < instant { removeFirst() }
    }

    private mutating func removeFirst() {
        let (user, _, serial) = order[begin]
        begin += 1
        if reports[user]?.serial == serial { reports[user] = nil }
        guard begin > EarlyReports.limit else { return }
        order.removeFirst(begin)
        begin = 0
    }
}
