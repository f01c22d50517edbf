import BridgeEngine
import PresenceModel
import SocialEngine

// What must always hold, and what must hold after a quiet time.
extension BridgeWorld {
    /// Nobody is said to be there who is not visible in Matrix by themself, nor more often than allowed, nor where they
    /// neither were nor said they were.
    mutating func checkHeartbeat(_ index: Int, _ whereabouts: Whereabouts?) {
        let person = people[index]
        if case .visible(let state, _, _) = person.own, state != .offline {
        } else {
            fault("a heartbeat for \(index), who is \(person.own)")
        }
        if !person.participates || person.privacy == .hidden { fault("a heartbeat for \(index), who does not want it") }
        var beats = person.beats.filter { $0 + .seconds(30) > now }
        beats.append(now)
        let changes = person.matrixChanges.filter { $0 + .seconds(35) >= now }
        // What the bridge showed itself may be the user's own after a while, without a word of Matrix.
        if beats.count - 1 > changes.count + (weather.isUntold ? 1 : 0) {
            fault("\(beats.count) heartbeats of \(index) in 30 s")
        }
        if beats.count >= 3, beats[beats.count - 3] + .seconds(5) > now { fault("heartbeats of \(index) too close") }
        people[index].beats = beats
        people[index].matrixChanges = changes
        guard let whereabouts else { return }
        if person.privacy != .full { fault("whereabouts of \(index), who does not want it") }
        let main = Whereabouts(realm: "main", parcel: .init(x: 3, y: 4))
        let amber = Whereabouts(realm: "fenrir-amber", parcel: nil)
        guard !person.places.contains(whereabouts), whereabouts != main, whereabouts != amber else { return }
        fault("\(index) was never at \(whereabouts)")
    }

    /// Nobody is shown in the world who was not there, nor touched more often than allowed, nor without need.
    mutating func checkPresented(_ user: UserID, _ showing: Showing, _ guise: BridgeEngine.Guise) {
        if let last = lastShown[user], last.boot == boot {
            let isTakenAway = showing == .offline && relinkedAt.map { $0 == now } ?? false
            if last.at + .seconds(10) > now, !isTakenAway { fault("\(user) is shown \(showing) too soon") }
            let isRetry = failedShows.contains(user)
            if last.showing == showing, !isRetry { fault("\(user) is shown \(showing) again") }
        }
        failedShows.remove(user)
        lastShown[user] = (now, showing, boot)
        guard guise == .world, case .visible(_, let text) = showing, let index = index(of: user) else { return }
        if text != nil, people[index].privacy != .full { fault("a text for \(index), who does not want it") }
        if people[index].privacy == .hidden { fault("\(index) is shown and does not want it") }
        let person = people[index]
        let wasThere = person.isInWorld || person.lastInWorld.map { $0 + .minutes(6) > now } ?? false
        if !wasThere { fault("\(index) is shown in the world and was not there") }
    }

    /// Of whom nothing can be known nobody is shown to be there.
    mutating func checkSilence() {
        guard let silentSince, weather.presentFailures == 0, silentSince + .seconds(135) < now else { return }
        for person in people {
            if case .visible? = person.world { fault("\(person.address) is in the world, of which nothing is heard") }
        }
        for (user, showing) in ghostShown.sorted(by: { $0.key < $1.key }) {
            if case .visible = showing { fault("\(user) is there, of whom nothing is heard") }
        }
    }

    /// An order only moves one side towards the other.
    mutating func checkOrder(_ action: FriendshipAction, _ one: Int, _ two: Int) {
        orders += 1
        if weather.isFair, orders > 4 * tieActs + 8 * (hasRelinked.count + 1) * people.count {
            fault("\(orders) orders after \(tieActs) acts")
        }
    }

    /// Who is not the same on both sides, after a quiet time.
    var disagreements: [String] {
        people.indices.flatMap { heartbeatDisagreements($0) + shownDisagreements($0) + tieDisagreements($0) }
    }

