/// Which servers may learn of which users: for every user the other servers that host a contact or, where public rooms
/// count, somebody in one of the user's rooms.
struct ThriftLinks: Sendable {
    /// The first link of each user, and the end.
    private(set) var starts: [Int32] = [0]
    /// Of each link, in rising order for each user.
    private(set) var servers: [UInt16] = []
    /// For each user, the links by which the user's server learns of the user's contacts.
    private(set) var watched: [[Int32]]

    init(of population: ThriftPopulation, rooms: [[Int32]]) {
        let words = (population.scale.servers + 63) / 64
        var sets = [UInt64](repeating: 0, count: population.users.count * words)
        func add(_ server: Int, to user: Int) { sets[user * words + server / 64] |= 1 << UInt64(server % 64) }
        for user in population.users.indices {
            for contact in population.contacts[user] { add(population.homes[Int(contact)], to: user) }
        }
        for room in rooms {
            var all = [UInt64](repeating: 0, count: words)
            for member in room {
                let home = population.homes[Int(member)]
                all[home / 64] |= 1 << UInt64(home % 64)
            }
            for member in room { for word in 0..<words { sets[Int(member) * words + word] |= all[word] } }
        }
        for user in population.users.indices {
            let home = population.homes[user]
            for server in 0..<population.scale.servers where server != home {
                if sets[user * words + server / 64] & (1 << UInt64(server % 64)) != 0 { servers.append(UInt16(server)) }
            }
            starts.append(Int32(servers.count))
        }
        watched = []
        watched = population.users.indices.map { observer in
            let home = population.homes[observer]
            return population.contacts[observer].compactMap { contact in
                link(of: Int(contact), to: home).map { Int32($0) }
            }
        }
    }

    func links(of user: Int) -> Range<Int> { Int(starts[user])..<Int(starts[user + 1]) }

    /// `nil` if that server has nothing to do with the user.
    func link(of user: Int, to server: Int) -> Int? {
        var low = Int(starts[user])
        var high = Int(starts[user + 1])
        let wanted = UInt16(server)
        while low < high {
            let middle = (low + high) / 2
            if servers[middle] < wanted { low = middle + 1 } else { high = middle }
        }
        return low < Int(starts[user + 1]) && servers[low] == wanted ? low : nil
    }
}
