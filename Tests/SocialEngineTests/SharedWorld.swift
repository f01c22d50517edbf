import PresenceModel

@testable import SocialEngine

/// Several processes of one population, and a Redis between them that loses, delays, doubles and disorders.
struct SharedWorld {
    struct Site {
        var bench: SocialBench
        var isConnected = true
        /// What was published and did not arrive yet.
        var inbox: [SocialEngine.SharedUpdate] = []
        var presence: [SocialSubscriptionID: String] = [:]
        var news: [SocialSubscriptionID: String] = [:]
    }

    static let users = ["ann", "bob", "cyd", "dan"]

    var sites: [Site]
    var faults: [String] = []
    /// What each subscription thinks: of presence by friend, of friendships by the other.
    private var views: [Int: [SocialSubscriptionID: [String: FriendSighting]]] = [:]
    private var stories: [Int: [SocialSubscriptionID: [String: String]]] = [:]
    private var rows: [String: SocialEngine.SharedUpdate] = [:]
    private var online: [String: (update: SocialEngine.SharedUpdate, until: Instant)] = [:]
    private var chance: SeededGenerator
    private let isRough: Bool

    init(seed: UInt64, processes: Int = 3, isRough: Bool = true) {
        chance = SeededGenerator(seed: seed)
        self.isRough = isRough
        sites = (0..<processes).map { number in
            Site(
                bench: SocialBench(process: UInt64(number + 1)) {
                    $0.isShared = true
                    $0.makesRooms = false
                    $0.requestsPerHour = 100_000
                    $0.requestsPerHourOfPair = 100_000
                    $0.blocksPerHour = 100_000
                    $0.privaciesPerHour = 100_000
                })
        }
        for site in sites.indices {
            for (place, user) in SharedWorld.users.enumerated() {
                let session = UInt64(100 + place)
                sites[site].presence[sites[site].bench.subscribePresence(user, on: session)] = user
                sites[site].news[sites[site].bench.subscribeNews(user, on: session)] = user
            }
        }
    }

