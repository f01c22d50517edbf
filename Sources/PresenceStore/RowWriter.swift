import FederationEngine
import Foundation
import GRDB
import PresenceEngine
import PresenceModel
import PresenceRuntime

/// Writes records as rows, inside a transaction of the caller. Statements are looked up once per transaction.
struct RowWriter {
    private let database: Database
    private var statements: [Statement?] = Array(repeating: nil, count: Sentence.allCases.count)

    private enum Sentence: Int, CaseIterable {
        case putStatus, putEntry, removeEntry, putRemote, putGiven, removeGiven, putAsked, removeAsked, putPeer

        // The cast: a text with a NUL comes as bytes, see `bindable(_:)`.
        var sql: String {
            switch self {
            case .putStatus:
                "INSERT OR REPLACE INTO local_status (user, chosen, status_text, last_active, last_seen, is_connected)"
                    + " VALUES (?, ?, CAST(? AS TEXT), ?, ?, ?)"
            case .putEntry: "INSERT OR REPLACE INTO watch_entry (observer, observed) VALUES (?, ?)"
            case .removeEntry: "DELETE FROM watch_entry WHERE observer = ? AND observed = ?"
            case .putRemote:
                "INSERT OR REPLACE INTO remote_presence (user, state, status_text, last_active, good_until)"
                    + " VALUES (?, ?, CAST(? AS TEXT), ?, ?)"
            case .putGiven: "INSERT OR REPLACE INTO promise_given (user, server, until) VALUES (?, ?, ?)"
            case .removeGiven: "DELETE FROM promise_given WHERE user = ? AND server = ?"
            case .putAsked: "INSERT OR REPLACE INTO promise_asked (user, until) VALUES (?, ?)"
            case .removeAsked: "DELETE FROM promise_asked WHERE user = ?"
            case .putPeer: "INSERT OR REPLACE INTO peer (server, dialect) VALUES (?, ?)"
            }
        }
    }

    init(_ database: Database) { self.database = database }

    mutating func write(_ record: PresenceInstance.Record) throws {
        switch record {
        case .presence(let record): try write(record)
        case .federation(let record): try write(record)
        }
    }

    private mutating func write(_ record: PresenceEngine.Record) throws {
        switch record {
        case .status(let user, let status):
            try execute(
                .putStatus,
                [
                    user.text, status.chosen.rawValue, bindable(status.statusText), milliseconds(status.lastActive),
                    milliseconds(status.lastSeen), status.isConnected,
                ])
        case .entry(let observer, let observed): try execute(.putEntry, [observer.text, observed.text])
        case .entryRemoved(let observer, let observed): try execute(.removeEntry, [observer.text, observed.text])
        case .remote(let user, let remote):
            try execute(
                .putRemote,
                [
                    user.text, remote.presence.state.rawValue, bindable(remote.presence.statusText),
                    milliseconds(remote.presence.lastActive), milliseconds(remote.goodUntil),
                ])
        }
    }

    private mutating func write(_ record: FederationEngine.Record) throws {
        switch record {
        case .promiseGiven(let user, let server, let until):
            try execute(.putGiven, [user.text, server.text, milliseconds(until)])
        case .promiseGivenEnded(let user, let server): try execute(.removeGiven, [user.text, server.text])
        case .promiseAsked(let user, let until): try execute(.putAsked, [user.text, milliseconds(until)])
        case .promiseAskedEnded(let user): try execute(.removeAsked, [user.text])
        case .peer(let server, let dialect): try execute(.putPeer, [server.text, dialect.rawValue])
        }
    }

    private mutating func execute(_ sentence: Sentence, _ arguments: StatementArguments) throws {
        let statement = try statements[sentence.rawValue] ?? database.cachedStatement(sql: sentence.sql)
        statements[sentence.rawValue] = statement
        try statement.execute(arguments: arguments)
    }

    /// GRDB hands texts to SQLite up to their first NUL; such a text goes as bytes, and becomes text in the statement.
    private func bindable(_ text: String?) -> (any DatabaseValueConvertible)? {
        guard let text, text.utf8.contains(0) else { return text }
        return Data(text.utf8)
    }

    /// Within the axis, so that no row can break a constraint and hold up all others.
    private func milliseconds(_ instant: Instant?) -> Int64? {
        instant.map { max(0, min($0, .distantFuture).millisecondsSinceEpoch) }
    }
}
