import PresenceEngine
import PresenceModel

/// The rows of a presence engine as a store would hold them: the latest for a key.
struct PresenceRows: Sendable {
    struct Pair: Hashable, Comparable, Sendable {
        var one: UserID
        var other: UserID

        static func < (left: Pair, right: Pair) -> Bool { (left.one, left.other) < (right.one, right.other) }
    }

    struct Membership: Hashable, Comparable, Sendable {
        var room: RoomID
        var user: UserID

        static func < (left: Membership, right: Membership) -> Bool {
            (left.room, left.user) < (right.room, right.user)
        }
    }

    private(set) var statuses: [UserID: StoredStatus] = [:]
    private(set) var deviceTypes: [DeviceKey: DeviceType] = [:]
    private(set) var entries: [Pair: StoredEntry] = [:]
    private(set) var consents: [Pair: StoredConsent] = [:]
    private(set) var settings: [UserID: StoredListSettings] = [:]
    private(set) var members: Set<Membership> = []
    private(set) var remotes: [UserID: StoredRemote] = [:]

    mutating func write(_ record: PresenceEngine.Record) {
        switch record {
        case .status(let user, let status): statuses[user] = status
        case .deviceType(let key, let type): deviceTypes[key] = type
        case .deviceTypeRemoved(let key): deviceTypes[key] = nil
        case .entry(let observer, let observed, let entry): entries[Pair(one: observer, other: observed)] = entry
        case .entryRemoved(let observer, let observed): entries[Pair(one: observer, other: observed)] = nil
        case .consent(let observed, let observer, let row): consents[Pair(one: observed, other: observer)] = row
        case .consentRemoved(let observed, let observer): consents[Pair(one: observed, other: observer)] = nil
        case .listSettings(let user, let settings): self.settings[user] = settings
        case .member(let room, let user): members.insert(Membership(room: room, user: user))
        case .memberRemoved(let room, let user): members.remove(Membership(room: room, user: user))
        case .remote(let user, let remote): remotes[user] = remote
        case .remoteRemoved(let user): remotes[user] = nil
        }
    }

    /// Every table in the order of its keys.
    var snapshot: PresenceEngine.Snapshot {
        var snapshot = PresenceEngine.Snapshot()
        snapshot.statuses = statuses.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        snapshot.deviceTypes = deviceTypes.sorted {
            ($0.key.user, $0.key.device) < ($1.key.user, $1.key.device)
        }.map { ($0.key, $0.value) }
        snapshot.entries = entries.sorted { $0.key < $1.key }.map { ($0.key.one, $0.key.other, $0.value) }
        snapshot.consents = consents.sorted { $0.key < $1.key }.map { ($0.key.one, $0.key.other, $0.value) }
        snapshot.listSettings = settings.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        snapshot.members = members.sorted().map { ($0.room, $0.user) }
        snapshot.remotes = remotes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        return snapshot
    }
}