    private mutating func draw<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: elements.indices, using: &chance)]
    }

    mutating func run(steps: Int) {
        for _ in 0..<steps where faults.isEmpty { step() }
        heal()
    }

    private mutating func step() {
        let site = Int.random(in: sites.indices, using: &chance)
        switch Int.random(in: 0..<100, using: &chance) {
        case ..<40:
            let actor = draw(SharedWorld.users)
            let other = draw(SharedWorld.users.filter { $0 != actor })
            let actions: [FriendshipAction] = [
                .request(message: nil), .request(message: "x"), .accept, .accept, .reject, .cancel, .delete, .block,
                .unblock, .unblock,
            ]
            sites[site].bench.act(actor, draw(actions), other)
        case ..<55:
            let place = parcel(Int32.random(in: 0...3, using: &chance), 0)
            sites[site].bench.heartbeat(draw(SharedWorld.users), on: drawSession(), place)
        case ..<57: sites[site].bench.end(drawSession())
        case ..<58:
            let user = address(draw(SharedWorld.users))
            sites[site].bench.submit(.sessionLeft(user, SocialSessionID(drawSession())))
        case ..<62: sites[site].bench.choose(draw(SharedWorld.users), draw(SocialPrivacy.allCases))
        case ..<64:
            let user = address(draw(SharedWorld.users))
            sites[site].bench.submit(.concealmentChanged(user, isConcealed: Bool.random(using: &chance)))
        case ..<90: arrive(at: site)
        case ..<95: advance(by: .seconds(Int.random(in: 1...30, using: &chance)))
        default: if isRough { toggle(site) }
        }
        publish(from: site)
        read(site)
    }

    /// One of four connections, or the process's bridge.
    private mutating func drawSession() -> UInt64 {
        let number = UInt64.random(in: 1...5, using: &chance)
        return number > 4 ? SocialSessionID.bridge.number : number
    }

    private mutating func toggle(_ site: Int) {
        if sites[site].isConnected {
            disconnect(site)
            // A Redis that comes back empty was gone for everybody.
            if Int.random(in: 0..<5, using: &chance) == 0 {
                (rows, online) = ([:], [:])
                for other in sites.indices { disconnect(other) }
            }
        } else {
            connect(site)
        }
    }

    private mutating func disconnect(_ site: Int) {
        sites[site].isConnected = false
        sites[site].inbox.removeAll()
    }

    /// As ``RedisSharing`` does it.
    private mutating func connect(_ site: Int) {
        sites[site].isConnected = true
        let known = Set(rows.keys)
        for field in rows.keys.sorted() {
            if let row = rows[field] { sites[site].bench.submit(.shared(row)) }
        }
        for row in sites[site].bench.engine.sharedRows where !known.contains(SharedWorld.field(of: row)) {
            sites[site].bench.shares.append(row)
        }
        for key in online.keys.sorted() {
            guard let entry = online[key], case .presence(var presence) = entry.update else { continue }
            guard entry.until > sites[site].bench.now else { continue }
            presence.validFor = entry.until - sites[site].bench.now
            sites[site].bench.submit(.shared(.presence(presence)))
        }
        sites[site].bench.submit(.sharingWanted(sites[site].bench.engine.usersHere))
        publish(from: site)
    }

    private mutating func publish(from site: Int) {
        let updates = sites[site].bench.shares
        sites[site].bench.shares.removeAll()
        guard sites[site].isConnected else { return }
        for update in updates {
            if case .presence(let presence) = update {
                let key = "\(presence.process) \(presence.user)"
                let until = sites[site].bench.now.advanced(by: .minutes(2))
                online[key] = presence.state == .offline ? nil : (update, until)
            } else {
                rows[SharedWorld.field(of: update)] = update
            }
            for other in sites.indices where other != site && sites[other].isConnected {
                sites[other].inbox.append(update)
                if isRough, Int.random(in: 0..<4, using: &chance) == 0 { sites[other].inbox.append(update) }
            }
        }
    }

    private mutating func arrive(at site: Int) {
        guard !sites[site].inbox.isEmpty else { return }
        let reach = isRough ? min(sites[site].inbox.count, 10) : 1
        let update = sites[site].inbox.remove(at: Int.random(in: 0..<reach, using: &chance))
        sites[site].bench.submit(.shared(update))
    }

    private mutating func advance(by duration: Duration) {
        for site in sites.indices {
            sites[site].bench.advance(by: duration)
            publish(from: site)
            read(site)
        }
    }

    /// Readers take what there is, and find fault with it.
    private mutating func read(_ site: Int) {
        for id in sites[site].presence.keys.sorted() {
            guard let user = sites[site].presence[id] else { continue }
            for _ in 0..<20 {
                sites[site].bench.submit(.subscriberReady(id))
                let batches = sites[site].bench.batches.removeValue(forKey: id) ?? []
                if batches.isEmpty { break }
                for sighting in batches.flatMap(\.sightings) {
                    let shown = sighting.state == .offline ? nil : sighting
                    if views[site]?[id]?[sighting.friend.text] == shown {
                        faults.append("\(user) at \(site) was shown again \(sighting)")
                    }
                    views[site, default: [:]][id, default: [:]][sighting.friend.text] = shown
                }
            }
        }
        for id in sites[site].news.keys.sorted() {
            for word in sites[site].bench.told(id) { tell(word, id, at: site) }
        }
    }

    /// A story that a reader could not follow has lost or doubled something.
    private mutating func tell(_ word: String, _ id: SocialSubscriptionID, at site: Int) {
        let parts = word.split(separator: " ").map(String.init)
        let (act, other) = (parts[0], parts[1])
        let before = stories[site]?[id]?[other] ?? "nothing"
        let after: String?
        switch (act.dropFirst(), before) {
        case ("request", "nothing"): after = act.hasPrefix(">") ? "asked" : "was asked"
        case ("accept", _) where before != "friends": after = "friends"
        case ("reject", "asked"), ("reject", "was asked"), ("cancel", "asked"), ("cancel", "was asked"):
            after = "nothing"
        case ("delete", "friends"), ("block", _): after = "nothing"
        case ("unblock", _): after = before
        default: after = nil
        }
        if let after {
            stories[site, default: [:]][id, default: [:]][other] = after
        } else {
            faults.append("\(sites[site].news[id] ?? "") at \(site) was told '\(word)' after '\(before)'")
        }
    }

    /// All are connected, and everything arrives.
    private mutating func heal() {
        for site in sites.indices where !sites[site].isConnected { connect(site) }
        // Of what was lost on both sides, presence heals when it would lapse.
        for _ in 0..<7 {
            hearAll()
            for site in sites.indices { sites[site].bench.beatAgain() }
            hearAll()
            advance(by: .seconds(20))
        }
        hearAll()
        compare()
    }

    private mutating func hearAll() {
        for _ in 0..<100 {
            for site in sites.indices {
                publish(from: site)
                while !sites[site].inbox.isEmpty { arrive(at: site) }
                publish(from: site)
                read(site)
            }
            if sites.allSatisfy(\.inbox.isEmpty) { return }
        }
    }

    private mutating func compare() {
        let first = sites[0].bench.engine
        for site in sites.indices {
            if !sites[site].inbox.isEmpty { faults.append("they never stop talking") }
            let engine = sites[site].bench.engine
            for (place, user) in SharedWorld.users.enumerated() {
                for other in SharedWorld.users[(place + 1)...] {
                    let (mine, theirs) = (
                        first.friendship(of: pair(user, other)), engine.friendship(of: pair(user, other))
                    )
                    if !mine.agrees(with: theirs) { faults.append("0 and \(site): \(mine) \(theirs)") }
                }
                if first.settings(of: address(user)) != engine.settings(of: address(user)) {
                    faults.append("settings of \(user) at \(site)")
                }
                let isInWorld = engine.number(of: address(user)).map { engine.people[$0].isPresent } ?? false
                if isInWorld != isInWorldAnywhere(user) {
                    faults.append("\(user) in the world, at \(site): \(isInWorld)")
                }
                if first.sightings(by: address(user)) != engine.sightings(by: address(user)) {
                    faults.append(
                        "\(user) sees at 0 \(first.sightings(by: address(user))), at \(site) "
                            + "\(engine.sightings(by: address(user)))")
                }
            }
            for (id, user) in sites[site].presence {
                let truth = engine.sightings(by: address(user))
                let view = (views[site]?[id] ?? [:]).values.sorted { $0.friend < $1.friend }
                if view != truth { faults.append("\(user) at \(site) thinks \(view), it is \(truth)") }
            }
            for (id, user) in sites[site].news {
                let friends = (stories[site]?[id] ?? [:]).filter { $0.value == "friends" }.keys.sorted()
                if friends != engine.friends(of: address(user)).map(\.text) {
                    faults.append("\(user) at \(site) was told of friends \(friends)")
                }
            }
        }
    }

    /// By a connection of any process.
    private func isInWorldAnywhere(_ user: String) -> Bool {
        sites.contains { site in
            let engine = site.bench.engine
            return engine.number(of: address(user)).map { engine.people[$0].isInWorld(localOnly: true) } ?? false
        }
    }

    private static func field(of update: SocialEngine.SharedUpdate) -> String {
        switch update {
        case .presence(let presence): "\(presence.user)"
        case .friendship(let pair, _): "\(pair.low) \(pair.high)"
        case .settings(let user, _): "\(user)"
        }
    }
}
