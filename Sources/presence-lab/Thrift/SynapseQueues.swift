/// Synapse's outgoing side: for each destination one transaction under way, and one state for each user that waits.
///
/// A server wakes its destinations one after the other, 20 ms apart; what comes while a transaction is under way rides
/// in the next, which follows at once.
struct SynapseQueues {
    struct Item {
        var user: Int32
        var at: Int64
        var bytes: Int32
        /// Who is waiting to be shown it; 0 if there is nothing new in it.
        var observers: UInt16
    }

    private static let wakeGap: Int64 = 20
    private static let statesPerTransaction = 50

    private struct Lane {
        var waiting: [Item] = []
        var busyUntil: Int64 = -1
        var isToBeWoken = false
    }

    /// The destinations that one server is to wake, in order.
    private struct Wakes {
        var queue: [Int32] = []
        var head = 0
        var next: Int64 = 0
    }

    private let population: ThriftPopulation
    private let servers: Int
    private var lanes: [Lane]
    private var wakes: [Wakes]
    private let emptyBodyBytes: Int
    private(set) var tally = ThriftTally()

    init(_ population: ThriftPopulation) {
        self.population = population
        servers = population.scale.servers
        lanes = [Lane](repeating: Lane(), count: servers * servers)
        wakes = [Wakes](repeating: Wakes(), count: servers)
        let name = population.servers.first?.text ?? ""
        emptyBodyBytes =
            ("{\"edus\":[{\"content\":{\"push\":[]},\"edu_type\":\"m.presence\"}],\"origin\":\"\(name)\","
            + "\"origin_server_ts\":1795217772714,\"pdus\":[]}").utf8.count
    }

    /// Everything that a server does before `now`.
    mutating func catchUp(_ home: Int, at now: Int64) {
        while wakes[home].head < wakes[home].queue.count, wakes[home].next <= now {
            let destination = Int(wakes[home].queue[wakes[home].head])
            wakes[home].head += 1
            let lane = home * servers + destination
            lanes[lane].isToBeWoken = false
            let moment = wakes[home].next
            settle(lane, home, destination, at: moment)
            guard !lanes[lane].waiting.isEmpty else { continue }
            if lanes[lane].busyUntil <= moment { send(lane, home, destination, at: moment) }
            wakes[home].next = moment + SynapseQueues.wakeGap
        }
        if wakes[home].head == wakes[home].queue.count, wakes[home].head > 0 {
            wakes[home].queue.removeAll(keepingCapacity: true)
            wakes[home].head = 0
        }
    }

    mutating func add(_ item: Item, from home: Int, to destination: Int) {
        let lane = home * servers + destination
        settle(lane, home, destination, at: item.at)
        if let place = lanes[lane].waiting.firstIndex(where: { $0.user == item.user }) {
            var item = item
            let old = lanes[lane].waiting[place]
            if item.observers > 0 {
                tally.staleness.superseded += UInt64(old.observers)
            } else {
                (item.observers, item.at) = (old.observers, old.at)
            }
            lanes[lane].waiting[place] = item
        } else {
            lanes[lane].waiting.append(item)
        }
        guard !lanes[lane].isToBeWoken else { return }
        lanes[lane].isToBeWoken = true
        wakes[home].queue.append(Int32(destination))
    }

    /// The first of a quiet server's destinations is woken at once.
    mutating func wake(_ home: Int, at now: Int64) {
        wakes[home].next = max(wakes[home].next, now)
        catchUp(home, at: now)
    }

    mutating func finish(at end: Int64) {
        for home in 0..<servers {
            catchUp(home, at: end - 1)
            for destination in 0..<servers {
                let lane = home * servers + destination
                settle(lane, home, destination, at: end - 1)
                for item in lanes[lane].waiting { tally.staleness.unseen += UInt64(item.observers) }
            }
        }
    }

    /// A transaction that was answered by `now` was followed by what had gathered meanwhile.
    private mutating func settle(_ lane: Int, _ home: Int, _ destination: Int, at now: Int64) {
        while lanes[lane].busyUntil >= 0, lanes[lane].busyUntil <= now {
            guard !lanes[lane].waiting.isEmpty else {
                lanes[lane].busyUntil = -1
                return
            }
            send(lane, home, destination, at: lanes[lane].busyUntil)
        }
    }

    private mutating func send(_ lane: Int, _ home: Int, _ destination: Int, at now: Int64) {
        let latency = population.latency(home, destination)
        let count = min(lanes[lane].waiting.count, SynapseQueues.statesPerTransaction)
        var body = emptyBodyBytes + count - 1
        for place in 0..<count {
            let item = lanes[lane].waiting[place]
            body += Int(item.bytes)
            if item.observers > 0 {
                tally.staleness.note(now + latency - item.at, observers: UInt64(item.observers))
            }
        }
        if count == lanes[lane].waiting.count {
            lanes[lane].waiting.removeAll(keepingCapacity: true)
        } else {
            lanes[lane].waiting.removeFirst(count)
        }
        lanes[lane].busyUntil = now + 2 * latency + SubscribingServers.answerMilliseconds
        tally.transactions += 1
        tally.edus += 1
        tally.states += UInt64(count)
        tally.bodyBytes += UInt64(body)
        tally.aroundBytes += UInt64(
            ThriftOverhead.synapse(bodyBytes: body, nameBytes: population.servers[home].text.utf8.count))
        tally.digest.mix(UInt64(now) << 20 ^ UInt64(lane))
    }
}
