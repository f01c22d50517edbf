import MatrixWire
import PresenceModel

/// The day with a model of Synapse 1.163. `Spec/Thrift.md` says what is modelled.
struct SynapseServers {
    /// What moves a user's last activity.
    enum Clients: Sendable {
        /// Clients ask anew every 30 s, as all do, and each time Synapse takes that for activity; after 5 min without
        /// input they say that their user is away.
        case polling
        /// Only what users do; Synapse sees for itself who is idle.
        case silent
    }

    private static let idleAfter: Int64 = 300_000
    private static let activeFor: Int64 = 60_000
    private static let offlineAfter: Int64 = 30_000
    private static let refreshAfter: Int64 = 1_500_000

    private enum State: UInt8 { case offline, online, unavailable }

    private struct Person {
        var state = State.offline
        var isConnected = false
        var isActive = false
        var choseAway = false
        /// Which of ``ThriftDay/texts``; -1 for none.
        var text: Int8 = -1
        var pushedText: Int8 = -1
        var lastActive: Int64 = 0
        var lastPushed: Int64 = 0
        var closedAt: Int64 = 0
    }

    private let population: ThriftPopulation
    private let clients: Clients
    private var people: [Person]
    private var timers = DeadlineQueue()
    private var attention: ThriftAttention
    private var queues: SynapseQueues
    /// Bytes of a state in an EDU without the user's name and the text.
    private let stateBytes: [Int]
    private let textBytes: [Int]
    private let nameBytes: [Int]
    var tally: ThriftTally { queues.tally }

    init(_ population: ThriftPopulation, links: ThriftLinks, clients: Clients) {
        self.population = population
        self.clients = clients
        people = [Person](repeating: Person(), count: population.users.count)
        attention = ThriftAttention(links, users: population.users.count)
        queues = SynapseQueues(population)
        // As in the recordings: what is not so is left out, but for the first kind that says so.
        stateBytes = [
            "{\"last_active_ago\":123456,\"presence\":\"offline\",\"user_id\":\"\"}",
            "{\"currently_active\":true,\"last_active_ago\":1234,\"presence\":\"online\",\"user_id\":\"\"}",
            "{\"last_active_ago\":300123,\"presence\":\"unavailable\",\"user_id\":\"\"}",
            "{\"currently_active\":false,\"last_active_ago\":60123,\"presence\":\"online\",\"user_id\":\"\"}",
        ].map(\.utf8.count)
        textBytes = ThriftDay.texts.map { ",\"status_msg\":\"\($0)\"".utf8.count }
        nameBytes = population.users.map(\.text.utf8.count)
    }

    mutating func play(_ day: ThriftDay) {
        let end = population.scale.endMilliseconds
        var next = 0
        while true {
            let actAt = next < day.acts.count ? Int64(day.acts[next].at) : .max
            let timerAt = timers.next?.millisecondsSinceEpoch ?? .max
            let now = min(actAt, timerAt)
            guard now < end else { break }
            if timerAt == now {
                if let user = timers.popDue(at: Instant(millisecondsSinceEpoch: now)) { review(user, at: now) }
            } else {
                perform(day.acts[next])
                next += 1
            }
        }
        queues.finish(at: end)
    }

    private mutating func perform(_ act: ThriftAct) {
        let user = Int(act.user)
        let now = Int64(act.at)
        switch act.kind {
        case .opens:
            people[user].isConnected = true
            people[user].lastActive = now
            attention.connects(user)
        case .closes:
            guard people[user].isConnected else { return }
            people[user].isConnected = false
            people[user].closedAt = now
            _ = attention.disconnects(user)
        case .acts:
            people[user].lastActive = now
        case .choosesBusy:
            people[user].choseAway = true
            people[user].text = Int8(act.text)
            people[user].lastActive = now
        case .choosesOnline, .choosesOnlineWithText:
            people[user].choseAway = false
            people[user].text = act.kind == .choosesOnline ? -1 : Int8(act.text)
            people[user].lastActive = now
        }
        review(user, at: now)
    }

    /// Derives what the user is, sends what is to be sent, and sets the next look.
    private mutating func review(_ user: Int, at now: Int64) {
        let before = people[user]
        var person = before
        let isIdle = now - person.lastActive >= SynapseServers.idleAfter
        if !person.isConnected {
            if now - person.closedAt >= SynapseServers.offlineAfter { person.state = .offline }
        } else {
            person.state = person.choseAway || isIdle ? .unavailable : .online
        }
        let isRecent = clients == .polling || now - person.lastActive < SynapseServers.activeFor
        person.isActive = person.state == .online && isRecent
        let isNews = person.state != before.state || person.text != person.pushedText
        let isSent =
            isNews || person.isActive != before.isActive
            || (person.state != .offline && now - person.lastPushed >= SynapseServers.refreshAfter)
        if isSent { (person.lastPushed, person.pushedText) = (now, person.text) }
        people[user] = person
        if isSent { push(user, isNews: isNews, at: now) }
        timers.set(user, to: nextLook(person, at: now).map { Instant(millisecondsSinceEpoch: $0) })
    }

    private func nextLook(_ person: Person, at now: Int64) -> Int64? {
        guard person.state != .offline else { return nil }
        var looks = [person.lastPushed + SynapseServers.refreshAfter]
        if !person.isConnected { looks.append(person.closedAt + SynapseServers.offlineAfter) }
        if person.isConnected, person.state == .online { looks.append(person.lastActive + SynapseServers.idleAfter) }
        if clients == .silent, person.isActive { looks.append(person.lastActive + SynapseServers.activeFor) }
        return looks.filter { $0 > now }.min()
    }

    private mutating func push(_ user: Int, isNews: Bool, at now: Int64) {
        let person = people[user]
        let kind = person.state == .online && !person.isActive ? 3 : Int(person.state.rawValue)
        let text = person.text < 0 ? 0 : textBytes[Int(person.text)]
        let bytes = Int32(stateBytes[kind] + text + nameBytes[user])
        let home = population.homes[user]
        queues.catchUp(home, at: now)
        for link in attention.links.links(of: user) {
            let observers = isNews ? attention.watchers[link] : 0
            queues.add(
                SynapseQueues.Item(user: Int32(user), at: now, bytes: bytes, observers: observers),
                from: home, to: Int(attention.links.servers[link]))
        }
        queues.wake(home, at: now)
    }
}
