import FederationEngine
import PresenceModel
import Testing

struct `The memory of transactions` {
    private let start = Instant(millisecondsSinceEpoch: 1_700_000_000_000)

    private func server(_ name: String) throws -> ServerName { try ServerName(parsing: name) }

    private func limits(_ perOrigin: Int, _ inAll: Int) -> TransactionMemory.Limits {
        var limits = TransactionMemory.Limits()
        limits.perOrigin = perOrigin
        limits.inAll = inAll
        return limits
    }

    @Test func `holds an id for a day, for its origin alone`() throws {
        var memory = TransactionMemory()
        let (a, b) = (try server("a.org"), try server("b.org"))
        memory.note("1", from: a, at: start)
        #expect(memory.holds("1", from: a, at: start))
        #expect(!memory.holds("1", from: b, at: start) && !memory.holds("2", from: a, at: start))
        #expect(memory.holds("1", from: a, at: start + .hours(24) + .milliseconds(-1)))
        #expect(!memory.holds("1", from: a, at: start + .hours(24)))
        memory.note("2", from: b, at: start + .hours(24))
        #expect(memory.count == 1)
    }

    @Test func `keeps the time of the first`() throws {
        var memory = TransactionMemory()
        let a = try server("a.org")
        memory.note("1", from: a, at: start)
        memory.note("1", from: a, at: start + .hours(23))
        #expect(memory.count == 1 && !memory.holds("1", from: a, at: start + .hours(24)))
        memory.note("1", from: a, at: start + .hours(25))
        #expect(memory.holds("1", from: a, at: start + .hours(48)))
    }

    @Test func `forgets the oldest of a server that sends too many, and of all when there are too many`() throws {
        var memory = TransactionMemory(limits: limits(2, 3))
        let (a, b, c) = (try server("a.org"), try server("b.org"), try server("c.org"))
        for id in ["1", "2", "3"] { memory.note(id, from: a, at: start) }
        #expect(!memory.holds("1", from: a, at: start))
        #expect(memory.holds("2", from: a, at: start) && memory.holds("3", from: a, at: start))
        memory.note("1", from: b, at: start)
        memory.note("1", from: c, at: start)
        #expect(memory.count == 3 && !memory.holds("2", from: a, at: start) && memory.holds("3", from: a, at: start))
        memory.note("2", from: c, at: start)
        memory.note("3", from: c, at: start)
        #expect(!memory.holds("1", from: c, at: start) && memory.holds("1", from: b, at: start))
        #expect(memory.holds("2", from: c, at: start) && memory.holds("3", from: c, at: start))
    }

    @Test func `of one for each and in all`() throws {
        var memory = TransactionMemory(limits: limits(1, 1))
        let (a, b) = (try server("a.org"), try server("b.org"))
        for id in ["1", "2"] { memory.note(id, from: a, at: start) }
        memory.note("1", from: b, at: start)
        #expect(memory.count == 1 && memory.holds("1", from: b, at: start))
    }

    /// The same with a list, which is too slow for the server and too simple to be wrong.
    private struct NaiveMemory {
        var limits: TransactionMemory.Limits
        var taken: [(id: String, origin: ServerName, at: Instant)] = []

        func holds(_ id: String, _ origin: ServerName, _ now: Instant) -> Bool {
            taken.contains { $0.id == id && $0.origin == origin && now < $0.at + limits.duration }
        }

        mutating func note(_ id: String, _ origin: ServerName, _ now: Instant) {
            taken.removeAll { $0.at + limits.duration <= now }
            guard !holds(id, origin, now) else { return }
            if taken.filter({ $0.origin == origin }).count >= limits.perOrigin,
                let first = taken.firstIndex(where: { $0.origin == origin })
            {
                taken.remove(at: first)
            }
            if taken.count >= limits.inAll { taken.removeFirst() }
            taken.append((id, origin, now))
        }
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>) func `is that of a plain list, whatever comes`(seed: UInt64) throws
    {
        var random = SeededGenerator(seed: seed)
        let limits = limits(Int.random(in: 1...6, using: &random), Int.random(in: 1...15, using: &random))
        let servers = try ["a.org", "b.org", "c.org", "d.org"].map { try server($0) }
        var (memory, naive) = (TransactionMemory(limits: limits), NaiveMemory(limits: limits))
        var now = start
        for _ in 0..<2000 {
            if Int.random(in: 0..<20, using: &random) == 0 {
                now = now + .minutes(Int.random(in: 0...600, using: &random))
            }
            let id = "\(Int.random(in: 0..<12, using: &random))"
            let origin = try #require(servers.randomElement(using: &random))
            try #require(memory.holds(id, from: origin, at: now) == naive.holds(id, origin, now))
            guard Bool.random(using: &random) else { continue }
            memory.note(id, from: origin, at: now)
            naive.note(id, origin, now)
            try #require(memory.count == naive.taken.count)
        }
    }
}
