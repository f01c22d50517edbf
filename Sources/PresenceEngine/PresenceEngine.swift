import PresenceModel

/// Who is what, who may see it, and who wants to know: one server's users, their devices, lists, rooms.
///
/// A value with one door, ``handle(_:at:into:)``. It has no clock; `now` comes with every event and never goes back.
/// What other servers are told is decided by `FederationEngine`; this engine says which of its decisions concern them.
public struct PresenceEngine: Sendable {
    /// This server: users hosted by it are local.
    public let server: ServerName
    /// Fixed for the engine's life.
    public let configuration: Configuration

    let limits: UserRecord.Limits

    // By the user's number.
    var users: [UserRecord] = []
    var profiles: [Profile] = []
    /// When what observers see of the user last changed; 0: never.
    var versions: [UInt64] = []
    /// The latest ``stamp`` that met the user, so that no user is woken twice for one change.
    var marks: [UInt32] = []
    var stamp: UInt32 = 0
    var numbers: [UserID: Int32] = [:]
    /// Numbers of users who were let go of.
    var free: [Int] = []

    // By the user's number, for those who have any.
    var relations: [Int: Relations] = [:]
    var remotes: [Int: RemoteRecord] = [:]
    var overrides: [Int: PresenceOverride] = [:]
    var interests: [Int: ExplicitInterest] = [:]
    var arrivals: [Int: Arrivals] = [:]
    var deviceTypes: [Int: [RememberedType]] = [:]
    /// In the order in which they were said; of devices that are there, so no more than there may be of those.
    var deviceTexts: [Int: [DeviceText]] = [:]
    var losses: [Int: DeviceLoss] = [:]

    var rooms: [RoomRecord] = []
    var roomNumbers: [RoomID: Int] = [:]
    /// Numbers of rooms that nobody is in.
    var freeRooms: [Int] = []
    var servers: [ServerName] = []
    var serverNumbers: [ServerName: Int] = [:]
    var streams: [StreamID: StreamRecord] = [:]
    var deadlines = DeadlineQueue()
    var earlyReports = EarlyReports()
    private var latest = Instant.epoch

    /// The version that the latest change got. Versions rise with every change that an observer could see.
    public internal(set) var version: UInt64 = 0

    /// An engine that knows no user; ``restore(_:at:)`` brings back those that were saved.
    public init(server: ServerName, configuration: Configuration = Configuration()) {
        self.server = server
        self.configuration = configuration
        limits = UserRecord.Limits(configuration)
    }

    /// When ``Event/deadlineReached`` has something to do; an early, late or doubled one does no harm.
    public var nextDeadline: Instant? { deadlines.next }

    /// The one door: takes what happened, appends what follows from it.
    ///
    /// Identifiers in `event` belong to this server where the event says "local"; a foreign one there is a
    /// programmer's error. What ``refusal(of:)`` refuses changes nothing.
    public mutating func handle(_ event: Event, at now: Instant, into effects: inout [Effect]) {
        precondition(now >= latest, "time ran backwards: \(latest), \(now)")
        latest = now
        switch event {
        case .started:
            start(at: now, into: &effects)
        case .userKnown(let user):
            let number = internLocal(user)
            users[number].isKnown = true
            if configuration.tellsLocalViews { noteView(of: number, isTextNew: false, into: &effects) }
        case .userClosed(let user):
            close(user, into: &effects)
        case .interestSet(let user, let scope, let until):
            setInterest(of: user, scope, until: until, at: now, into: &effects)
        case .remoteReported(let user, let presence, let goodUntil):
            learn(presence, of: user, goodUntil: goodUntil, at: now, into: &effects)
        case .remoteRenewed(let user, let goodUntil):
            renew(user, goodUntil: goodUntil, into: &effects)
        case .remoteLapsed(let user, let reason):
            if let number = number(of: user) { lapse(number, reason, at: now, into: &effects) }
        case .deadlineReached:
            while let number = deadlines.popDue(at: now) { age(number, at: now, into: &effects) }
        case .roomJoined(let user, let room):
            join(user, room, into: &effects)
            recallEarly(user, at: now, into: &effects)
        case .roomLeft(let user, let room):
            leave(user, room, into: &effects)
        case .roomForgotten(let room):
            forget(room, into: &effects)
        default:
            if !handleDevice(event, at: now, into: &effects) { handleList(event, at: now, into: &effects) }
        }
    }

    /// As ``handle(_:at:into:)``, for callers who want a list of their own.
    public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
        var effects: [Effect] = []
        handle(event, at: now, into: &effects)
        return effects
    }

    // MARK: Numbers

    func number(of user: UserID) -> Int? { numbers[user].map { Int($0) } }

    /// The number of `user`, who is taken in if need be.
    mutating func intern(_ user: UserID) -> Int {
        if let number = numbers[user] { return Int(number) }
        let isLocal = user.isHosted(by: server)
        let number = free.popLast() ?? users.count
        if number == users.count {
            users.append(UserRecord(isLocal: isLocal))
            profiles.append(Profile(id: user))
            versions.append(0)
            marks.append(0)
        } else {
            users[number] = UserRecord(isLocal: isLocal)
            profiles[number] = Profile(id: user)
            versions[number] = 0
        }
        numbers[user] = Int32(number)
        if !isLocal { remotes[number] = RemoteRecord(server: intern(user.server)) }
        return number
    }

    /// Lets go of a user of another server, or of one who is none here, when nobody has to do with them any more: names
    /// alone must not fill the memory.
    mutating func releaseIfUnneeded(_ number: Int) {
        guard !users[number].isKnown, !users[number].isAttentive, (remotes[number]?.interested ?? 0) == 0 else {
            return
        }
        guard relations[number]?.isEmpty ?? true, numbers[profiles[number].id] == Int32(number) else { return }
        numbers[profiles[number].id] = nil
        relations[number] = nil
        remotes[number] = nil
        overrides[number] = nil
        interests[number] = nil
        arrivals[number] = nil
        deviceTypes[number] = nil
        deviceTexts[number] = nil
        losses[number] = nil
        deadlines.set(number, to: nil)
        free.append(number)
    }

    mutating func internLocal(_ user: UserID) -> Int {
        let number = intern(user)
        precondition(users[number].isLocal, "\(user) is not a user of \(server)")
        return number
    }

    mutating func intern(_ server: ServerName) -> Int {
        if let number = serverNumbers[server] { return number }
        servers.append(server)
        serverNumbers[server] = servers.count - 1
        return servers.count - 1
    }

    /// Changes what the user has to do with others.
    mutating func relate(_ number: Int, _ change: (inout Relations) -> Void) {
        users[number].hasRelations = true
        change(&relations[number, default: Relations()])
    }

    // MARK: Time

    private mutating func start(at now: Instant, into effects: inout [Effect]) {
        for number in users.indices {
            restoreAudience(of: number, into: &effects)
            askForMigratedEntries(of: number, at: now, into: &effects)
            guard users[number].isLocal else { continue }
            refresh(number, at: now, occasion: .restarted, into: &effects)
            updateInterest(of: number, into: &effects)
        }
    }

    private mutating func age(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        if users[number].isLocal {
            refresh(number, at: now, into: &effects)
            updateInterest(of: number, into: &effects)
            if configuration.canary == .forgetsToRearm { deadlines.set(number, to: nil) }
        } else if let goodUntil = remotes[number]?.goodUntil, goodUntil <= now {
            lapse(number, .promiseLapsed, at: now, into: &effects)
        }
    }
}
