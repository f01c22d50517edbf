import PresenceModel

// Which servers host someone who may see a local user, and by what. Design: section 4, rule 7.
extension PresenceEngine {
    func hasAudience(_ number: Int) -> Bool {
        users[number].hasRelations && relations[number]?.audience.isEmpty == false
    }

    /// What was last said of the user's reach at the server; `nil`: nobody there may see the user.
    func toldReach(of number: Int, at server: Int) -> Reach? {
        guard relations[number]?.audience.containsSorted(server) ?? false else { return nil }
        return relations[number]?.seenWidely.containsSorted(server) ?? false ? .wide : .near
    }

    /// Looks anew whether anyone at a server may see the local user, and by what.
    mutating func reviewAudience(of number: Int, at server: Int, into effects: inout [Effect]) {
        guard users[number].isLocal else { return }
        settleAudience(of: number, at: server, reach(of: number, at: server), into: &effects)
    }

    private mutating func settleAudience(
        of number: Int, at server: Int, _ reach: Reach?, into effects: inout [Effect]
    ) {
        let told = toldReach(of: number, at: server)
        guard reach != told else { return }
        let user = profiles[number].id
        guard let reach else {
            relate(number) {
                $0.audience.removeSorted(server)
                $0.seenWidely.removeSorted(server)
            }
            effects.append(.audienceRemoved(user, servers[server]))
            return
        }
        if told == nil {
            // Whoever has no audience is not told of: the first server finds out what holds.
            if !hasAudience(number) { effects.append(.localPublished(user, presence(of: number), .changed)) }
            relate(number) { $0.audience.insertSorted(server) }
            effects.append(.audienceAdded(user, servers[server]))
        }
        guard reach != told ?? .near else { return }
        relate(number) { related in
            if reach == .wide {
                related.seenWidely.insertSorted(server)
            } else {
                related.seenWidely.removeSorted(server)
            }
        }
        effects.append(.reachChanged(user, servers[server], reach))
    }

    mutating func restoreAudience(of number: Int, into effects: inout [Effect]) {
        guard users[number].isLocal, users[number].hasRelations, let related = relations[number] else { return }
        var near: [Int] = []
        for consent in related.consents where consent.stored.state == .granted {
            if let server = remotes[consent.observer]?.server { near.insertSorted(server) }
        }
        var all = near
        for room in related.rooms where !rooms[room].isExcluded {
            for share in rooms[room].servers where hasObserver(of: number, among: share.members) {
                all.insertSorted(share.number)
                if isNear(room) { near.insertSorted(share.number) }
            }
        }
        let wide = all.filter { !near.containsSorted($0) }
        relate(number) {
            $0.audience = all
            $0.seenWidely = wide
        }
        for server in all.sorted(by: { servers[$0] < servers[$1] }) {
            effects.append(.audienceRestored(profiles[number].id, servers[server]))
            if wide.containsSorted(server) {
                effects.append(.reachChanged(profiles[number].id, servers[server], .wide))
            }
        }
    }

    /// `nil`: nobody there may see the user.
    private func reach(of number: Int, at server: Int) -> Reach? {
        guard let related = relations[number] else { return nil }
        var sharesLargeRoom = false
        for room in related.rooms where !rooms[room].isExcluded {
            if sharesLargeRoom, !isNear(room) { continue }
            guard hasObserver(of: number, among: rooms[room].members(of: server)) else { continue }
            if isNear(room) { return .near }
            sharesLargeRoom = true
        }
        let isGranted = related.consents.contains {
            $0.stored.state == .granted && remotes[$0.observer]?.server == server
        }
        return isGranted ? .near : sharesLargeRoom ? .wide : nil
    }

    private func hasObserver(of number: Int, among members: [Int]) -> Bool {
        members.contains { !isBlocked($0, by: number) }
    }

    private func isNear(_ room: Int) -> Bool { rooms[room].members.count <= configuration.nearRoomLimit }

    // MARK: Rooms

    /// Somebody came into a room that is not excluded, and is in it already.
    mutating func reviewAudience(afterJoinOf number: Int, in room: Int, into effects: inout [Effect]) {
        /// A large room adds nothing to what was told; a small one brings near.
        let brings: Reach = isNear(room) ? .near : .wide
        func isNews(_ member: Int, _ server: Int) -> Bool {
            guard let told = toldReach(of: member, at: server) else { return true }
            return told == .wide && brings == .near
        }
        if users[number].isLocal {
            for share in rooms[room].servers where isNews(number, share.number) {
                reviewAudience(of: number, at: share.number, into: &effects)
            }
        } else if let server = remotes[number]?.server {
            for member in rooms[room].locals where isNews(member, server) {
                reviewAudience(of: member, at: server, into: &effects)
            }
        }
        if rooms[room].members.count == configuration.nearRoomLimit + 1 {
            reviewReach(in: room, of: .near, into: &effects)
        }
    }

    /// Somebody left a room, and is in it no more.
    mutating func reviewAudience(afterLeaveOf number: Int, from room: Int, into effects: inout [Effect]) {
        guard !rooms[room].isExcluded else { return }
        let wasNear = rooms[room].members.count < configuration.nearRoomLimit
        /// Who was near by something else than this large room is so still.
        func mayEnd(_ member: Int, _ server: Int) -> Bool {
            toldReach(of: member, at: server).map { wasNear || $0 == .wide } ?? false
        }
        if users[number].isLocal {
            for share in rooms[room].servers where mayEnd(number, share.number) {
                reviewAudience(of: number, at: share.number, into: &effects)
            }
        } else if let server = remotes[number]?.server {
            for member in rooms[room].locals where mayEnd(member, server) {
                reviewAudience(of: member, at: server, into: &effects)
            }
        }
        if rooms[room].members.count == configuration.nearRoomLimit {
            reviewReach(in: room, of: .wide, into: &effects)
        }
    }

    /// The room has just grown past the limit, or shrunk to it: looks at its local members at its servers who were told of
    /// as `told`.
    private mutating func reviewReach(in room: Int, of told: Reach, into effects: inout [Effect]) {
        for member in rooms[room].locals {
            for share in rooms[room].servers where toldReach(of: member, at: share.number) == told {
                reviewAudience(of: member, at: share.number, into: &effects)
            }
        }
    }
}
