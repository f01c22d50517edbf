import PresenceEngine
import PresenceModel

/// What every user is and who may see whom, worked out anew from what happened: slow, simple, and written from the
/// design (section 3) without a look at the engines.
struct NaiveModel: Sendable {
    /// One sign of a device.
    struct Fact: Sendable {
        enum Kind: Sendable { case contact, act, opened, closed }

        var at: Instant
        var kind: Kind
    }

    /// One device from its first contact on until it is away; what is not in `facts` did not happen.
    struct Session: Sendable {
        var device: DeviceID
        var facts: [Fact]

        var openStreams: Int { facts.count { $0.kind == .opened } - facts.count { $0.kind == .closed } }
        var lastContact: Instant { facts.map(\.at).max() ?? .epoch }
        /// A device begins active.
        var lastAct: Instant { facts.enumerated().filter { $0 == 0 || $1.kind == .act }.map(\.1.at).max() ?? .epoch }
    }

    struct User: Sendable {
        var chosen = ChosenState.online
        var text: String?
        /// In the order of their beginnings.
        var sessions: [Session] = []
        var lastContact: Instant?
    }

    /// What others see.
    struct Look: Hashable, Sendable, CustomStringConvertible {
        var state: PublishedState
        var text: String?

        var description: String { text.map { "\(state) “\($0)”" } ?? "\(state)" }
    }

    let limits: PresenceEngine.Configuration
    private(set) var users: [UserID: User] = [:]
    private(set) var lists: [UserID: Set<UserID>] = [:]
    private var streams: [StreamOnServer: DeviceKey] = [:]

    private struct StreamOnServer: Hashable {
        var server: ServerName
        var stream: StreamID
    }

    init(limits: PresenceEngine.Configuration) { self.limits = limits }

    // MARK: What happens

    mutating func note(_ event: PresenceEngine.Event, on server: ServerName, at now: Instant) {
        switch event {
        case .statusChosen(let key, let state, let text):
            users[key.user, default: User()].chosen = state
            users[key.user, default: User()].text = text
            add(.act, of: key, at: now)
        case .deviceSeen(let key): add(.contact, of: key, at: now)
        case .deviceActed(let key): add(.act, of: key, at: now)
        case .deviceRevoked(let key): revoke(key, at: now)
        case .streamOpened(let stream, let key):
            add(.opened, of: key, at: now)
            streams[StreamOnServer(server: server, stream: stream)] = key
        case .streamClosed(let stream):
            guard let key = streams.removeValue(forKey: StreamOnServer(server: server, stream: stream)) else { return }
            add(.closed, of: key, at: now)
        case .entryAdded(let observer, let observed):
            guard observer != observed, lists[observer, default: []].count < limits.watchEntriesPerUser else { return }
            lists[observer, default: []].insert(observed)
        case .entryRemoved(let observer, let observed):
            lists[observer, default: []].remove(observed)
        case .started, .remoteReported, .remoteLapsed, .deadlineReached:
            break
        }
    }

    /// The server came back: of its devices only what was saved is known, and that holds for one lease.
    mutating func restart(_ server: ServerName, with rows: [UserID: StoredStatus], at now: Instant) {
        streams = streams.filter { $0.key.server != server }
        for user in users.keys where user.isHosted(by: server) {
            users[user]?.sessions = []
            users[user]?.lastContact = rows[user]?.lastSeen
            guard let row = rows[user], row.isConnected, let device = try? DeviceID(parsing: "restored") else {
                continue
            }
            let facts = [Fact(at: row.lastActive ?? now, kind: .act), Fact(at: now, kind: .contact)]
            users[user]?.sessions = [Session(device: device, facts: facts)]
        }
    }

    private mutating func add(_ kind: Fact.Kind, of key: DeviceKey, at now: Instant) {
        var user = users[key.user, default: User()]
        defer { users[key.user] = user }
        user.sessions = connected(user, at: now)
        user.lastContact = now
        if let place = user.sessions.firstIndex(where: { $0.device == key.device }) {
            user.sessions[place].facts.append(Fact(at: now, kind: kind))
            return
        }
        if user.sessions.count >= limits.devicesPerUser {
            let silent = user.sessions.filter { $0.openStreams == 0 }
            let candidates = silent.isEmpty ? user.sessions : silent
            if let victim = candidates.min(by: { $0.lastContact < $1.lastContact }) {
                user.sessions.removeAll { $0.device == victim.device }
                forgetStreams(of: DeviceKey(user: key.user, device: victim.device))
            }
        }
        user.sessions.append(Session(device: key.device, facts: [Fact(at: now, kind: kind)]))
    }

    private mutating func revoke(_ key: DeviceKey, at now: Instant) {
        guard let session = users[key.user]?.sessions.first(where: { $0.device == key.device }) else { return }
        // Whoever streams is seen until the end.
        if session.openStreams > 0 { users[key.user]?.lastContact = now }
        users[key.user]?.sessions.removeAll { $0.device == key.device }
        forgetStreams(of: key)
    }

    private mutating func forgetStreams(of key: DeviceKey) { streams = streams.filter { $0.value != key } }

    // MARK: What holds

    func look(of id: UserID, at now: Instant) -> Look {
        let user = users[id] ?? User()
        return Look(state: state(of: user, at: now), text: user.chosen == .hidden ? nil : user.text)
    }

    func isConnected(_ id: UserID, at now: Instant) -> Bool {
        users[id].map { !connected($0, at: now).isEmpty } ?? false
    }

    func maySee(_ observer: UserID, _ observed: UserID) -> Bool {
        if observer == observed { return true }
        guard lists[observer, default: []].contains(observed) else { return false }
        return observed.server != observer.server || lists[observed, default: []].contains(observer)
    }

    /// Whether anyone at `server` may see the user.
    func isVisible(_ user: UserID, at server: ServerName) -> Bool {
        lists[user, default: []].contains { $0.isHosted(by: server) }
    }

    func isMutual(_ one: UserID, _ other: UserID) -> Bool {
        lists[one, default: []].contains(other) && lists[other, default: []].contains(one)
    }

    private func state(of user: User, at now: Instant) -> PublishedState {
        let devices = connected(user, at: now)
        if user.chosen == .offline || user.chosen == .hidden { return .offline }
        if user.chosen == .busy {
            if !devices.isEmpty { return .busy }
            return user.lastContact.map { now - $0 < limits.busyEndsAfter } ?? false ? .busy : .offline
        }
        if devices.isEmpty { return .offline }
        if devices.allSatisfy({ now - $0.lastAct >= limits.idleAfter }) { return .unavailable }
        return user.chosen == .freeForChat ? .freeForChat : user.chosen == .online ? .online : .unavailable
    }

    private func connected(_ user: User, at now: Instant) -> [Session] {
        user.sessions.filter { $0.openStreams > 0 || now - $0.lastContact < limits.offlineAfter }
    }
}
