import PresenceEngine
import PresenceModel

// One user: what they chose, the signs of their devices, and what others see of it.
extension NaiveModel {
    /// What others see. Compared without the age where only what is worth a message counts.
    struct Look: Hashable, Sendable, CustomStringConvertible {
        var state = PublishedState.offline
        var text: String?
        var type: DeviceType?
        var lastActive: Instant?

        init() {}

        init(_ presence: Presence) {
            state = presence.state
            text = presence.statusText
            type = presence.deviceType
            lastActive = presence.lastActive
        }

        var withoutAge: Look {
            var copy = self
            copy.lastActive = nil
            return copy
        }

        var description: String {
            let words = [text.map { "“\($0)”" }, type.map { "on \($0)" }, lastActive.map { "active \($0)" }]
            return (["\(state)"] + words.compactMap(\.self)).joined(separator: " ")
        }
    }

    /// One sign of a device. Each is contact.
    struct Sign: Sendable {
        enum Kind: Hashable, Sendable {
            case seen
            case acted
            case idle(milliseconds: Int64)
            case syncedIdle
            case syncedInUse
        }

        var at: Instant
        var kind: Kind
    }

    /// One device from its first contact on until it is away.
    struct Session: Sendable {
        enum Idleness: Hashable, Sendable { case none, bySync, byReport }

        var device: DeviceID
        /// Those that later ones made void are dropped.
        var signs: [Sign]
        var streams: Set<StreamID> = []
        /// Stands for all devices of before a restart, active last then: age does not make it idle.
        var restored: Instant?

        var lastSeen: Instant { signs.map(\.at).max() ?? .epoch }

        /// Idle whatever the time, and active last: both out of all signs in their order.
        var account: (idleness: Idleness, lastActive: Instant) {
            var idleness = Idleness.none
            var lastActive = restored ?? .epoch
            for (place, sign) in signs.enumerated() {
                if place == 0, restored == nil { lastActive = Session.beginning(of: sign) }
                switch sign.kind {
                case .seen: break
                case .acted: (idleness, lastActive) = (.none, max(lastActive, sign.at))
                case .idle(let milliseconds):
                    idleness = .byReport
                    lastActive = max(lastActive, sign.at.advanced(byMilliseconds: -max(0, milliseconds)))
                case .syncedIdle: if idleness == .none { idleness = .bySync }
                case .syncedInUse: if idleness == .bySync { (idleness, lastActive) = (.none, sign.at) }
                }
            }
            return (idleness, lastActive)
        }

        /// Contact begins a device active, but for a report that it has been idle since.
        private static func beginning(of sign: Sign) -> Instant {
            guard case .idle(let milliseconds) = sign.kind else { return sign.at }
            return sign.at.advanced(byMilliseconds: -max(0, milliseconds))
        }

        mutating func add(_ sign: Sign) {
            // Whatever was said of idleness before, and every earlier activity, is void now.
            if sign.kind == .acted { signs = [] }
            let before = signs.suffix(2).map(\.kind)
            if before == [sign.kind, sign.kind], signs.count > 2 { signs.removeLast() }
            signs.append(sign)
        }
    }

    /// One user.
    struct Person: Sendable {
        var chosen = ChosenState.online
        var text: String?
        var override: PresenceOverride?
        /// Connected ones, in the order of their beginnings.
        var sessions: [Session] = []
        /// In the order of the reports, the latest last.
        var types: [(device: DeviceID, type: DeviceType)] = []
        var lastSeen: Instant?
        var lastActive: Instant?
        var leader: DeviceID?
        /// What others saw after the latest look.
        var shown = Look()
        var lookedAt = Instant.epoch

        init() {}
    }
}

extension NaiveModel.Sign.Kind {
    /// What a sync says; `nil` where it does not touch presence.
    init?(_ set: SetPresence) {
        switch set {
        case .online: self = .syncedInUse
        case .unavailable: self = .syncedIdle
        case .offline: return nil
        }
    }

    init(_ idleness: DeviceReport.Idleness) {
        switch idleness {
        case .unchanged: self = .seen
        case .idle(let milliseconds): self = .idle(milliseconds: milliseconds)
        case .active: self = .acted
        }
    }
}

// What happens to one user.
extension NaiveModel.Person {
    typealias Limits = PresenceEngine.Configuration

    /// Of all that ran before a restart, what was saved; connected devices are held for one more lease.
    init(restoredFrom row: StoredStatus, at now: Instant, _ limits: Limits) {
        chosen = row.chosen
        text = row.statusText
        override = row.override
        lastSeen = row.lastSeen
        lastActive = row.lastActive
        shown.text = row.shownText
        shown.lastActive = row.shownLastActive
        // Others saw the user until the server fell, if it was so: what follows is a step, or none.
        let isStillBusy = effective == .busy && (lastSeen.map { now - $0 < limits.busyEndsAfter } ?? false)
        let wasVisible = effective != .hidden && effective != .offline && (row.isConnected || isStillBusy)
        shown.state = wasVisible ? .online : .offline
        guard row.isConnected, let device = try? DeviceID(parsing: "org.presenced.restored") else { return }
        var session = NaiveModel.Session(device: device, signs: [NaiveModel.Sign(at: now, kind: .seen)])
        if row.isIdle { session.signs.append(NaiveModel.Sign(at: now, kind: .syncedIdle)) }
        session.restored = row.lastActive ?? .epoch
        sessions = [session]
    }

