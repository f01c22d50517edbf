import PresenceModel

@testable import SocialEngine

/// A few users who do what a seed tells them to, a disk that fails now and then, kills, and a naive model beside it.
struct SocialWorld {
    static let users = ["ann", "bob", "cyd", "dan", "eve"]
    static let friendLimit = 3

    struct Reader {
        var user: String
        var session: UInt64
        var isReady = false
        /// Of presence: what the subscriber thinks.
        var view: [String: FriendSighting] = [:]
        var sawAll = false
        /// Of friendships: what is to come, and what came.
        var expected: [String] = []
        var told: [String] = []
        var isNews: Bool
    }

    private(set) var faults: [String] = []
    private(set) var deliveries = 0
    private var engine: SocialEngine
    private var society = NaiveSociety()
    private var disk = SocialDisk()
    private var chance: SeededGenerator
    private var now = Instant(millisecondsSinceEpoch: 1_000_000_000)
    private var pending: [(id: SocialEngine.StoreID, records: [SocialEngine.Record])] = []
    private var asked: [SocialTicket: (actor: String, action: FriendshipAction, other: String)] = [:]
    private var privacyAsked: [SocialTicket: (user: String, privacy: SocialPrivacy)] = [:]
    /// As told by the engine.
    private var inWorld: Set<String> = []
    private var readers: [SocialSubscriptionID: Reader] = [:]
    private var counter: UInt64 = 0
    private let failsEvery: Int
    private let pace: Int

    init(seed: UInt64, canary: SocialEngine.Canary? = nil) {
        chance = SeededGenerator(seed: seed)
        failsEvery = Int.random(in: 3...40, using: &chance)
        pace = Int.random(in: 1...60, using: &chance)
        var configuration = SocialEngine.Configuration()
        configuration.friendsPerUser = SocialWorld.friendLimit
        configuration.requestsPerHour = 10_000
        configuration.requestsPerHourOfPair = 10_000
        configuration.blocksPerHour = 10_000
        configuration.privaciesPerHour = 10_000
        configuration.requestsFromUser = 3
        configuration.requestsToUser = 3
        configuration.makesRooms = false
        configuration.batchLimit = Int.random(in: 1...4, using: &chance)
        configuration.canary = canary
        engine = SocialEngine(process: 1, configuration: configuration)
    }

    mutating func run(steps: Int) {
        for _ in 0..<steps where faults.isEmpty { step() }
        quieten()
    }

