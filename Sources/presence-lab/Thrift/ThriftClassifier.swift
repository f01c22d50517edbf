import FederationEngine
import PresenceModel

/// Finds the cause of each transaction by what was said before.
struct ThriftClassifier {
    private struct Standing: OptionSet {
        let rawValue: UInt8
        /// The link's server asked for the user, and did not say that it is enough.
        static let asked = Standing(rawValue: 1)
        /// It was not answered yet.
        static let owed = Standing(rawValue: 2)
    }

    private let links: ThriftLinks
    private var standings: [Standing]
    private var appearedAt: [Int64]
    private var isAway: [Bool]
    private(set) var counts = ThriftCauseCounts()

    init(_ links: ThriftLinks, users: Int) {
        self.links = links
        standings = [Standing](repeating: [], count: links.servers.count)
        appearedAt = [Int64](repeating: -1, count: users)
        isAway = [Bool](repeating: true, count: users)
    }

    mutating func noteChange(of user: Int, isAway away: Bool, at now: Int64) {
        if isAway[user], !away { appearedAt[user] = now }
        isAway[user] = away
    }

    mutating func noteSent(
        _ transaction: OutgoingTransaction, to destination: Int, from site: Int, bytes: UInt64, at now: Int64,
        number: (UserID) -> Int?
    ) {
        var isComplete = false
        var asks = false
        var asksAnew = false
        var answers = false
        var appears = false
        var unpolls = false
        var reminds = false
        var states = 0
        for message in transaction.messages {
            for user in message.poll + message.watch {
                asks = true
                counts.mentions += 1
                guard let link = number(user).flatMap({ links.link(of: $0, to: site) }) else { continue }
                if !standings[link].contains(.asked) { asksAnew = true }
                standings[link].insert([.asked, .owed])
            }
            for user in message.unpoll {
                unpolls = true
                counts.mentions += 1
                if let link = number(user).flatMap({ links.link(of: $0, to: site) }) { standings[link] = [] }
            }
            for report in message.push {
                states += 1
                guard let user = number(report.user) else { continue }
                if appearedAt[user] == now { appears = true }
                guard let link = links.link(of: user, to: destination), standings[link].contains(.owed) else {
                    continue
                }
                standings[link].remove(.owed)
                answers = true
            }
            if let reminder = message.reminder {
                reminds = true
                if reminder.isComplete { isComplete = true }
            }
        }
        if reminds, !isComplete { counts.digests += 1 }
        let cause: ThriftCause =
            isComplete
            ? .fullReminder
            : asksAnew && appears
                ? .appearanceWithPolls
                : asksAnew
                    ? .polls
                    : appears
                        ? .appearance
                        : asks
                            ? .renewals
                            : answers
                                ? .answers
                                : states > 0 ? .changes : unpolls ? .unpolls : reminds ? .digestReminder : .other
        counts.note(cause, states: states, bytes: bytes)
    }
}
