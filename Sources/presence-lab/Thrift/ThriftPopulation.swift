import Foundation
import PresenceModel

/// How much of everything there is.
struct ThriftScale: Sendable {
    var servers = 200
    var users = 100_000
    var hours = 24.0
    var seed: UInt64 = 1
    /// Of those who come, how many sit at a desk for hours; the others only look at their phones.
    var deskShare = 0.45

    var endMilliseconds: Int64 { Int64(hours * 3_600_000) }
}

/// Who there is, where they live, whom they know, and how far servers are from each other. `Spec/Thrift.md`.
///
/// Users are numbers; those of one server follow each other.
struct ThriftPopulation: Sendable {
    let scale: ThriftScale
    let servers: [ServerName]
    let users: [UserID]
    let homes: [Int]
    /// Minutes that the user's clock is ahead of UTC.
    let zones: [Int]
    /// Whom each user knows, in rising order; who knows somebody is known by them.
    private(set) var contacts: [[Int32]]
    /// Members of each public room, in rising order, the largest rooms first.
    private(set) var rooms: [[Int32]] = []
    /// Milliseconds one way, by `from * servers + to`.
    private(set) var latencies: [Int32]

    init(_ scale: ThriftScale) throws {
        self.scale = scale
        let count = scale.servers
        servers = try (0..<count).map { try ServerName(parsing: "matrix.home\(ThriftPopulation.digits($0)).example") }
        var users: [UserID] = []
        var homes: [Int] = []
        for number in 0..<scale.users {
            let home = number * count / scale.users
            homes.append(home)
            users.append(try UserID(parsing: "@person\(10_000 + number):\(servers[home])"))
        }
        self.users = users
        self.homes = homes
        var chance = ThriftChance(seed: scale.seed, stream: 1)
        let serverZones = (0..<count).map { _ in ThriftPopulation.drawZone(&chance) }
        zones = homes.map { home in
            chance.happens(0.85) ? serverZones[home] : ThriftPopulation.drawZone(&chance)
        }
        latencies = ThriftPopulation.drawLatencies(count, &chance)
        contacts = []
        contacts = drawContacts()
        rooms = drawRooms()
    }

    private static func digits(_ number: Int) -> String { String(String(1000 + number).dropFirst()) }

    /// Europe, the Americas, Asia.
    private static func drawZone(_ chance: inout ThriftChance) -> Int {
        let place = chance.unit()
        if place < 0.5 { return 60 * (chance.below(3)) }
        return place < 0.8 ? -60 * (4 + chance.below(5)) : 60 * (5 + chance.below(5))
    }

    private static func drawLatencies(_ count: Int, _ chance: inout ThriftChance) -> [Int32] {
        var latencies = [Int32](repeating: 0, count: count * count)
        for one in 0..<count {
            for other in 0..<one {
                let milliseconds = Int32(8 + chance.logNormal(median: 45, sigma: 0.6, limit: 400))
                latencies[one * count + other] = milliseconds
                latencies[other * count + one] = milliseconds
            }
        }
        return latencies
    }

    /// Acquaintance is mutual. Three in ten are of the own server, the others of servers that are near to it: the
    /// nearest often, any sometimes. Some users are known to many.
    private func drawContacts() -> [[Int32]] {
        let count = scale.servers
        let nearness = ThriftRanks(count: max(count - 1, 1), exponent: 1)
        var known = [[Int32]](repeating: [], count: users.count)
        for home in 0..<count {
            let others = ThriftPopulation.neighbours(of: home, among: count, seed: scale.seed)
            for user in residents(of: home) {
                var chance = ThriftChance(seed: scale.seed, stream: 1 << 32 + UInt64(user))
                let wanted = chance.pareto(least: 8, exponent: 1.5, limit: 800) / 2
                let whole = Int(wanted) + (chance.happens(wanted - wanted.rounded(.down)) ? 1 : 0)
                for _ in 0..<whole {
                    let server = chance.happens(0.3) || others.isEmpty ? home : others[nearness.draw(&chance)]
                    let there = residents(of: server)
                    let popularity = pow(chance.unit(), 2)
                    let other = there.lowerBound + min(Int(popularity * Double(there.count)), there.count - 1)
                    guard other != user else { continue }
                    known[user].append(Int32(other))
                    known[other].append(Int32(user))
                }
            }
        }
        for user in known.indices {
            known[user].sort()
            var unique: [Int32] = []
            for other in known[user] where unique.last != other { unique.append(other) }
            known[user] = unique
        }
        return known
    }

    /// All other servers, the nearest first; nearness is mutual.
    private static func neighbours(of home: Int, among count: Int, seed: UInt64) -> [Int] {
        let keyed = (0..<count).filter { $0 != home }.map { other -> (key: UInt64, server: Int) in
            let (low, high) = (UInt64(min(home, other)), UInt64(max(home, other)))
            var generator = SeededGenerator(seed: seed ^ (low << 40) ^ (high << 20) ^ 0xABCD)
            return (generator.next(), other)
        }
        return keyed.sorted { $0.key < $1.key }.map(\.server)
    }

    /// One room for every 50 users; each user is in a few, the popular ones more often.
    private func drawRooms() -> [[Int32]] {
        let count = max(users.count / 50, 1)
        let popularity = ThriftRanks(count: count, exponent: 0.9)
        var rooms = [[Int32]](repeating: [], count: count)
        for user in users.indices {
            var chance = ThriftChance(seed: scale.seed, stream: 2 << 32 + UInt64(user))
            let wanted = Int(chance.pareto(least: 2, exponent: 1.5, limit: 100))
            var chosen: Set<Int> = []
            for _ in 0..<wanted { chosen.insert(popularity.draw(&chance)) }
            for room in chosen.sorted() { rooms[room].append(Int32(user)) }
        }
        return rooms
    }

    func residents(of server: Int) -> Range<Int> {
        let (users, servers) = (scale.users, scale.servers)
        func first(_ server: Int) -> Int { (server * users + servers - 1) / servers }
        return first(server)..<first(server + 1)
    }

    func latency(_ from: Int, _ to: Int) -> Int64 { Int64(latencies[from * scale.servers + to]) }
}
