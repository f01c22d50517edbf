import PresenceEngine
import PresenceModel

// Who is in which room, and how servers hear of it: those with a user in a room, in order, each after a time of its own.
// What is said while a server is down is lost; when it comes back it is told everything anew.
extension World {
    mutating func join(_ user: UserID, _ room: RoomID) {
        let members = gatherings[room] ?? []
        guard !members.contains(user) else { return }
        gatherings[room] = members.union([user])
        greet(user, among: members)
        let home = sites.firstIndex { $0.name == user.server }
        // A server that comes into a room is told who is there.
        if let home, !hasResident(home, in: members) {
            for member in members.sorted() { tell(home, RoomNotice(room: room, change: .joined(member))) }
        }
        for site in sites.indices where site == home || hasResident(site, in: members) {
            tell(site, RoomNotice(room: room, change: .joined(user)))
        }
    }

    mutating func leave(_ user: UserID, _ room: RoomID) {
        guard gatherings[room]?.remove(user) != nil else { return }
        let members = gatherings[room] ?? []
        let home = sites.firstIndex { $0.name == user.server }
        for site in sites.indices where site == home || hasResident(site, in: members) {
            tell(site, RoomNotice(room: room, change: .left(user)))
        }
        // A server that nobody of whom is in the room is told nothing more of it.
        if let home, !hasResident(home, in: members) { tell(home, RoomNotice(room: room, change: .forgotten)) }
    }

    mutating func takeNotice(_ notice: RoomNotice, at run: Run) {
        guard sites[run.site].boot == run.boot, sites[run.site].instance != nil else { return }
        isAccessUnchecked = true
        submit(.presence(notice.event), to: run.site)
    }

    /// Who is in which room at this moment, whatever the server believed before.
    mutating func tellRooms(_ run: Run) {
        for room in rooms {
            let members = gatherings[room] ?? []
            let believed = model.rooms[sites[run.site].name]?[room] ?? []
            guard hasResident(run.site, in: members) else {
                if !believed.isEmpty { takeNotice(RoomNotice(room: room, change: .forgotten), at: run) }
                continue
            }
            for user in believed.subtracting(members).sorted() {
                takeNotice(RoomNotice(room: room, change: .left(user)), at: run)
            }
            for user in members.sorted() { takeNotice(RoomNotice(room: room, change: .joined(user)), at: run) }
        }
    }

    private mutating func tell(_ site: Int, _ notice: RoomNotice) {
        let run = Run(site: site, boot: sites[site].boot)
        guard sites[site].noticeDelay > 0 else { return takeNotice(notice, at: run) }
        agenda.plan(.notice(notice, run), at: now.advanced(byMilliseconds: sites[site].noticeDelay))
    }

    private func hasResident(_ site: Int, in members: Set<UserID>) -> Bool {
        members.contains { $0.isHosted(by: sites[site].name) }
    }
}
