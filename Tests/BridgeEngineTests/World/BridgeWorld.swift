import BridgeEngine
import PresenceModel
import SocialEngine

/// A naive homeserver, a naive social service, and the bridge between them, which falls and rises; sessions that break
/// and delay, and people who do things on both sides. A seed decides everything.
///
/// What should never be is put down in ``faults``. After ``heal()`` and a quiet time, ``disagreements`` says what is not
/// the same on both sides.
struct BridgeWorld: Sendable {
    struct Person: Sendable {
        let address: SocialAddress
        /// `nil` for a stranger, who is on the social side alone.
        let user: UserID?

        // In Matrix.
        var own = MatrixView.visible(.offline, statusText: nil, .devices)
        var world: Showing?
        var participates = true
        var privacy = SocialPrivacy.full
        /// The view that the bridge was told last.
        var toldView: MatrixView?

        // On the social side.
        var isInWorld = false
        var place: Whereabouts?
        var bridgeBeat: Instant?
        var bridgeState = FriendState.online
        /// As the service has it, of whomever it heard.
        var storedPlace: Whereabouts?
        /// Where they ever were themself.
        var places: Set<Whereabouts> = []
        var lastInWorld: Instant?

        // What the checks remember.
        var beats: [Instant] = []
        var matrixChanges: [Instant] = []
    }

    /// The bridge's session of one address.
    struct Session: Sendable {
        var isWanted = false
        var isOpen = false
        var generation = 0
        var delay: Int64 = 0
        var lastArrival = Instant.epoch
        var lastDeparture = Instant.epoch
    }

    enum Happening: Sendable {
        case connect(Int, generation: Int)
        case breakDown(Int)
        case toBridge(BridgeEngine.Event, Int, generation: Int)
        case toService(BridgeEngine.Effect, Int, generation: Int)
        case toMatrix(BridgeEngine.Effect, boot: Int)
        case fromMatrix(BridgeEngine.Event, boot: Int)
        case nativeBeat(Int)
        case expiry
        case outage
        case outageEnds
        case fall
    }

    let server: ServerName
    var now = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
    var weather: Weather
    var generator: SeededGenerator
    var engine: BridgeEngine
    var boot = 1
    var journal: [String: BridgeEngine.Record] = [:]
    var people: [Person] = []
    var sessions: [Session] = []
    var isServiceUp = true
    /// Since when nobody was told anything of the social side.
    var silentSince: Instant?
    var matrixTies = Ties()
    var socialTies = Ties()
    /// What the service told of somebody last.
    var told: [Int: FriendSighting] = [:]
    var ghostShown: [UserID: Showing] = [:]
    var ghostsMade: Set<UserID> = []
    var matrixArrival = Instant.epoch
    var agenda: [(at: Instant, happening: Happening)] = []
    var nextAct: Instant
    var isDoomed = false
    /// In Matrix, hidden users look to the bridge as if they were offline.
    var showsHiddenAsOffline = false

    var faults: [String] = []
    var effectCount = 0
    var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    var trace: [String] = []
    var isTraced = false
    var lastShown: [UserID: (at: Instant, showing: Showing, boot: Int)] = [:]
    var failedShows: Set<UserID> = []
    var acts = 0
    var orders = 0
    /// Of a pair, what was done last on either side: `true` if it took something back.
    var lastAct: [Ties.Way: Bool] = [:]
    var tieActs = 0
    /// Who ever took part anew, and when somebody did last.
    var hasRelinked: Set<Int> = []
    var relinkedAt: Instant?

    init(seed: UInt64, adjust: (inout Weather) -> Void = { _ in }) throws {
        generator = SeededGenerator(seed: seed)
        weather = Weather(using: &generator)
        adjust(&weather)
        server = try ServerName(parsing: "here.example")
        engine = BridgeEngine(server: server, configuration: weather.bridge, seed: seed)
        nextAct = now
        for number in 0..<weather.members {
            // By rule, or by table.
            let address = String(repeating: "\(number + 1)", count: 40)
            let user = number % 2 == 0 ? "@0x\(address):\(server)" : "@member\(number):\(server)"
            people.append(
                Person(address: try SocialAddress(parsing: "0x\(address)"), user: try UserID(parsing: user)))
        }
        for number in 0..<weather.strangers {
            let address = String(repeating: "\("fed".dropFirst(number).first ?? "c")", count: 40)
            people.append(Person(address: try SocialAddress(parsing: "0x\(address)"), user: nil))
        }
        sessions = people.map { _ in Session() }
        for index in people.indices {
            guard let user = people[index].user else { continue }
            if index % 2 == 0 {
                submit(.userKnown(user))
            } else {
                submit(.linkAdded(Link(user: user, address: people[index].address), .operator))
            }
        }
        befriendSome()
        planFaults()
        for index in people.indices { reportView(of: index) }
    }