    private func heartbeatDisagreements(_ index: Int) -> [String] {
        let person = people[index]
        // Where nothing is said of devices, who is there themself may look in Matrix just as the bridge shows them.
        guard person.user != nil, !(weather.isUntold && person.isInWorld) else { return [] }
        var isWanted = person.participates && person.privacy != .hidden
        if case .visible(let state, _, _) = person.own {
            isWanted = isWanted && state != .offline
        } else {
            isWanted = false
        }
        return isHeldByBridge(index) == isWanted
            ? [] : ["\(index) is \(person.own) in Matrix, and held online: \(isHeldByBridge(index))"]
    }

    private func shownDisagreements(_ index: Int) -> [String] {
        let person = people[index]
        let isWatched = people.indices.contains { watcher in
            watcher != index && people[watcher].user != nil && people[watcher].participates
                && sessions[watcher].isOpen && areFriends(watcher, index)
        }
        let sighting = sighting(of: index)
        var wrongs: [String] = []
        let isMember = person.user != nil && person.participates
        if person.user != nil {
            let isVisible = if case .visible = person.world { true } else { false }
            let isExpected = isMember && person.privacy != .hidden && person.isInWorld && isWatched
            // By whom somebody is held online who is online on both sides cannot be told.
            let isInDoubt = isExpected && isHeldByBridge(index)
            if isVisible != isExpected, !isInDoubt {
                wrongs.append("\(index) is shown \(String(describing: person.world))")
            }
            if isVisible, person.world != .visible(.online, statusText: text(of: person)) {
                wrongs.append("\(index) is shown as \(String(describing: person.world)), not \(sighting)")
            }
        }
        guard let ghost = engine.ghosts.user(for: person.address) else { return wrongs }
        let isVisible = if case .visible? = ghostShown[ghost] { true } else { false }
        let isExpected = !isMember && isWatched && sighting.state != .offline
        if isVisible != isExpected { wrongs.append("ghost \(index) is shown: \(isVisible), not \(isExpected)") }
        return wrongs
    }

    private func text(of person: Person) -> String? {
        guard person.privacy == .full, let place = person.storedPlace else { return nil }
        return switch weather.bridge.textForm {
        case .oldClient: WhereaboutsText.oldClient(place)
        case .readable: WhereaboutsText.readable(place)
        case .nothing: nil
        }
    }

    private func tieDisagreements(_ index: Int) -> [String] {
        var wrongs: [String] = []
        for other in people.indices where other > index {
            let members = [index, other].filter { people[$0].user != nil && people[$0].participates }
            guard !members.isEmpty, let one = matrixUser(index), let two = matrixUser(other) else { continue }
            let matrix = matrixTies.bond(one.text, two.text)
            let social = socialTies.bond(people[index].address.text, people[other].address.text)
            if matrix != social, !isHiddenBlock(social, matrix, index, other, members) {
                wrongs.append("\(index) and \(other) are \(matrix) in Matrix and \(social) in the social service")
            }
            if lastAct[way(index, other)] == true, hasRelinked.isDisjoint(with: [index, other]),
                matrix == .friends || social == .friends
            {
                wrongs.append("\(index) and \(other) are friends, though one of them took it back last")
            }
        }
        return wrongs
    }

    /// Who is blocked by a stranger may never have been told.
    private func isHiddenBlock(_ social: Bond, _ matrix: Bond, _ index: Int, _ other: Int, _ members: [Int]) -> Bool {
        guard members.count == 1, case .blocked(let blockers) = social else { return false }
        let stranger: Bond.Blockers = members[0] == index ? .second : .first
        guard blockers.contains(stranger) else { return false }
        let rest = blockers.subtracting(stranger)
        // Nor do they learn it from asking: the request waits for ever.
        if rest.isEmpty, matrix == .requested(by: members[0] == index ? .first : .second) { return true }
        return matrix == (rest.isEmpty ? .nothing : .blocked(by: rest))
    }
}
