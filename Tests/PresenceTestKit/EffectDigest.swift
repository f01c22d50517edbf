import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime

/// A 64-bit FNV-1a over effects in their order: the same in every process, unlike Swift's own hashing.
public struct EffectDigest: Hashable, Sendable {
    /// The digest of what was mixed in so far.
    public private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    /// The digest of nothing.
    public init() {}

    /// Mixes in what one server ordered in one step.
    public mutating func mix(_ effects: [PresenceInstance.Effect], of server: ServerName, at now: Instant) {
        guard !effects.isEmpty else { return }
        mix(server.text)
        mix(now)
        for effect in effects {
            switch effect {
            case .wake(let stream):
                mix(byte: 1)
                mix(stream.number)
            case .standingChanged(let server, let standing):
                mix(byte: 5)
                mix(server.text)
                mix(standing.rawValue)
            case .send(let transaction):
                mix(byte: 2)
                mix(transaction)
            case .save(.presence(let record)):
                mix(byte: 3)
                mix(record)
            case .save(.federation(let record)):
                mix(byte: 4)
                mix(record)
            // In this world nobody asks for it.
            case .localViewed: mix(byte: 7)
            // No engine says so.
            case .save(.syncCursors), .save(.homeserver): mix(byte: 6)
            }
        }
    }

    /// Mixes in a number, the least significant byte first.
    public mutating func mix(_ number: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) { mix(byte: UInt8(truncatingIfNeeded: number >> UInt64(shift))) }
    }

    /// Mixes in a text with its length, so that "ab", "c" is not "a", "bc".
    public mutating func mix(_ text: String) {
        mix(UInt64(text.utf8.count))
        for byte in text.utf8 { mix(byte: byte) }
    }

    private mutating func mix(byte: UInt8) {
        value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
    }

    private mutating func mix(_ instant: Instant) { mix(UInt64(bitPattern: instant.millisecondsSinceEpoch)) }

    private mutating func mix(_ instant: Instant?) {
        mix(byte: instant == nil ? 0 : 1)
        if let instant { mix(instant) }
    }

    private mutating func mix(_ text: String?) {
        mix(byte: text == nil ? 0 : 1)
        if let text { mix(text) }
    }

    private mutating func mix(_ presence: Presence) {
        mix(presence.state.rawValue)
        mix(presence.statusText)
        mix(presence.lastActive)
        mix(presence.deviceType?.text)
    }

    private mutating func mix(_ number: Int64?) {
        mix(byte: number == nil ? 0 : 1)
        if let number { mix(UInt64(bitPattern: number)) }
    }

    private mutating func mix(_ permission: PermissionMessage) {
        mix(permission.kind.rawValue)
        mix([permission.observed, permission.observer])
        mix(permission.request)
        mix(permission.note)
    }

    private mutating func mix(_ users: [UserID]) {
        mix(UInt64(users.count))
        for user in users { mix(user.text) }
    }

    private mutating func mix(_ transaction: OutgoingTransaction) {
        mix(transaction.id)
        mix(transaction.destination.text)
        mix(transaction.composed)
        mix(UInt64(transaction.permissions.count))
        for permission in transaction.permissions { mix(permission) }
        mix(UInt64(transaction.messages.count))
        for message in transaction.messages {
            mix(UInt64(message.push.count))
            for report in message.push {
                mix(report.user.text)
                mix(report.presence)
            }
            for users in [message.poll, message.unpoll, message.query, message.watch] { mix(users) }
            mix(UInt64(bitPattern: message.promise?.inMilliseconds ?? -1))
            for summary in [message.reminder?.promised, message.reminder?.held].compactMap(\.self) {
                mix(UInt64(summary.count))
                mix(summary.digest)
            }
            mix(byte: message.reminder?.isComplete == true ? 1 : 0)
            mix(byte: message.speaksExtension ? 1 : 0)
        }
    }

    private mutating func mix(_ record: FederationEngine.Record) {
        switch record {
        case .promiseGiven(let user, let server, let until):
            mix(byte: 1)
            mix(user.text)
            mix(server.text)
            mix(until)
        case .promiseGivenEnded(let user, let server):
            mix(byte: 2)
            mix(user.text)
            mix(server.text)
        case .promiseAsked(let user, let until):
            mix(byte: 3)
            mix(user.text)
            mix(until)
        case .promiseAskedEnded(let user):
            mix(byte: 4)
            mix(user.text)
        case .peer(let server, let memory):
            mix(byte: 5)
            mix(server.text)
            mix(memory.dialect.rawValue)
            mix(UInt64(memory.failures))
            mix(memory.retryAt ?? .epoch)
            mix(memory.silentSince ?? .epoch)
        case .peerForgotten(let server):
            mix(byte: 8)
            mix(server.text)
        case .permissionQueued(let message):
            mix(byte: 6)
            mix(message)
        case .permissionDelivered(let message):
            mix(byte: 7)
            mix(message)
        }
    }
}