    private mutating func planFaults() {
        for index in people.indices { if let holds = weather.sessionHolds { plan(.breakDown(index), in: holds) } }
        if let holds = weather.socialHolds { plan(.outage, in: holds) }
        if let holds = weather.bridgeHolds { plan(.fall, in: holds) }
    }

    // MARK: Time

    mutating func plan(_ happening: Happening, at instant: Instant) {
        let place = agenda.lastIndex { $0.at <= instant }.map { $0 + 1 } ?? 0
        agenda.insert((instant, happening), at: place)
    }

    mutating func plan(_ happening: Happening, in mean: Duration) { plan(happening, at: now + generator.about(mean)) }

    mutating func run(for duration: Duration, quiet: Bool = false) {
        let end = now + duration
        nextAct = max(nextAct, now)
        while faults.isEmpty {
            let candidates = [engine.nextDeadline, agenda.first?.at, quiet ? nil : nextAct].compactMap(\.self)
            guard let next = candidates.min(), next <= end else { break }
            now = max(now, next)
            if let due = engine.nextDeadline, due <= now {
                submit(.deadlineReached)
                if let due = engine.nextDeadline, due <= now {
                    fault("a deadline at \(due) that was met is still there")
                }
            }
            while faults.isEmpty, let first = agenda.first, first.at <= now {
                agenda.removeFirst()
                take(first.happening)
            }
            checkSilence()
            if !quiet, nextAct <= now {
                act()
                nextAct = now + generator.about(.milliseconds(weather.paceMilliseconds))
            }
        }
        now = max(now, end)
    }

    /// Nothing goes wrong any more, and everything is up.
    mutating func heal() {
        if weather.bridgeHolds != nil, generator.happens(500) { take(.fall) }
        weather.heal()
        agenda.removeAll { plan in
            switch plan.happening {
            case .breakDown, .outage, .fall: true
            default: false
            }
        }
        isServiceUp = true
        silentSince = nil
        for index in sessions.indices { sessions[index].delay = min(sessions[index].delay, 50) }
    }

    // MARK: The bridge

    mutating func submit(_ event: BridgeEngine.Event) {
        let effects = engine.handle(event, at: now)
        if isTraced {
            trace.append("\(now.millisecondsSinceEpoch % 10_000_000) \(event)")
            for effect in effects { trace.append("        → \(effect)") }
        }
        effectCount += effects.count
        for case .save(let record) in effects { keep(record) }
        // Between keeping and doing.
        if isDoomed, !effects.isEmpty {
            isDoomed = false
            return rise()
        }
        for effect in effects {
            mix(effect)
            carryOut(effect)
        }
    }

    mutating func mix(_ effect: BridgeEngine.Effect) {
        guard isTraced else { return }
        for byte in "\(effect)".utf8 { digest = (digest ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    }

    private mutating func keep(_ record: BridgeEngine.Record) {
        switch record {
        case .link(let link, let sources): journal["link \(link.user)"] = sources.isEmpty ? nil : record
        case .person(let user, _): journal["person \(user)"] = record
        case .beats(let address, _): journal["beats \(address)"] = record
        case .shown(let address, let shown): journal["shown \(address)"] = shown == nil ? nil : record
        case .ghost(let address): journal["ghost \(address)"] = record
        case .pair(let first, let second, let pair): journal["pair \(first) \(second)"] = pair == nil ? nil : record
        }
    }

    /// The bridge falls, and another one comes in its place.
    mutating func rise() {
        if isTraced { trace.append("\(now.millisecondsSinceEpoch % 10_000_000) FALLS") }
        boot += 1
        if silentSince != nil { silentSince = now }
        for index in sessions.indices {
            sessions[index] = Session(generation: sessions[index].generation + 1)
        }
        engine = BridgeEngine(server: server, configuration: weather.bridge, seed: UInt64(boot))
        let records = journal.sorted { $0.key < $1.key }.map(\.value)
        submit(.restored(records))
        for index in people.indices {
            people[index].toldView = nil
            people[index].beats = []
            if people[index].user != nil { reportView(of: index) }
        }
    }

    mutating func fault(_ text: String) { faults.append("\(now.millisecondsSinceEpoch % 10_000_000): \(text)") }

    func index(of address: SocialAddress) -> Int { people.firstIndex { $0.address == address } ?? -1 }
    func index(of user: UserID) -> Int? { people.firstIndex { $0.user == user } }
}
