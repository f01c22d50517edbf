import PresenceModel
import Testing

@testable import SocialEngine

typealias Refusal = FriendshipRefusal

func address(_ name: String) -> SocialAddress {
    guard let address = try? SocialAddress(parsing: name) else { preconditionFailure("no address: \(name)") }
    return address
}

func pair(_ one: String, _ other: String) -> SocialPair {
    guard let pair = SocialPair(address(one), address(other)) else { preconditionFailure("one and the same: \(one)") }
    return pair
}

func room(_ name: String) -> RoomID {
    guard let room = try? RoomID(parsing: "!\(name):x") else { preconditionFailure("no room: \(name)") }
    return room
}

func parcel(_ x: Int32, _ y: Int32, realm: String? = "main") -> Whereabouts {
    Whereabouts(realm: realm, parcel: Whereabouts.Parcel(x: x, y: y))
}

/// An engine with a clock that stands still, and a disk that keeps everything unless it is told otherwise.
struct SocialBench {
    var engine: SocialEngine
    var now = Instant(millisecondsSinceEpoch: 1_000_000_000)
    /// Rows wait for ``settle(failing:)``.
    var holdsStores = false
    var answers: [SocialTicket: SocialEngine.Answer] = [:]
    var batches: [SocialSubscriptionID: [PresenceBatch]] = [:]
    var news: [SocialSubscriptionID: [FriendshipNews]] = [:]
    var ended: [SocialSubscriptionID] = []
    var rooms: [SocialPair] = []
    var comings: [String] = []
    var shares: [SocialEngine.SharedUpdate] = []
    var stores: [(id: SocialEngine.StoreID, records: [SocialEngine.Record])] = []
    var events: [FriendshipEvent] = []
    /// Every effect as text, but for rows: for comparing two runs.
    var transcript: [String] = []
    private var disk = SocialDisk()
    private var ticketCount: UInt64 = 0
    private var subscriptionCount: UInt64 = 0

    init(process: UInt64 = 1, _ adjust: (inout SocialEngine.Configuration) -> Void = { _ in }) {
        var configuration = SocialEngine.Configuration()
        adjust(&configuration)
        engine = SocialEngine(process: process, configuration: configuration)
    }

    mutating func submit(_ event: SocialEngine.Event) {
        var effects: [SocialEngine.Effect] = []
        engine.handle(event, at: now, into: &effects)
        for effect in effects { take(effect) }
        if !holdsStores { settle() }
    }

    private mutating func take(_ effect: SocialEngine.Effect) {
        switch effect {
        case .store(let id, let records): return stores.append((id, records))
        case .answered(let ticket, let answer): answers[ticket] = answer
        case .showPresence(let id, let batch): batches[id, default: []].append(batch)
        case .tellNews(let id, let told): news[id, default: []] += told
        case .endSubscription(let id): ended.append(id)
        case .makeRoom(let pair): rooms.append(pair)
        case .userAppeared(let user): comings.append("+\(user)")
        case .userLeft(let user): comings.append("-\(user)")
        case .share(let update): shares.append(update)
        }
        transcript.append("\(effect)")
    }

    /// Everything that waits is written, or nothing of it.
    mutating func settle(failing: Bool = false) {
        while !stores.isEmpty {
            let (id, records) = stores.removeFirst()
            if !failing { disk.write(records) }
            for case .event(let event) in records where !failing { events.append(event) }
            let holds = holdsStores
            holdsStores = true
            submit(failing ? .storeFailed(id) : .stored(id))
            holdsStores = holds
        }
    }

    /// Passes the time, deadline by deadline.
    mutating func advance(by duration: Duration) {
        let end = now.advanced(by: duration)
        while let next = engine.nextDeadline, next <= end {
            now = max(now, next)
            submit(.deadlineReached)
        }
        now = end
    }

    /// As a kill and a start.
    mutating func restart() {
        engine = SocialEngine(process: engine.process + 100, configuration: engine.configuration)
        stores.removeAll()
        engine.restore(disk.snapshot)
        submit(.started)
    }

    var snapshot: SocialEngine.Snapshot { disk.snapshot }
}

/// Rows as a disk has them.
struct SocialDisk {
    private var friendships: [SocialPair: Friendship] = [:]
    private var settings: [SocialAddress: SocialSettings] = [:]

    mutating func write(_ records: [SocialEngine.Record]) {
        for record in records {
            switch record {
            case .friendship(let pair, let friendship): friendships[pair] = friendship
            case .settings(let user, let chosen): settings[user] = chosen
            case .event: break
            }
        }
    }

