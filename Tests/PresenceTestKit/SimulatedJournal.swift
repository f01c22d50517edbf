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

    /// What tells two permissions apart: the pair, and whether it is a request or an answer.
    private struct PermissionKey: Hashable {
        var observed: UserID
        var observer: UserID
        var isInvite: Bool
    }

    /// The rows of users, lists and rooms that are on disk.
    private(set) var rows = PresenceRows()
    private var given: [Promise: Instant] = [:]
    private var asked: [UserID: Instant?] = [:]
    private var peers: [ServerName: FederationEngine.PeerMemory] = [:]
    /// In the order in which keys came.
    private var permissions: [(key: PermissionKey, message: PermissionMessage)] = []
    private var pending: [(record: PresenceInstance.Record, at: Instant)] = []
    private var older: Older?

    /// What was known of other servers some minutes ago.
    private struct Older: Sendable {
        var at: Instant
        var given: [Promise: Instant]
        var asked: [UserID: Instant?]
        var peers: [ServerName: FederationEngine.PeerMemory]
    }

    mutating func append(_ records: [PresenceInstance.Record], at now: Instant) {
        while let first = pending.first, first.at + SimulatedJournal.writtenBehindBy <= now {
            write(first.record)
            pending.removeFirst()
        }
        if older.map({ $0.at + .minutes(3) <= now }) ?? true {
            keep(at: now)
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

    /// The commit that ``fallBack()`` goes back to.
    mutating func keep(at now: Instant) { older = Older(at: now, given: given, asked: asked, peers: peers) }

    /// An older commit is all that is left of what was known of other servers. What was told to users stays.
    mutating func fallBack() {
        guard let older else { return }
        given = older.given
        asked = older.asked
        peers = older.peers
    }

    var snapshot: PresenceInstance.Snapshot {
        var snapshot = PresenceInstance.Snapshot()
        snapshot.presence = rows.snapshot
        snapshot.federation.given = given.sorted {
            ($0.key.user, $0.key.server) < ($1.key.user, $1.key.server)
        }.map { ($0.key.user, $0.key.server, $0.value) }
        snapshot.federation.asked = asked.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        snapshot.federation.peers = peers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        snapshot.federation.permissions = permissions.map(\.message)
        return snapshot
    }

    /// What belongs together is on disk together: a row of a list, and what another server is to be told of it.
    private static func isDurable(_ record: PresenceInstance.Record) -> Bool {
        switch record {
        case .presence(.remote), .presence(.remoteRemoved): false
        case .presence(.member), .presence(.memberRemoved): false
        case .presence: true
        case .federation(.permissionQueued): true
        case .federation, .syncCursors, .homeserver: false
        }
    }

    private mutating func write(_ record: PresenceInstance.Record) {
        switch record {
        case .presence(let record): rows.write(record)
        case .federation(.promiseGiven(let user, let server, let until)):
            given[Promise(user: user, server: server)] = until
        case .federation(.promiseGivenEnded(let user, let server)):
            given[Promise(user: user, server: server)] = nil
        case .federation(.promiseAsked(let user, let until)): asked.updateValue(until, forKey: user)
        case .federation(.promiseAskedEnded(let user)): asked.removeValue(forKey: user)
        case .federation(.peer(let server, let memory)): peers[server] = memory
        case .federation(.peerForgotten(let server)): peers[server] = nil
        case .federation(.permissionQueued(let message)):
            let key = SimulatedJournal.key(of: message)
            // Queued again after it was delivered, with the older row still on its way to the disk.
            pending.removeAll { SimulatedJournal.isEnd(of: key, $0.record) }
            if let place = permissions.firstIndex(where: { $0.key == key }) {
                permissions[place].message = message
            } else {
                permissions.append((key, message))
            }
        case .federation(.permissionDelivered(let message)):
            let key = SimulatedJournal.key(of: message)
            permissions.removeAll { $0.key == key }
        // Nobody syncs in the simulation, and there is no homeserver.
        case .syncCursors, .homeserver: break
        }
    }

    private static func isEnd(of key: PermissionKey, _ record: PresenceInstance.Record) -> Bool {
        guard case .federation(.permissionDelivered(let message)) = record else { return false }
        return SimulatedJournal.key(of: message) == key
    }

    private static func key(of message: PermissionMessage) -> PermissionKey {
        PermissionKey(
            observed: message.observed, observer: message.observer, isInvite: message.kind == .invite)
    }
}
