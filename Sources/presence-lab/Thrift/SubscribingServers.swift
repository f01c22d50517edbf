import FederationEngine
import HeapModule
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

/// The day with presenced: the engines themselves, one instance for each server, on a network without loss.
struct SubscribingServers {
    /// How long a server takes to answer a transaction.
    static let answerMilliseconds: Int64 = 5
    private static let dawn = Instant(millisecondsSinceEpoch: 1_700_006_400_000)

    /// What is under way between two servers.
    private struct Parcel: Comparable {
        var at: Int64
        /// Rises, so that what was sent first comes first.
        var number: UInt64
        var from: Int32
        var to: Int32
        /// Where the transaction is held.
        var place: Int32
        var isAnswer: Bool

        static func < (left: Parcel, right: Parcel) -> Bool {
            left.at != right.at ? left.at < right.at : left.number < right.number
        }
    }

    private let population: ThriftPopulation
    private let keys: [DeviceKey]
    private let numbers: [UserID: Int32]
    private let serverNumbers: [ServerName: Int32]
    private let federation: FederationEngine.Configuration
    private var instances: [PresenceInstance] = []
    private var deadlines = DeadlineQueue()
    private var parcels = Heap<Parcel>()
    private var parcelCount: UInt64 = 0
    private var held: [OutgoingTransaction?] = []
    private var freePlaces: [Int32] = []
    private var streams: [StreamID?]
    private var streamCount: UInt64 = 0
    private var attention: ThriftAttention
    private var classifier: ThriftClassifier
    private(set) var tally = ThriftTally()
    var causes: ThriftCauseCounts { classifier.counts }

    /// - Parameter rooms: those that presenced is told of; the links must cover them.
    init(
        _ population: ThriftPopulation, links: ThriftLinks, rooms: [[Int32]],
        federation: FederationEngine.Configuration
    ) throws {
        self.population = population
        self.federation = federation
        let device = try DeviceID(parsing: "CLIENT")
        keys = population.users.map { DeviceKey(user: $0, device: device) }
        numbers = Dictionary(uniqueKeysWithValues: population.users.enumerated().map { ($1, Int32($0)) })
        serverNumbers = Dictionary(uniqueKeysWithValues: population.servers.enumerated().map { ($1, Int32($0)) })
        streams = [StreamID?](repeating: nil, count: population.users.count)
        attention = ThriftAttention(links, users: population.users.count)
        classifier = ThriftClassifier(links, users: population.users.count)
        try raise(rooms)
    }

    /// Everybody's lists are settled, and servers know of each other that they subscribe.
    private mutating func raise(_ rooms: [[Int32]]) throws {
        var members = [[(room: RoomID, user: UserID)]](repeating: [], count: population.servers.count)
        for (number, room) in rooms.enumerated() {
            let id = try RoomID(parsing: "!room\(number)")
            let homes = Set(room.map { population.homes[Int($0)] })
            for home in homes.sorted() {
                members[home].append(contentsOf: room.map { (id, population.users[Int($0)]) })
            }
        }
        for (number, server) in population.servers.enumerated() {
            var snapshot = PresenceInstance.Snapshot()
            for user in population.residents(of: number) {
                for contact in population.contacts[user] {
                    let other = population.users[Int(contact)]
                    snapshot.presence.entries.append(
                        (population.users[user], other, StoredEntry(state: .accepted, request: 1, since: .epoch)))
                    snapshot.presence.consents.append(
                        (population.users[user], other, StoredConsent(state: .granted, request: 1, since: .epoch)))
                }
            }
            snapshot.presence.members = members[number]
            members[number] = []
            snapshot.federation.peers = population.servers.filter { $0 != server }.map {
                ($0, FederationEngine.PeerMemory(dialect: .capable))
            }
            var presence = PresenceEngine.Configuration()
            presence.listEntriesPerUser = max(presence.listEntriesPerUser, 5000)
            var instance = PresenceInstance(
                presence: PresenceEngine(server: server, configuration: presence),
                federation: FederationEngine(
                    server: server, configuration: federation, boot: 1,
                    seed: population.scale.seed &+ UInt64(number)))
            let effects = instance.start(from: snapshot, at: SubscribingServers.dawn)
            instances.append(instance)
            carryOut(effects, of: number, at: 0)
            deadlines.set(number, to: instances[number].nextDeadline)
        }
    }

    /// Plays the whole day.
    mutating func play(_ day: ThriftDay) {
        let end = population.scale.endMilliseconds
        var next = 0
        while true {
            let actAt = next < day.acts.count ? Int64(day.acts[next].at) : .max
            let parcelAt = parcels.min?.at ?? .max
            let deadlineAt = deadlines.next?.milliseconds(since: SubscribingServers.dawn) ?? .max
            let now = min(actAt, parcelAt, deadlineAt)
            guard now < end else { break }
            if parcelAt == now, let parcel = parcels.popMin() {
                take(parcel)
            } else if actAt == now {
                perform(day.acts[next])
                next += 1
            } else if let site = deadlines.popDue(at: SubscribingServers.instant(now)) {
                submit(.deadlineReached, to: site, at: now)
            }
        }
        attention.end(&tally.staleness)
    }

    private static func instant(_ milliseconds: Int64) -> Instant { dawn.advanced(byMilliseconds: milliseconds) }