    mutating func add(_ kind: NaiveModel.Sign.Kind, on device: DeviceID, at now: Instant) {
        lastSeen = now
        let sign = NaiveModel.Sign(at: now, kind: kind)
        let place: Int
        if let held = sessions.firstIndex(where: { $0.device == device }) {
            place = held
            sessions[place].add(sign)
        } else {
            place = sessions.count
            sessions.append(NaiveModel.Session(device: device, signs: [sign]))
        }
        let active = sessions[place].account.lastActive
        lastActive = lastActive.map { max($0, active) } ?? active
    }

    mutating func hold(_ device: DeviceID, by stream: StreamID) {
        if let place = sessions.firstIndex(where: { $0.device == device }) { sessions[place].streams.insert(stream) }
    }

    mutating func release(_ device: DeviceID, by stream: StreamID) {
        if let place = sessions.firstIndex(where: { $0.device == device }) { sessions[place].streams.remove(stream) }
    }

    mutating func remember(_ type: DeviceType, of device: DeviceID, most limit: Int) {
        types.removeAll { $0.device == device }
        types.append((device, type))
        if types.count > limit { types.removeFirst() }
    }

    mutating func revoke(_ device: DeviceID, at now: Instant) {
        types.removeAll { $0.device == device }
        guard let session = sessions.first(where: { $0.device == device }) else { return }
        // Whoever streams is seen until the end.
        if !session.streams.isEmpty { lastSeen = now }
        sessions.removeAll { $0.device == device }
    }

    /// Past the bound the one seen longest ago goes; one that streams only if all do. The one that just came stays.
    mutating func evict(_ limit: Int) -> [DeviceID] {
        var forgotten: [DeviceID] = []
        while sessions.count > limit {
            let others = sessions.dropLast()
            let silent = others.filter(\.streams.isEmpty)
            guard let victim = (silent.isEmpty ? Array(others) : silent).min(by: { $0.lastSeen < $1.lastSeen }) else {
                break
            }
            sessions.removeAll { $0.device == victim.device }
            forgotten.append(victim.device)
        }
        return forgotten
    }
}

// What follows for one user.
extension NaiveModel.Person {
    var effective: ChosenState { override?.state ?? chosen }

    var effectiveText: String? {
        guard case .replaced(let text)? = override?.text else { return text }
        return text
    }

    /// Every moment after the latest look at which something may change by itself.
    func moments(_ limits: Limits) -> [Instant] {
        var found = sessions.flatMap { session in
            let idle = session.account.lastActive + limits.idleAfter
            return session.streams.isEmpty ? [session.lastSeen + limits.offlineAfter, idle] : [idle]
        }
        if let lastSeen { found.append(lastSeen + limits.busyEndsAfter) }
        if let until = override?.until { found.append(until) }
        return found.filter { $0 > lookedAt }
    }

    mutating func pass(to now: Instant, _ limits: Limits) {
        while let next = moments(limits).min(), next <= now { look(at: next, limits) }
    }

    /// Derives anew what others see, and who leads.
    mutating func look(at now: Instant, _ limits: Limits) {
        lookedAt = now
        sessions.removeAll { $0.streams.isEmpty && now - $0.lastSeen >= limits.offlineAfter }
        if let until = override?.until, until <= now { override = nil }
        leader = lead(at: now, limits)
        let state = publishedState(at: now, limits)
        let wasOffline = shown.state == .offline
        shown.state = state
        shown.type = state == .offline ? nil : types.first { $0.device == leader }?.type
        // Who hides while offline to others changes nothing that they see.
        guard effective != .hidden || !wasOffline else { return }
        shown.text = effective == .hidden ? nil : effectiveText
        if state != .offline || !wasOffline { shown.lastActive = lastActive }
    }

    func isIdle(_ session: NaiveModel.Session, at now: Instant, _ limits: Limits) -> Bool {
        let account = session.account
        if account.idleness != .none { return true }
        return session.restored == nil && now - account.lastActive >= limits.idleAfter
    }

    private func lead(at now: Instant, _ limits: Limits) -> DeviceID? {
        let awake = sessions.filter { !isIdle($0, at: now, limits) }
        if let leader, awake.contains(where: { $0.device == leader }) { return leader }
        return (awake.isEmpty ? sessions : awake).max { $0.account.lastActive < $1.account.lastActive }?.device
    }

    private func publishedState(at now: Instant, _ limits: Limits) -> PublishedState {
        switch effective {
        case .offline, .hidden: return .offline
        case .busy:
            if !sessions.isEmpty { return .busy }
            return lastSeen.map { now - $0 < limits.busyEndsAfter } ?? false ? .busy : .offline
        case .freeForChat, .online, .unavailable:
            if sessions.isEmpty { return .offline }
            if override == nil, sessions.allSatisfy({ isIdle($0, at: now, limits) }) { return .unavailable }
            return effective == .freeForChat ? .freeForChat : effective == .online ? .online : .unavailable
        }
    }
}
