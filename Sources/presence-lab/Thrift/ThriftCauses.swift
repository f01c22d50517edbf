import FederationEngine

/// Why a transaction of ours was sent: the first of these that applies.
enum ThriftCause: Int, CaseIterable, Sendable {
    case fullReminder
    /// A user appeared, and with that somebody who wants to know of others.
    case appearanceWithPolls
    case polls
    /// Asked again shortly before a promise runs out.
    case renewals
    case answers
    case appearance
    /// Changes that were gathered.
    case changes
    case unpolls
    /// A reminder in short, and nothing else.
    case digestReminder
    case other

    var words: String {
        switch self {
        case .fullReminder: "full reminders"
        case .appearanceWithPolls: "appearances with polls"
        case .polls: "polls alone"
        case .renewals: "renewals of polls"
        case .answers: "answers to polls"
        case .appearance: "appearances without polls"
        case .changes: "gathered changes"
        case .unpolls: "unpolls alone"
        case .digestReminder: "digest reminders alone"
        case .other: "anything else"
        }
    }
}

/// How often each cause was one, and how much it cost.
struct ThriftCauseCounts: Sendable {
    struct Line: Sendable {
        var transactions: UInt64 = 0
        var states: UInt64 = 0
        var bytes: UInt64 = 0
    }

    private(set) var lines = [Line](repeating: Line(), count: ThriftCause.allCases.count)
    /// Digest reminders, also those that ride with something else.
    var digests: UInt64 = 0
    /// Users polled, watched, or no longer, each mention counted.
    var mentions: UInt64 = 0

    subscript(_ cause: ThriftCause) -> Line { lines[cause.rawValue] }

    mutating func note(_ cause: ThriftCause, states: Int, bytes: UInt64) {
        lines[cause.rawValue].transactions += 1
        lines[cause.rawValue].states += UInt64(states)
        lines[cause.rawValue].bytes += bytes
    }
}