    private mutating func perform(_ act: ThriftAct) {
        let user = Int(act.user)
        let key = keys[user]
        let site = population.homes[user]
        let now = Int64(act.at)
        switch act.kind {
        case .opens:
            streamCount += 1
            streams[user] = StreamID(streamCount)
            attention.connects(user)
            submit(.presence(.streamOpened(StreamID(streamCount), key, .online)), to: site, at: now)
        case .closes:
            guard let stream = streams[user] else { return }
            streams[user] = nil
            tally.staleness.unseen += attention.disconnects(user)
            submit(.presence(.streamClosed(stream)), to: site, at: now)
        case .acts:
            submit(.presence(.deviceActed(key)), to: site, at: now)
        case .choosesBusy, .choosesOnline, .choosesOnlineWithText:
            let text = act.kind == .choosesOnline ? nil : ThriftDay.texts[Int(act.text)]
            let state: ChosenState = act.kind == .choosesBusy ? .busy : .online
            submit(.presence(.statusChosen(key, state, text: text)), to: site, at: now)
        }
    }

    private mutating func submit(_ event: PresenceInstance.Event, to site: Int, at now: Int64) {
        let step = Step(&instances[site], event, at: SubscribingServers.instant(now))
        for (user, presence) in step.published { noteChange(of: user, presence, now) }
        carryOut(step.effects, of: site, at: now)
        deadlines.set(site, to: step.nextDeadline)
    }

    /// One step of one server. The instance is lent: a look at it must not copy it.
    private struct Step {
        let effects: [PresenceInstance.Effect]
        /// Local users who may be something else now.
        var published: [(UserID, Presence)] = []
        let nextDeadline: Instant?

        init(_ instance: inout PresenceInstance, _ event: PresenceInstance.Event, at now: Instant) {
            effects = instance.handle(event, at: now)
            for case .save(.presence(.status(let user, _))) in effects {
                if case .known(let presence)? = instance.presence.knowledge(of: user) {
                    published.append((user, presence))
                }
            }
            nextDeadline = instance.nextDeadline
        }
    }

    private mutating func carryOut(_ effects: [PresenceInstance.Effect], of site: Int, at now: Int64) {
        for case .send(let transaction) in effects { send(transaction, from: site, at: now) }
    }

    private mutating func noteChange(of user: UserID, _ presence: Presence, _ now: Int64) {
        guard let number = numbers[user] else { return }
        let value = ThriftValue.of(presence)
        if attention.changes(Int(number), to: value, at: now, &tally.staleness) {
            classifier.noteChange(of: Int(number), isAway: presence.state == .offline, at: now)
        }
    }

    private mutating func send(_ transaction: OutgoingTransaction, from site: Int, at now: Int64) {
        guard let destination = serverNumbers[transaction.destination] else { return }
        let body = Transaction.encode(
            transaction.messages.map { $0.wireForm(composed: transaction.composed) },
            permissions: transaction.permissions, origin: population.servers[site], sent: transaction.composed)
        let around = ThriftOverhead.presenced(
            transaction: transaction.id, bodyBytes: body.count, from: population.servers[site],
            to: transaction.destination)
        let states = transaction.messages.reduce(0) { $0 + $1.push.count }
        tally.transactions += 1
        tally.edus += UInt64(transaction.permissions.count + transaction.messages.count)
        tally.states += UInt64(states)
        tally.bodyBytes += UInt64(body.count)
        tally.aroundBytes += UInt64(around)
        tally.digest.mix(UInt64(now))
        tally.digest.mix(UInt64(site) << 32 | UInt64(destination))
        tally.digest.mix(UInt64(body.count))
        classifier.noteSent(
            transaction, to: Int(destination), from: site, bytes: UInt64(body.count + around), at: now
        ) { numbers[$0].map { Int($0) } }
        let place = hold(transaction)
        let arrival = now + population.latency(site, Int(destination))
        post(Parcel(at: arrival, number: 0, from: Int32(site), to: destination, place: place, isAnswer: false))
    }

    private mutating func hold(_ transaction: OutgoingTransaction) -> Int32 {
        if let place = freePlaces.popLast() {
            held[Int(place)] = transaction
            return place
        }
        held.append(transaction)
        return Int32(held.count - 1)
    }

    private mutating func post(_ parcel: Parcel) {
        parcelCount += 1
        var parcel = parcel
        parcel.number = parcelCount
        parcels.insert(parcel)
    }

    private mutating func take(_ parcel: Parcel) {
        let place = Int(parcel.place)
        guard let transaction = held[place] else { return }
        if parcel.isAnswer {
            held[place] = nil
            freePlaces.append(parcel.place)
            submit(
                .federation(.delivered(to: transaction.destination, transaction: transaction.id)),
                to: Int(parcel.from), at: parcel.at)
            return
        }
        var answer = parcel
        answer.isAnswer = true
        answer.at +=
            SubscribingServers.answerMilliseconds
            + population.latency(Int(parcel.to), Int(parcel.from))
        post(answer)
        for message in transaction.messages {
            for report in message.push {
                guard let user = numbers[report.user].map({ Int($0) }),
                    let link = attention.links.link(of: user, to: Int(parcel.to))
                else { continue }
                attention.shows(
                    user, on: link, as: ThriftValue.of(report.presence), at: parcel.at, &tally.staleness)
            }
        }
        submit(
            .federation(
                .received(
                    from: population.servers[Int(parcel.from)], transaction: transaction.id, transaction.messages,
                    permissions: transaction.permissions)),
            to: Int(parcel.to), at: parcel.at)
    }
}

/// What observers see of a user, in a number: 0 for who is offline without a text.
enum ThriftValue {
    static func of(_ presence: Presence) -> UInt32 { of(presence.state, presence.statusText) }

    static func of(_ state: PublishedState, _ text: String?) -> UInt32 {
        if state == .offline, text == nil { return 0 }
        var value: UInt32 = 0x811C_9DC5
        for byte in state.rawValue.utf8 { value = (value ^ UInt32(byte)) &* 0x0100_0193 }
        for byte in (text ?? "").utf8 { value = (value ^ UInt32(byte)) &* 0x0100_0193 }
        return max(value, 1)
    }
}
