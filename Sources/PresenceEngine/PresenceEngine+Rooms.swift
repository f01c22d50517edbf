import PresenceModel

/// Who is in a room. Users are numbers; every list of them rises.
struct RoomRecord: Sendable {
    /// The members that one other server hosts.
    struct Share: Sendable {
        let number: Int
        var members: [Int]
    }

    let id: RoomID
    /// Sharing it makes nobody visible.
    let isExcluded: Bool
    var members: [Int] = []
    var locals: [Int] = []
    /// In the order of the servers' numbers; a server without members is not in it.
    var servers: [Share] = []
    /// Of the latest change that a member's observers see.
    var version: UInt64 = 0
    /// Of the latest join.
    var joined: UInt64 = 0
    /// Local members who care about the others.
    var caring = 0

    func members(of server: Int) -> [Int] {
        let place = servers.insertionPoint { $0.number < server }
        return place < servers.count && servers[place].number == server ? servers[place].members : []
    }

    mutating func insert(_ member: Int, of server: Int?) {
        members.insertSorted(member)
        guard let server else {
            locals.insertSorted(member)
            return
        }
        let place = servers.insertionPoint { $0.number < server }
        if place == servers.count || servers[place].number != server {
            servers.insert(Share(number: server, members: []), at: place)
        }
        servers[place].members.insertSorted(member)
    }

    mutating func remove(_ member: Int, of server: Int?) {
        members.removeSorted(member)
        guard let server else {
            locals.removeSorted(member)
            return
        }
        let place = servers.insertionPoint { $0.number < server }
        guard place < servers.count, servers[place].number == server else { return }
        servers[place].members.removeSorted(member)
        if servers[place].members.isEmpty { servers.remove(at: place) }
    }
}

// Rooms: who shares one may see each other. Seed: presence and permissions.
extension PresenceEngine {
    mutating func join(_ user: UserID, _ id: RoomID, into effects: inout [Effect]) {
        guard refusal(of: .roomJoined(user, id)) == nil else { return }
        let number = intern(user)
        let room = intern(id)
        guard !rooms[room].members.containsSorted(number) else { return }
        effects.append(.save(.member(id, user)))
        // Only who may come back for what they missed collects arrivals.
        let unseen =
            users[number].collectsArrivals ? rooms[room].members.filter { !isShown($0, to: number) } : []
        let unseeing = rooms[room].locals.filter { users[$0].collectsArrivals && !isShown(number, to: $0) }
        enter(number, room)
        // Rooms without a change are not looked at by who reads on: a change of before the join counts here too.
        rooms[room].version = max(rooms[room].version, versions[number])
        guard !rooms[room].isExcluded else { return }
        // One for all who arrive, whoever listens: the number must not tell.
        version += 1
        rooms[room].joined = version
        reviewAudience(afterJoinOf: number, in: room, into: &effects)
        var hasNews = false
        for member in unseen where isShown(member, to: number) {
            if arrive(member, for: number) { hasNews = true }
        }
        if hasNews { wakeStreams(of: number, into: &effects) }
        for member in unseeing where isShown(number, to: member) {
            if arrive(number, for: member) { wakeStreams(of: member, into: &effects) }
        }
        noteCare(of: number, in: room, by: 1, into: &effects)
        refreshInterest(of: number, into: &effects)
        guard !interests.isEmpty else { return }
        for member in rooms[room].locals { refreshInterest(of: member, into: &effects) }
    }

    mutating func leave(_ user: UserID, _ id: RoomID, into effects: inout [Effect]) {
        guard let number = number(of: user), let room = roomNumbers[id], rooms[room].members.containsSorted(number)
        else { return }
        effects.append(.save(.memberRemoved(id, user)))
        let server = remotes[number]?.server
        rooms[room].remove(number, of: server)
        relate(number) { $0.rooms.removeSorted(room) }
        reviewAudience(afterLeaveOf: number, from: room, into: &effects)
        if server != nil { forgetIfUnneeded(number, into: &effects) }
        if !rooms[room].isExcluded { noteCare(of: number, in: room, by: -1, into: &effects) }
        // Who asked for news of somebody because of the room gets none any more.
        for member in [number] + rooms[room].locals { refreshInterest(of: member, into: &effects) }
        releaseIfUnneeded(number)
        guard rooms[room].members.isEmpty else { return }
        roomNumbers[id] = nil
        freeRooms.append(room)
    }

    mutating func forget(_ id: RoomID, into effects: inout [Effect]) {
        guard let room = roomNumbers[id] else { return }
        for member in rooms[room].members { leave(profiles[member].id, id, into: &effects) }
    }

    /// Both sides' lists, without a word to anybody.
    mutating func enter(_ number: Int, _ room: Int) {
        rooms[room].insert(number, of: remotes[number]?.server)
        relate(number) { $0.rooms.insertSorted(room) }
    }

    mutating func intern(_ id: RoomID) -> Int {
        if let number = roomNumbers[id] { return number }
        let record = RoomRecord(id: id, isExcluded: configuration.excludedRooms.contains(id))
        let number = freeRooms.popLast() ?? rooms.count
        if number == rooms.count { rooms.append(record) } else { rooms[number] = record }
        roomNumbers[id] = number
        return number
    }
}
