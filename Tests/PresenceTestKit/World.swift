import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime

/// Several servers with their users, devices and clients, a network between them and a clock of their own: an hour
/// takes moments, and a seed decides everything.
///
/// After every instant the engines are compared with a naive model, and with what must always hold; what does not is
/// put down in ``faults``, and the world stops. After ``heal()`` and ``calmDown()``, ``disagreements`` says who
/// still sees something else than the truth.
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

        // What the checks remember of this run of the server.
        var underway: [ServerName: String] = [:]
        var sent: [ServerName: OutgoingTransaction] = [:]
        var embargo: [ServerName: Instant] = [:]
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
        var position: UInt64?
        var boot: UInt64 = 0
        var view: [UserID: Knowledge] = [:]
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
    var users: [UserID] = []
    var agenda = Agenda()
    var model: NaiveModel
    /// Pairs of sites, the lower first, whose network is down.
    var failedLinks: Set<[Int]> = []
    var nextAct: Instant

    // What the checks remember.
    var everPublished: [UserID: Set<NaiveModel.Look>] = [:]
    var lastTruth: [UserID: NaiveModel.Look] = [:]
    var frozenAges: [UserID: Instant?] = [:]
    var truthChanged: Instant
    var isAccessUnchecked = true

    /// - Parameters:
    ///   - seed: limits, faults, pace, and everything that happens.
    ///   - servers: at least 1.
    public init(seed: UInt64, servers: Int = 2) throws {
        precondition(servers > 0, "a world without servers")
        generator = SeededGenerator(seed: seed)
        climate = Climate(using: &generator)
        model = NaiveModel(limits: climate.presence)
        nextAct = now
        truthChanged = now
        for site in 0..<servers { try populate(site) }
        for site in 0..<servers {
            start(site)
            if let holds = climate.serverHolds { agenda.plan(.doom(site: site), at: now + generator.about(holds)) }
            guard let holds = climate.linkHolds else { continue }
            for other in 0..<site { agenda.plan(.linkFails(other, site), at: now + generator.about(holds)) }
        }
        for observer in users {
            for observed in users where observed != observer && generator.happens(700) {
                perform(.entryAdded(observer: observer, observed: observed), at: site(of: observer))
            }
        }
    }

    private mutating func populate(_ site: Int) throws {
        let server = try ServerName(parsing: "s\(site).example")
        sites.append(Site(name: server))
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
        // One last fall, with nothing after it that would say everything anew.
        for site in sites.indices where climate.serverHolds != nil && generator.happens(500) {
            if sites[site].instance != nil { kill(site) }
        }
        climate.heal()
        failedLinks = []
        for site in sites.indices {
            sites[site].isDoomed = false
            if sites[site].instance == nil { start(site) }
        }
        for client in clients.indices where generator.happens(700) { openStream(client) }
        check()
    }

    /// Quiet for as long as the slowest retry takes, and on until the truth has not changed for a while.
    public mutating func calmDown() {
        let federation = climate.federation
        run(for: federation.retryLimit * 1.25 + federation.batchStretch + .minutes(2), quiet: true)
        let settling = federation.batchStretch + .seconds(30)
        while faults.isEmpty, truthChanged + settling > now { run(for: .seconds(10), quiet: true) }
    }

    private func nextInstant(quiet: Bool) -> Instant? {
        var candidates = sites.compactMap { $0.instance?.nextDeadline }
        if let next = agenda.next { candidates.append(next) }
        if !quiet { candidates.append(nextAct) }
        return candidates.min()
    }

    private mutating func meetDeadlines() {
        for site in sites.indices {
            guard let deadline = sites[site].instance?.nextDeadline, deadline <= now else { continue }
            submit(.deadlineReached, to: site)
            if let next = sites[site].instance?.nextDeadline, next <= now {
                fault("\(sites[site].name) met its deadline, and its next one is \(next), not after \(now)")
            }
        }
    }

    func site(of user: UserID) -> Int { sites.firstIndex { $0.name == user.server } ?? 0 }

    mutating func fault(_ text: String) { faults.append("\(now): \(text)") }
}
