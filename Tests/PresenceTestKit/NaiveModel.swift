import PresenceEngine
import PresenceModel

/// What every user of every server is and who may see whom, worked out anew from what happened: slow, simple, and
/// written from the rules of the presence model (design, section 3) without a look at the engines.
///
/// Of each device only signs are kept, and everything about it is worked out from them at every question. What a server
/// is told by others (who is in which room, what another server answers) is a fact for that server, whether it is so or
/// not: two servers may believe different things for a while, and the world holds each to what it was told.
struct NaiveModel: Sendable {
    /// One side's row about the other.
    struct Entry: Hashable, Sendable {
        var state: EntryState
        var request: Int64
        var note: String?
        var acl: String?
    }

    struct Consent: Hashable, Sendable {
        var state: StoredConsent.State
        var request: Int64?
        /// Of a request only; what became of it later is nobody's business.
        var note: String?
    }

    struct Interest: Hashable, Sendable {
        var scope: PresenceEngine.InterestScope
        var until: Instant
    }

    private struct StreamOnServer: Hashable {
        var server: ServerName
        var stream: StreamID
    }

    private struct Listener {
        var device: DeviceKey
        /// The stream holds its device connected.
        var holds: Bool
    }

    let limits: PresenceEngine.Configuration

    var people: [UserID: Person] = [:]
    /// Local users whom their server has ever heard of.
    var known: Set<UserID> = []
    /// By observer, then by whom they want to see.
    var entries: [UserID: [UserID: Entry]] = [:]
    /// By observed, then by who asked, may or may not.
    var consents: [UserID: [UserID: Consent]] = [:]
    var groups: [UserID: [GroupName: Set<UserID>]] = [:]
    var policies: [UserID: ListPolicy] = [:]
    var contacts: [UserID: ContactPolicy] = [:]
    /// Who is in which room, by the server that believes it.
    var rooms: [ServerName: [RoomID: Set<UserID>]] = [:]
    var interests: [UserID: Interest] = [:]
    private var streams: [StreamOnServer: Listener] = [:]

    init(limits: PresenceEngine.Configuration) { self.limits = limits }

    // MARK: What happens

    /// Takes note of an event that a server took. What the rules refuse changes nothing.
    mutating func note(_ event: PresenceEngine.Event, on server: ServerName, at now: Instant) {
        guard refusal(of: event, on: server) == nil else { return }
        if noteDevice(event, on: server, at: now) || noteList(event, at: now) { return }
        switch event {
        case .roomJoined(let user, let room): rooms[server, default: [:]][room, default: []].insert(user)
        case .roomLeft(let user, let room): rooms[server]?[room]?.remove(user)
        case .roomForgotten(let room): rooms[server]?[room] = nil
        case .interestSet(let user, let scope, let until):
            known.insert(user)
            interests[user] = scope.map { Interest(scope: $0, until: min(until, now + limits.interestLimit)) }
        case .userKnown(let user): known.insert(user)
        default: break
        }
    }

    /// - Returns: whether the event was about a device.
    private mutating func noteDevice(_ event: PresenceEngine.Event, on server: ServerName, at now: Instant) -> Bool {
        switch event {
        case .statusChosen(let key, let state, let text):
            change(key, at: now) { person in
                person.chosen = state
                person.text = text
                person.add(.acted, on: key.device, at: now)
            }
        case .overrideSet(let key, let override):
            change(key, at: now) { person in
                person.override = override
                person.add(.acted, on: key.device, at: now)
            }
        case .deviceSeen(let key): change(key, at: now) { $0.add(.seen, on: key.device, at: now) }
        case .deviceActed(let key): change(key, at: now) { $0.add(.acted, on: key.device, at: now) }
        case .deviceSynced(let key, let set):
            guard let sign = Sign.Kind(set) else { break }
            change(key, at: now) { $0.add(sign, on: key.device, at: now) }
        case .deviceReported(let key, let report):
            let limit = limits.devicesPerUser
            change(key, at: now) { person in
                if let type = report.type { person.remember(type, of: key.device, most: limit) }
                person.add(Sign.Kind(report.idleness), on: key.device, at: now)
            }
        case .deviceReportWithdrawn(let key):
            change(key, at: now) { person in
                person.types.removeAll { $0.device == key.device }
                person.add(.acted, on: key.device, at: now)
            }
        case .deviceRevoked(let key):
            change(key, at: now) { $0.revoke(key.device, at: now) }
            streams = streams.filter { $0.value.device != key }
        default: return noteStream(event, on: server, at: now)
        }
        return true
    }