    var snapshot: SocialEngine.Snapshot {
        var snapshot = SocialEngine.Snapshot()
        snapshot.friendships = friendships.keys.sorted().compactMap { pair in
            friendships[pair].map { (pair, $0) }
        }
        snapshot.settings = settings.keys.sorted().compactMap { user in settings[user].map { (user, $0) } }
        return snapshot
    }
}

// What users do.
extension SocialBench {
    mutating func ask(_ event: (SocialTicket) -> SocialEngine.Event) -> SocialTicket {
        ticketCount += 1
        let ticket = SocialTicket(ticketCount)
        submit(event(ticket))
        return ticket
    }

    @discardableResult
    mutating func act(_ actor: String, _ action: FriendshipAction, _ other: String) -> Refusal? {
        let ticket = ask { .actionAsked($0, action, by: address(actor), towards: address(other)) }
        guard case .refused(let refusal)? = answers[ticket] else { return nil }
        return refusal
    }

    mutating func befriend(_ one: String, _ other: String) {
        #expect(act(one, .request(message: nil), other) == nil)
        #expect(act(other, .accept, one) == nil)
    }

    @discardableResult
    mutating func choose(_ user: String, _ privacy: SocialPrivacy) -> Refusal? {
        let ticket = ask { .privacyAsked($0, address(user), privacy) }
        guard case .refused(let refusal)? = answers[ticket] else { return nil }
        return refusal
    }

    mutating func heartbeat(_ user: String, on session: UInt64, _ whereabouts: Whereabouts? = nil) {
        submit(.heartbeatReceived(address(user), SocialSessionID(session), isAway: false, whereabouts))
    }

    /// Everybody who is here by a session that did not end says so again, and where, as clients do.
    mutating func beatAgain() {
        for session in engine.sessions.keys.sorted() {
            for number in (engine.sessions[session]?.users ?? []).sorted() {
                let user = engine.people[Int(number)].address
                let here = parcel(Int32(truncatingIfNeeded: session.number), Int32(engine.process))
                submit(.heartbeatReceived(user, session, isAway: false, here))
            }
        }
    }

    mutating func end(_ session: UInt64) { submit(.sessionEnded(SocialSessionID(session))) }

    mutating func subscribePresence(_ user: String, on session: UInt64, ready: Bool = true) -> SocialSubscriptionID {
        subscriptionCount += 1
        let id = SocialSubscriptionID(subscriptionCount)
        submit(.presenceSubscribed(id, by: address(user), SocialSessionID(session)))
        if ready { submit(.subscriberReady(id)) }
        return id
    }

    mutating func subscribeNews(_ user: String, on session: UInt64, ready: Bool = true) -> SocialSubscriptionID {
        subscriptionCount += 1
        let id = SocialSubscriptionID(subscriptionCount)
        submit(.friendshipsSubscribed(id, by: address(user), SocialSessionID(session)))
        if ready { submit(.subscriberReady(id)) }
        return id
    }

    /// What a subscription was shown since the last time, each as one word, with `*` before those of a snapshot. Makes
    /// it ready again until nothing more comes.
    mutating func seen(_ id: SocialSubscriptionID) -> [String] {
        var words: [String] = []
        for _ in 0..<1000 {
            submit(.subscriberReady(id))
            let fresh = batches.removeValue(forKey: id) ?? []
            for batch in fresh {
                words += batch.sightings.map { (batch.isSnapshot ? "*" : "") + SocialBench.word($0) }
            }
            if fresh.isEmpty { break }
        }
        return words
    }

    /// What a subscription was told since the last time, each as one word.
    mutating func told(_ id: SocialSubscriptionID) -> [String] {
        var words: [String] = []
        for _ in 0..<1000 {
            submit(.subscriberReady(id))
            let fresh = news.removeValue(forKey: id) ?? []
            words += fresh.map(SocialBench.word)
            if fresh.isEmpty { break }
        }
        return words
    }

    static func word(_ sighting: FriendSighting) -> String {
        let parcel = sighting.whereabouts?.parcel.map { "@\($0.x),\($0.y)" } ?? ""
        return "\(sighting.friend):\(sighting.state)\(parcel)"
    }

    static func word(_ news: FriendshipNews) -> String {
        let mark = news.isOwn ? ">" : "<"
        switch news.body {
        case .acted(.request(let message), _):
            return "\(mark)request \(news.other)" + (message.map { " '\($0)'" } ?? "")
        case .acted(let action, _): return "\(mark)\(action) \(news.other)"
        case .room(let room): return "room \(news.other) \(room)"
        }
    }
}
