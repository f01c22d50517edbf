import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime

/// Several servers with their users, devices and clients, rooms, a network between them and a clock of their own: an
/// hour takes moments, and a seed decides everything.
///
/// After every instant the engines are compared with a naive model, and with what must always hold; what does not is
/// put down in ``faults``, and the world stops. After ``heal()`` and ``calmDown()``, ``disagreements`` says who
/// still believes something else than the truth.
public struct World: Sendable {
    /// One server.
    struct Site: Sendable {
        let name: ServerName
        /// `nil` while the server is down.
        var instance: PresenceInstance?
        var boot: UInt64 = 1
        var journal = SimulatedJournal()
        var streamCount: UInt64 = 0
        /// Whose stream it is: a number of `World.clients`.
        var listeners: [StreamID: Int] = [:]
        /// The server falls after its next step.
        var isDoomed = false
        var residents: [UserID] = []
        /// What happens in rooms is heard of here so much later.
        var noticeDelay: Int64 = 0
        /// Milliseconds from the world's clock to the server's.
        var clockOffset: Int64 = 0

        // What the checks remember of this run of the server.
        var underway: [ServerName: String] = [:]
        var sent: [ServerName: OutgoingTransaction] = [:]
        var embargo: [ServerName: Instant] = [:]
        /// What the server knows of others, worked out from what passed between them.
        var peers: [ServerName: Acquaintance] = [:]
        /// Until when what others said of their users holds; `nil` inside: for good.
        var heldUntil: [UserID: Instant?] = [:]
        /// Transactions taken, the latest last: those that the server must know again.
        var taken: [ServerName: [String]] = [:]
        /// Users of other servers whom someone here wanted to know of at the last look, and when the last one was
        /// no longer wanted.
        var wanted: Set<UserID> = []
        var unwanted: [UserID: Instant] = [:]
        /// Something happened there since the last look.
        var hasStepped = false
    }

    /// One program on one device of one user.
    struct Client: Sendable {
        let key: DeviceKey
        let site: Int
        var stream: StreamID?
        var hasUnread = false
        /// Where the client stands in the changes of the run `boot` of its server.
        var position: PresenceEngine.Position?
        var boot: UInt64 = 0
        /// What it shows of others, as long as they may be seen.
        var view: [UserID: Knowledge] = [:]
        /// What it shows of its own user.
        var own: PresenceEngine.OwnState?
    }

    /// The virtual clock.
    public internal(set) var now = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
    /// What should never be, in the order in which it was seen. The world stops at the first.
    public internal(set) var faults: [String] = []
    /// Counts of what happened.
    public internal(set) var tally = Tally()
    /// What engines took, and what they ordered, one line a step; empty unless `isTraced`.
    public internal(set) var trace: [String] = []
    /// Whether ``trace`` is written, which is slow.
    public var isTraced = false
    /// Of all effects of all servers, in their order.
    public internal(set) var digest = EffectDigest()

    var generator: SeededGenerator
    var climate: Climate
    var sites: [Site] = []
    var clients: [Client] = []
    /// Those with devices.
    var users: [UserID] = []
    /// Users without devices, of whom their servers do not know at first.
    var ghosts: [UserID] = []
    var rooms: [RoomID] = []
    /// Who is in which room in truth; servers hear of it later.
    var gatherings: [RoomID: Set<UserID>] = [:]
    var agenda = Agenda()
    var model: NaiveModel
    var lostWays: Set<LostWay> = []
    /// Since when nothing goes wrong between servers; sensible if the climate is fair.
    var fairSince: Instant
    var isHealed = false
    /// When, at the latest, everybody is to agree; see ``noteHealing()``.
    var agreementDue: Instant
    var legacies: [LegacyServer] = []
    /// Sites that never come back.
    var lostSites: Set<Int> = []
    var nextAct: Instant

    // What the checks remember.
    var everPublished: [UserID: Set<NaiveModel.Look>] = [:]
    var lastTruth: [UserID: NaiveModel.Look] = [:]
    var lastTruthChange: [UserID: Instant] = [:]
    var truthChanged: Instant
    var isAccessUnchecked = true

    /// - Parameters:
    ///   - seed: limits, faults, pace, and everything that happens.
    ///   - servers: at least 1.
    public init(seed: UInt64, servers: Int = 2) throws { try self.init(seed: seed, servers: servers) { _ in } }

    /// - Parameter adjust: a last word on the climate that the seed made.
    init(seed: UInt64, servers: Int, adjust: (inout Climate) -> Void) throws {
        precondition(servers > 0, "a world without servers")
        generator = SeededGenerator(seed: seed)
        climate = Climate(using: &generator)
        for name in ["!kitchen:s0.example", "!garden:s1.example", "!square"] {
            rooms.append(try RoomID(parsing: name))
        }
        if generator.happens(400) { climate.presence.excludedRooms = [rooms[2]] }
        if generator.happens(200) {
            let server = try ServerName(parsing: "s0.example")
            climate.presence.listPolicyByServer[server] = generator.pick([.denyAll, .acceptAll, .acceptSharedRoom])
        }
        adjust(&climate)
        model = NaiveModel(limits: climate.presence)
        nextAct = now
        truthChanged = now
        fairSince = now
        agreementDue = now
        for site in 0..<servers { try populate(site) }
        for number in 0..<climate.legacyServers { try populateLegacy(number) }
        for site in 0..<servers {
            start(site)
            if let holds = climate.serverHolds { agenda.plan(.doom(site: site), at: now + generator.about(holds)) }
            guard let holds = climate.linkHolds else { continue }
            for other in 0..<site { agenda.plan(.linkFails(other, site), at: now + generator.about(holds)) }
        }
        settleIn()
    }