    private mutating func noteStream(_ event: PresenceEngine.Event, on server: ServerName, at now: Instant) -> Bool {
        switch event {
        case .streamOpened(let stream, let key, let set):
            let mine = streams.filter { $0.value.device.user == key.user }.keys.map(\.stream)
            if mine.count >= limits.streamsPerUser, let oldest = mine.min() {
                _ = noteStream(.streamClosed(oldest), on: server, at: now)
            }
            streams[StreamOnServer(server: server, stream: stream)] = Listener(device: key, holds: set != .offline)
            guard let sign = Sign.Kind(set) else {
                known.insert(key.user)
                break
            }
            change(key, at: now) { person in
                person.add(sign, on: key.device, at: now)
                person.hold(key.device, by: stream)
            }
        case .streamClosed(let stream):
            let place = StreamOnServer(server: server, stream: stream)
            guard let listener = streams.removeValue(forKey: place), listener.holds else { break }
            let device = listener.device.device
            change(listener.device, at: now) { person in
                person.add(.seen, on: device, at: now)
                person.release(device, by: stream)
            }
        default: return false
        }
        return true
    }

    /// Lets time pass for one user, changes something, and looks.
    private mutating func change(_ key: DeviceKey, at now: Instant, _ body: (inout Person) -> Void) {
        known.insert(key.user)
        var person = people[key.user] ?? Person()
        person.pass(to: now, limits)
        body(&person)
        let forgotten = person.evict(limits.devicesPerUser)
        person.look(at: now, limits)
        people[key.user] = person
        guard !forgotten.isEmpty else { return }
        streams = streams.filter { _, listener in
            listener.device.user != key.user || !forgotten.contains(listener.device.device)
        }
    }

    // MARK: Restarts

    /// The server came back: what its disk held then is a fact, and nothing else.
    mutating func restart(_ server: ServerName, from saved: PresenceEngine.Snapshot, at now: Instant) {
        func isLocal(_ user: UserID) -> Bool { user.isHosted(by: server) }
        streams = streams.filter { $0.key.server != server }
        interests = interests.filter { !isLocal($0.key) }
        known = known.filter { !isLocal($0) }
        people = people.filter { !isLocal($0.key) }
        for (user, row) in saved.statuses {
            known.insert(user)
            people[user] = Person(restoredFrom: row, at: now, limits)
        }
        for (key, type) in saved.deviceTypes {
            people[key.user, default: Person()].remember(type, of: key.device, most: limits.devicesPerUser)
        }
        for user in people.keys where isLocal(user) { people[user]?.look(at: now, limits) }
        // Who has a row of any kind was known. That there is such a user, and no more, is said again by others.
        known.formUnion(saved.listSettings.map(\.user) + saved.entries.map(\.observer) + saved.consents.map(\.observed))
        rooms[server] = [:]
        for (room, user) in saved.members { rooms[server, default: [:]][room, default: []].insert(user) }
    }

    // MARK: What holds

    /// The user as of now: every moment until then at which something changes by itself was looked at.
    func person(_ user: UserID, at now: Instant) -> Person {
        guard var person = people[user] else { return Person() }
        person.pass(to: now, limits)
        return person
    }

    /// What others may see of a user.
    func look(of user: UserID, at now: Instant) -> Look { person(user, at: now).shown }

    func isConnected(_ user: UserID, at now: Instant) -> Bool { !person(user, at: now).sessions.isEmpty }

    func hasOpenStream(_ user: UserID) -> Bool { streams.values.contains { $0.device.user == user } }

    func isOpen(_ stream: StreamID, on server: ServerName) -> Bool {
        streams[StreamOnServer(server: server, stream: stream)] != nil
    }
}
