import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime

/// A journal that forgets what a kill would take: what a user was told is safe is on disk at once, everything else
/// when someone settles, or a second later.
struct SimulatedJournal: Sendable {
    static let writtenBehindBy = Duration.seconds(1)

    private struct Promise: Hashable {
        var user: UserID
        var server: ServerName
    }

    private struct Entry: Hashable {
        var observer: UserID
        var observed: UserID
    }

    private(set) var statuses: [UserID: StoredStatus] = [:]
    private var entries: Set<Entry> = []
    private var remotes: [UserID: StoredRemote] = [:]
    private var given: [Promise: Instant] = [:]
    private var asked: [UserID: Instant?] = [:]
    private var dialects: [ServerName: Dialect] = [:]
    private var pending: [(record: PresenceInstance.Record, at: Instant)] = []

    mutating func append(_ records: [PresenceInstance.Record], at now: Instant) {
        while let first = pending.first, first.at + SimulatedJournal.writtenBehindBy <= now {
            write(first.record)
            pending.removeFirst()
        }
        for record in records {
            if SimulatedJournal.isDurable(record) { write(record) } else { pending.append((record, now)) }
        }
    }

    /// Everything appended so far is on disk.
    mutating func settle() {
        for (record, _) in pending { write(record) }
        pending = []
    }

    /// A kill: of what is not on disk yet, a beginning may have made it.
    mutating func crash(at now: Instant, using generator: inout SeededGenerator) {
        append([], at: now)
        for (record, _) in pending.prefix(Int.random(in: 0...pending.count, using: &generator)) { write(record) }
        pending = []
    }

    var snapshot: PresenceInstance.Snapshot {
        var snapshot = PresenceInstance.Snapshot()
        snapshot.presence.statuses = statuses.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        snapshot.presence.entries = entries.sorted {
            ($0.observer, $0.observed) < ($1.observer, $1.observed)
        }.map { ($0.observer, $0.observed) }
        snapshot.presence.remotes = remotes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        snapshot.federation.given = given.sorted {
            ($0.key.user, $0.key.server) < ($1.key.user, $1.key.server)
        }.map { ($0.key.user, $0.key.server, $0.value) }
        snapshot.federation.asked = asked.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        snapshot.federation.dialects = dialects.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        return snapshot
    }

    private static func isDurable(_ record: PresenceInstance.Record) -> Bool {
        switch record {
        case .presence(.status), .presence(.entry), .presence(.entryRemoved): true
        case .presence(.remote), .federation: false
        }
    }

    private mutating func write(_ record: PresenceInstance.Record) {
        switch record {
        case .presence(.status(let user, let status)): statuses[user] = status
        case .presence(.entry(let observer, let observed)):
            entries.insert(Entry(observer: observer, observed: observed))
        case .presence(.entryRemoved(let observer, let observed)):
            entries.remove(Entry(observer: observer, observed: observed))
        case .presence(.remote(let user, let remote)): remotes[user] = remote
        case .federation(.promiseGiven(let user, let server, let until)):
            given[Promise(user: user, server: server)] = until
        case .federation(.promiseGivenEnded(let user, let server)):
            given[Promise(user: user, server: server)] = nil
        case .federation(.promiseAsked(let user, let until)): asked.updateValue(until, forKey: user)
        case .federation(.promiseAskedEnded(let user)): asked.removeValue(forKey: user)
        case .federation(.peer(let server, let dialect)): dialects[server] = dialect
        }
    }
}