// Rows of users, lists and rooms.
extension EffectDigest {
    private mutating func mix(_ record: PresenceEngine.Record) {
        switch record {
        case .status(let user, let status):
            mix(byte: 1)
            mix(user.text)
            mix(status)
        case .deviceType(let key, let type):
            mix(byte: 2)
            mix(key)
            mix(type.text)
        case .deviceTypeRemoved(let key):
            mix(byte: 3)
            mix(key)
        case .entry(let observer, let observed, let entry):
            mix(byte: 4)
            mix([observer, observed])
            mix(entry)
        case .entryRemoved(let observer, let observed):
            mix(byte: 5)
            mix([observer, observed])
        case .consent(let observed, let observer, let consent):
            mix(byte: 6)
            mix([observed, observer])
            mix(consent)
        case .consentRemoved(let observed, let observer):
            mix(byte: 7)
            mix([observed, observer])
        case .listSettings(let user, let settings):
            mix(byte: 8)
            mix(user.text)
            mix(settings)
        case .member(let room, let user):
            mix(byte: 9)
            mix(room.text)
            mix(user.text)
        case .memberRemoved(let room, let user):
            mix(byte: 10)
            mix(room.text)
            mix(user.text)
        case .remote(let user, let remote):
            mix(byte: 11)
            mix(user.text)
            mix(remote.presence)
            mix(remote.goodUntil)
        case .remoteRemoved(let user):
            mix(byte: 12)
            mix(user.text)
        }
    }

    private mutating func mix(_ key: DeviceKey) {
        mix(key.user.text)
        mix(key.device.text)
    }

    private mutating func mix(_ status: StoredStatus) {
        mix(status.chosen.rawValue)
        mix(status.statusText)
        mix(status.override?.state.rawValue)
        if case .replaced(let text)? = status.override?.text { mix(text) }
        mix(status.override?.until)
        mix(status.lastActive)
        mix(status.lastSeen)
        mix(byte: (status.isConnected ? 1 : 0) + (status.isIdle ? 2 : 0))
        mix(status.shownText)
        mix(status.shownLastActive)
    }

    private mutating func mix(_ entry: StoredEntry) {
        mix(entry.state.rawValue)
        mix(UInt64(bitPattern: entry.request))
        mix(entry.since)
        mix(entry.note)
        mix(entry.acl)
        mix(entry.groups)
    }

    private mutating func mix(_ consent: StoredConsent) {
        mix(consent.state.rawValue)
        mix(consent.request)
        mix(consent.since)
        mix(consent.note)
    }

    private mutating func mix(_ settings: StoredListSettings) {
        mix(UInt64(settings.groups.count))
        for group in settings.groups {
            mix(byte: group.slot)
            mix(group.name.text)
        }
        mix(settings.policy?.rawValue)
        let contact = settings.contact
        for rule in [contact.freeForChat, contact.online, contact.busy, contact.unavailable, contact.offline] {
            switch rule {
            case .anyone: mix(byte: 1)
            case .list: mix(byte: 2)
            case .group(let name): mix(name.text)
            case .nobody: mix(byte: 3)
            }
        }
        mix(byte: contact.refusesInvites ? 1 : 0)
    }
}
