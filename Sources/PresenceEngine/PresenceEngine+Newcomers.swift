import PresenceModel

// Who comes into view by what the homeserver shows an observer.
extension PresenceEngine {
    /// A user whom the homeserver shows an observer in a room of the observer's.
    public struct Newcomer: Hashable, Sendable {
        /// Who is there.
        public var user: UserID
        /// Where.
        public var room: RoomID

        /// - Parameters:
        ///   - user: who is there.
        ///   - room: where.
        public init(user: UserID, room: RoomID) {
            self.user = user
            self.room = room
        }
    }

    /// What `observer` may know of `newcomers` and of everyone known to be in `rooms`: those of whom something is known,
    /// each once, in the order given, without those `seen` already.
    ///
    /// That observer and observed are in one room is the homeserver's word here, which may be ahead of ours; blocks and
    /// excluded rooms hold all the same.
    public func sightings(
        of newcomers: [Newcomer], membersOf rooms: [RoomID], by observer: UserID, besides seen: Set<UserID>
    ) -> [Sighting] {
        guard let watcher = number(of: observer) else { return [] }
        var found: [Sighting] = []
        var met: Set<Int> = [watcher]
        func meet(_ number: Int, in room: RoomID) {
            guard isShown(number, to: watcher, in: room) || isShown(number, to: watcher) else { return }
            guard met.insert(number).inserted, !seen.contains(profiles[number].id) else { return }
            let knowledge = knowledge(of: number)
            if case .unknown(.neverHeard, _) = knowledge { return }
            found.append(Sighting(user: profiles[number].id, knowledge: knowledge))
        }
        for newcomer in newcomers {
            if let number = number(of: newcomer.user) { meet(number, in: newcomer.room) }
        }
        for room in rooms {
            guard let number = roomNumbers[room] else { continue }
            for member in self.rooms[number].members { meet(member, in: room) }
        }
        return found
    }

    private func isShown(_ observed: Int, to observer: Int, in room: RoomID) -> Bool {
        !configuration.excludedRooms.contains(room) && !isBlocked(observer, by: observed)
    }
}
