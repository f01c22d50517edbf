import PresenceModel

/// All that the engine holds of one user, local or remote.
struct UserRecord: Sendable {
    let id: UserID
    let isLocal: Bool

    // Local users.
    var chosen = ChosenState.online
    var statusText: String?
    var devices: [DeviceLease] = []
    var streams: [StreamID] = []
    var lastSeen: Instant?
    var lastActive: Instant?
    /// The user was counted as an observer who cares.
    var countsAsInterested = false

    /// Users on the watch list, in the order of their numbers.
    var watching: [Int] = []
    /// Users who have this one on their watch list, in the order of their numbers.
    var watchers: [Int] = []
    /// Per server: how many of its users are on this local user's list.
    var audience: [ServerName: Int] = [:]

    // What observers see.
    var published: Presence?
    /// When `published` last changed in a way that observers see; 0: never.
    var version: UInt64 = 0

    // Remote users.
    var unknownSince: Instant?
    var goodUntil: Instant?
    /// Connected local observers.
    var interested = 0

    init(id: UserID, isLocal: Bool) {
        self.id = id
        self.isLocal = isLocal
    }
}

/// One device of a local user: connected while it streams, and for a while after it was last seen.
struct DeviceLease: Hashable, Sendable {
    let device: DeviceID
    var openStreams = 0
    var lastSeen: Instant
    var lastActive: Instant

    func isConnected(at now: Instant, offlineAfter: Int64) -> Bool {
        openStreams > 0 || now.milliseconds(since: lastSeen) < offlineAfter
    }
}

struct StreamRecord: Sendable {
    let user: Int
    let device: DeviceID
}