    private mutating func draw<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: elements.indices, using: &chance)]
    }

    private mutating func step() {
        switch Int.random(in: 0..<100, using: &chance) {
        case ..<30: act()
        case ..<50: settleOne()
        case ..<63: heartbeat()
        case ..<65: leave()
        case ..<75: makeOneReady()
        case ..<82: subscribe()
        case ..<86: endSession()
        case ..<90: choose()
        case ..<99: advance(by: .seconds(Int.random(in: 0...2 * pace, using: &chance)))
        default: kill()
        }
        check()
    }

    private mutating func submit(_ event: SocialEngine.Event) {
        var effects: [SocialEngine.Effect] = []
        engine.handle(event, at: now, into: &effects)
        for effect in effects { take(effect) }
    }

    // MARK: Acts

    private mutating func act() {
        let actor = draw(SocialWorld.users)
        let other = draw(SocialWorld.users.filter { $0 != actor })
        // Mostly towards friendship, or the world stays empty.
        let actions: [FriendshipAction] = [
            .request(message: nil), .request(message: "hi"), .request(message: nil), .accept, .accept, .accept, .reject,
            .cancel, .delete, .block, .unblock, .unblock, .unblock,
        ]
        counter += 1
        let action = draw(actions)
        asked[SocialTicket(counter)] = (actor, action, other)
        submit(.actionAsked(SocialTicket(counter), action, by: address(actor), towards: address(other)))
    }

    private mutating func choose() {
        let user = draw(SocialWorld.users)
        if Bool.random(using: &chance) {
            let isConcealed = Bool.random(using: &chance)
            if isConcealed { society.concealed.insert(user) } else { society.concealed.remove(user) }
            submit(.concealmentChanged(address(user), isConcealed: isConcealed))
        } else {
            counter += 1
            let privacy = draw(SocialPrivacy.allCases)
            privacyAsked[SocialTicket(counter)] = (user, privacy)
            submit(.privacyAsked(SocialTicket(counter), address(user), privacy))
        }
    }

    private mutating func heartbeat() {
        let (user, session) = (draw(SocialWorld.users), drawSession())
        let isAway = Int.random(in: 0..<4, using: &chance) == 0
        let place = Bool.random(using: &chance) ? nil : parcel(Int32.random(in: 0...2, using: &chance), 0)
        society.heard(user, on: session, isAway: isAway, place, at: now)
        submit(.heartbeatReceived(address(user), SocialSessionID(session), isAway: isAway, place))
    }

    /// One of eight connections, or the bridge.
    private mutating func drawSession() -> UInt64 {
        let number = UInt64.random(in: 1...10, using: &chance)
        return number > 8 ? SocialSessionID.bridge.number : number
    }

    private mutating func leave() {
        let (user, session) = (draw(SocialWorld.users), drawSession())
        society.left(user, session)
        submit(.sessionLeft(address(user), SocialSessionID(session)))
    }

    private mutating func endSession() {
        let session = drawSession()
        society.ended(session, at: now)
        submit(.sessionEnded(SocialSessionID(session)))
    }

    private mutating func subscribe() {
        let (user, session) = (draw(SocialWorld.users), UInt64.random(in: 1...8, using: &chance))
        counter += 1
        let id = SocialSubscriptionID(counter)
        let isNews = Bool.random(using: &chance)
        readers[id] = Reader(user: user, session: session, isNews: isNews)
        submit(
            isNews
                ? .friendshipsSubscribed(id, by: address(user), SocialSessionID(session))
                : .presenceSubscribed(id, by: address(user), SocialSessionID(session)))
    }

    private mutating func makeOneReady() {
        let ids = readers.keys.sorted()
        guard !ids.isEmpty else { return }
        let id = draw(ids)
        readers[id]?.isReady = true
        submit(.subscriberReady(id))
    }

    private mutating func settleOne(mayFail: Bool = true) {
        guard !pending.isEmpty else { return }
        let (id, records) = pending.remove(at: Int.random(in: pending.indices, using: &chance))
        guard !mayFail || Int.random(in: 0..<failsEvery, using: &chance) > 0 else { return submit(.storeFailed(id)) }
        disk.write(records)
        submit(.stored(id))
    }

    private mutating func advance(by duration: Duration) {
        let end = now.advanced(by: duration)
        while let next = engine.nextDeadline, next <= end {
            now = max(now, next)
            submit(.deadlineReached)
        }
        now = end
    }

    /// kill -9: of what is being written some made it.
    private mutating func kill() {
        for (_, records) in pending where Bool.random(using: &chance) {
            disk.write(records)
            for record in records {
                if case .settings(let user, let settings) = record { society.privacies[user.text] = settings.privacy }
            }
            // Of two events the second one follows from the first.
            guard case .event(let event)? = records.dropFirst().first else { continue }
            let (actor, other) = (event.pair[event.actor].text, event.pair[event.actor.opposite].text)
            _ = society.happened(event.action, by: actor, towards: other)
        }
        pending.removeAll()
        asked.removeAll()
        privacyAsked.removeAll()
        readers.removeAll()
        society.sessions.removeAll()
        inWorld.removeAll()
        let concealed = disk.snapshot.settings.filter(\.settings.isConcealed).map(\.user.text)
        engine = SocialEngine(process: engine.process + 1, configuration: engine.configuration)
        engine.restore(disk.snapshot)
        submit(.started)
        // Whoever knows says it again at every start.
        for user in SocialWorld.users where concealed.contains(user) != society.concealed.contains(user) {
            submit(.concealmentChanged(address(user), isConcealed: society.concealed.contains(user)))
        }
    }

    // MARK: What comes of it

    private mutating func take(_ effect: SocialEngine.Effect) {
        switch effect {
        case .store(let id, let records): pending.append((id, records))
        case .answered(let ticket, let answer): take(answer, to: ticket)
        case .showPresence(let id, let batch): show(batch, to: id)
        case .tellNews(let id, let news):
            expect(readers[id]?.isReady == true, "news for \(id), who was not ready")
            readers[id]?.told += news.map(SocialBench.word)
            readers[id]?.isReady = false
            deliveries += news.count
        case .endSubscription(let id): readers[id] = nil
        case .makeRoom, .share: faults.append("not asked for: \(effect)")
        case .userAppeared(let user): expect(inWorld.insert(user.text).inserted, "\(user) appeared twice")
        case .userLeft(let user): expect(inWorld.remove(user.text) != nil, "\(user) left twice")
        }
    }

    private mutating func take(_ answer: SocialEngine.Answer, to ticket: SocialTicket) {
        if let (user, privacy) = privacyAsked.removeValue(forKey: ticket) {
            if answer == .done { society.privacies[user] = privacy }
            return
        }
        guard let (actor, action, other) = asked.removeValue(forKey: ticket) else {
            return faults.append("an answer to nobody: \(answer)")
        }
        let mayHappen = society.mayHappen(action, by: actor, towards: other)
        let slack = pending.count + 1
        switch answer {
        case .acted:
            expect(mayHappen, "\(actor) did \(action) to \(other)")
            for (reader, word) in society.happened(action, by: actor, towards: other) {
                for id in readers.keys where readers[id]?.user == reader && readers[id]?.isNews == true {
                    readers[id]?.expected.append(word)
                }
            }
        case .refused(.tooManyFriends):
            let most = max(society.friendCount(actor), society.friendCount(other))
            expect(most + slack > SocialWorld.friendLimit, "too many friends of \(actor) or \(other): \(most)")
        case .refused(.tooManyRequests):
            let most = max(society.requestCount(from: actor), society.requestCount(to: other))
            expect(most + slack > 3, "too many requests of \(actor) or to \(other): \(most)")
        case .refused(.notStored), .refused(.tooOften): break
        case .refused(let refusal): expect(!mayHappen, "\(actor), \(action), \(other) refused: \(refusal)")
        case .done: faults.append("no answer to an action: \(action)")
        }
    }

    private mutating func show(_ batch: PresenceBatch, to id: SocialSubscriptionID) {
        guard var reader = readers[id] else { return faults.append("shown to nobody: \(batch)") }
        expect(reader.isReady, "shown to \(reader.user), who was not ready")
        expect(batch.isSnapshot == !reader.sawAll, "a snapshot too late, or changes too early: \(batch)")
        expect(batch.isSnapshot || !batch.sightings.isEmpty, "an element about nobody")
        expect(batch.sightings.map(\.friend) == batch.sightings.map(\.friend).sorted(), "not sorted: \(batch)")
        for sighting in batch.sightings {
            let friend = sighting.friend.text
            let truth = society.sight(of: friend, by: reader.user, at: now)
            let shown = sighting.state == .offline ? nil : sighting
            expect(shown == truth, "\(reader.user) was shown \(sighting), not \(truth.map { "\($0)" } ?? "nothing")")
            expect(shown != reader.view[friend], "\(reader.user) was shown again \(sighting)")
            reader.view[friend] = shown
        }
        reader.isReady = false
        reader.sawAll = !batch.isSnapshot || !batch.hasMore
        readers[id] = reader
        deliveries += batch.sightings.count
    }

    private mutating func expect(_ holds: Bool, _ fault: @autoclosure () -> String) {
        if !holds { faults.append(fault()) }
    }

    // MARK: Checks

    private mutating func check() {
        for user in SocialWorld.users {
            expect(inWorld.contains(user) == society.isInWorld(user, at: now), "\(user) in the world")
            let friends = SocialWorld.users.filter { society.areFriends(user, $0) }
            expect(engine.friends(of: address(user)).map(\.text) == friends, "friends of \(user)")
            expect(friends.count <= SocialWorld.friendLimit, "\(user) has \(friends.count) friends")
            let sights = SocialWorld.users.compactMap { society.sight(of: $0, by: user, at: now) }
            expect(engine.sightings(by: address(user)) == sights, "\(user) sees")
            let asked = SocialWorld.users.filter { society.between[[user, $0]]?.asker == user }
            let outgoing = engine.requests(of: address(user)).outgoing.map(\.other.text).sorted()
            expect(outgoing == asked, "requests of \(user)")
            let askers = SocialWorld.users.filter { society.between[[user, $0]]?.asker == $0 }
            let incoming = engine.requests(of: address(user)).incoming.map(\.other.text).sorted()
            expect(incoming == askers, "requests to \(user)")
            let blocked = SocialWorld.users.filter { society.between[[user, $0]]?.blockers.contains(user) == true }
            expect(engine.blocked(by: address(user)).map(\.text) == blocked, "blocked by \(user)")
        }
        for id in readers.keys.sorted() {
            guard let reader = readers[id] else { continue }
            expect(reader.expected.starts(with: reader.told), "\(reader.user) was told \(reader.told)")
        }
    }

    /// Everything is written, and everybody takes what there is.
    private mutating func quieten() {
        for _ in 0..<50 {
            while !pending.isEmpty { settleOne(mayFail: false) }
            advance(by: .seconds(6))
            for id in readers.keys.sorted() where readers[id]?.isReady == false {
                readers[id]?.isReady = true
                submit(.subscriberReady(id))
            }
        }
        check()
        for id in readers.keys.sorted() {
            guard let reader = readers[id] else { continue }
            expect(reader.told == reader.expected, "\(reader.user) was not told all: \(reader.told)")
            guard !reader.isNews else { continue }
            for friend in SocialWorld.users {
                let truth = society.sight(of: friend, by: reader.user, at: now)
                expect(
                    reader.view[friend] == truth, "\(reader.user) thinks of \(friend): \(reader.view[friend] as Any)")
            }
        }
        advance(by: .minutes(5))
        for session in Array(1...8) + [SocialSessionID.bridge.number] {
            submit(.sessionEnded(SocialSessionID(session)))
        }
        let counts = engine.counts
        expect(counts.present == 0 && counts.sessions == 0 && counts.subscriptions == 0, "left behind: \(counts)")
        expect(counts.changes == 0, "never written: \(counts)")
    }
}
