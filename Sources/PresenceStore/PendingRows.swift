import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime

/// Rows that are not on disk yet: the latest for each key, in the order in which the keys came.
///
/// Bounded by the number of keys (users, watch list entries, promises, servers), not by the number of appends: the
/// engines' own bounds hold for it.
struct PendingRows: Sendable {
    /// What a row is found by in its table.
    private enum Key: Hashable, Sendable {
        case status(UserID)
        case entry(observer: UserID, observed: UserID)
        case remote(UserID)
        case promiseGiven(UserID, to: ServerName)
        case promiseAsked(UserID)
        case peer(ServerName)

        init(_ record: PresenceInstance.Record) {
            self =
                switch record {
                case .presence(.status(let user, _)): .status(user)
                case .presence(.entry(let observer, let observed)),
                    .presence(.entryRemoved(let observer, let observed)):
                    .entry(observer: observer, observed: observed)
                case .presence(.remote(let user, _)): .remote(user)
                case .federation(.promiseGiven(let user, let server, _)),
                    .federation(.promiseGivenEnded(let user, let server)):
                    .promiseGiven(user, to: server)
                case .federation(.promiseAsked(let user, _)), .federation(.promiseAskedEnded(let user)):
                    .promiseAsked(user)
                case .federation(.peer(let server, _)): .peer(server)
                }
        }
    }

    private(set) var records: [PresenceInstance.Record] = []
    private var numbers: [Key: Int] = [:]

    var isEmpty: Bool { records.isEmpty }
    var count: Int { records.count }

    mutating func append(_ later: [PresenceInstance.Record]) {
        for record in later {
            let key = Key(record)
            if let number = numbers[key] {
                records[number] = record
            } else {
                numbers[key] = records.count
                records.append(record)
            }
        }
    }

    /// Puts rows back that were taken out earlier: what came for a key since then wins.
    mutating func putBack(_ earlier: PendingRows) {
        let later = records
        self = earlier
        append(later)
    }
}