    private mutating func populate(_ site: Int) throws {
        let server = try ServerName(parsing: "s\(site).example")
        sites.append(Site(name: server))
        let error = climate.clockErrorMilliseconds
        sites[site].clockOffset = error > 0 ? Int64.random(in: -error...error, using: &generator) : 0
        if climate.noticeMilliseconds > 0 {
            sites[site].noticeDelay = Int64.random(in: 0...climate.noticeMilliseconds, using: &generator)
        }
        for person in 0..<climate.usersPerServer {
            let user = try UserID(parsing: "@u\(person):s\(site).example")
            users.append(user)
            sites[site].residents.append(user)
            for number in 0..<climate.devicesPerUser {
                let key = DeviceKey(user: user, device: try DeviceID(parsing: "d\(number)"))
                clients.append(Client(key: key, site: site))
                // Two programs share the first device.
                if number == 0 { clients.append(Client(key: key, site: site)) }
            }
        }
        let ghost = try UserID(parsing: "@ghost:s\(site).example")
        ghosts.append(ghost)
        sites[site].residents.append(ghost)
    }

    /// Everybody is known, many have many on their lists, and are in rooms.
    private mutating func settleIn() {
        for user in users { perform(.userKnown(user), at: site(of: user)) }
        for room in rooms {
            for user in users where generator.happens(250) { join(user, room) }
            for user in legacies.flatMap(\.users) where generator.happens(500) { join(user, room) }
        }
        for observer in users {
            for observed in users where observed != observer && generator.happens(600) {
                add(observed, to: observer)
            }
        }
        for user in users where generator.happens(600) { answerAll(user) }
    }

    /// Lets time pass. When `quiet`, users do nothing: their devices stay as they are.
    public mutating func run(for duration: Duration, quiet: Bool = false) {
        let end = now + duration
        nextAct = max(nextAct, now)
        while faults.isEmpty, let next = nextInstant(quiet: quiet), next <= end {
            now = max(now, next)
            meetDeadlines()
            while faults.isEmpty, let happening = agenda.popDue(at: now) {
                take(happening)
                meetDeadlines()
            }
            if !quiet, nextAct <= now {
                act()
                meetDeadlines()
            }
            check()
        }
        now = end
    }

    /// Ends all faults: the network is whole and quick, servers that are down come up, most clients listen.
    public mutating func heal() {
        guard faults.isEmpty else { return }
        // One last fall, with nothing after it that would say everything anew.
        for site in sites.indices where climate.serverHolds != nil && generator.happens(500) {
            if sites[site].instance != nil { kill(site) }
        }
        if climate.serverHolds != nil, generator.happens(climate.staysDown) {
            let site = Int.random(in: sites.indices, using: &generator)
            if sites[site].instance != nil { kill(site) }
            lostSites.insert(site)
        }
        climate.heal()
        lostWays = []
        isHealed = true
        fairSince = now
        // What the network still holds comes out of it.
        agenda.hurry({ if case .arrival = $0 { true } else { false } }, by: now + .seconds(1))
        for site in sites.indices where !lostSites.contains(site) {
            sites[site].isDoomed = false
            if sites[site].instance == nil { start(site) }
        }
        noteHealing()
        for client in clients.indices where generator.happens(700) { openStream(client) }
        check()
    }

    /// Quiet until everybody must agree, and on until the truth has not changed for a while. Who does not agree then is
    /// a fault.
    public mutating func calmDown() {
        let settling = climate.federation.batchStretch + .seconds(5)
        run(for: .milliseconds(max(settling.inMilliseconds, agreementDue.milliseconds(since: now))), quiet: true)
        // Of whom nothing new was to be said for as long as a batch takes.
        let early = faults.isEmpty ? sightsInDoubt(unchangedSince: now.advanced(by: .zero - settling)) : []
        for doubt in early { fault("in doubt too long: \(doubt)") }
        while faults.isEmpty, truthChanged + settling > now { run(for: .seconds(10), quiet: true) }
        guard faults.isEmpty, !legacies.isEmpty else { return }
        run(for: LegacyServer.forgetsAfter + .minutes(2), quiet: true)
    }

    private func nextInstant(quiet: Bool) -> Instant? {
        var candidates = sites.indices.compactMap { nextDeadline(of: $0) }
        if let next = agenda.next { candidates.append(next) }
        if !quiet { candidates.append(nextAct) }
        return candidates.min()
    }

    private mutating func meetDeadlines() {
        for site in sites.indices {
            guard let deadline = nextDeadline(of: site), deadline <= now else { continue }
            submit(.deadlineReached, to: site)
            if let next = nextDeadline(of: site), next <= now {
                fault("\(sites[site].name) met its deadline, and its next one is \(next), not after \(now)")
            }
        }
    }

    func site(of user: UserID) -> Int { sites.firstIndex { $0.name == user.server } ?? 0 }

    mutating func fault(_ text: String) { faults.append("\(now): \(text)") }
}
