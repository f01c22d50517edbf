import BridgeEngine
import PresenceModel
import SocialEngine

// The naive social service.
extension BridgeWorld {
    static let timeout = Duration.minutes(2)

    func isHeldByBridge(_ index: Int) -> Bool {
        people[index].bridgeBeat.map { $0 + BridgeWorld.timeout > now } ?? false
    }

    /// How the service sees somebody.
    func sighting(of index: Int) -> FriendSighting {
        let person = people[index]
        let state: FriendState =
            person.isInWorld ? .online : isHeldByBridge(index) ? person.bridgeState : .offline
        return FriendSighting(
            friend: person.address, state: state, whereabouts: state == .offline ? nil : person.storedPlace)
    }

    /// Tells friends what changed.
    mutating func publish(_ index: Int) {
        let sighting = sighting(of: index)
        guard told[index] != sighting else { return }
        told[index] = sighting
        for watcher in people.indices where sessions[watcher].isOpen && areFriends(watcher, index) {
            send(.socialReported([sighting], seenBy: people[watcher].address), to: watcher)
        }
    }

    func areFriends(_ one: Int, _ other: Int) -> Bool {
        socialTies.areFriends(people[one].address.text, people[other].address.text)
    }

    /// To the bridge, on a session, in order.
    mutating func send(_ event: BridgeEngine.Event, to index: Int) {
        let delay = Int64.random(in: 0...sessions[index].delay, using: &generator)
        let arrival = max(sessions[index].lastArrival, now.advanced(byMilliseconds: delay))
        sessions[index].lastArrival = arrival
        plan(.toBridge(event, index, generation: sessions[index].generation), at: arrival)
    }

    mutating func sendToService(_ effect: BridgeEngine.Effect, from address: SocialAddress) {
        let index = index(of: address)
        guard sessions[index].isOpen else {
            // Only what is said of a user who is gone may come without a session: it cannot be said any more.
            if case .stop = effect { return }
            return fault("\(effect) without a session")
        }
        let delay = Int64.random(in: 0...sessions[index].delay, using: &generator)
        let arrival = max(sessions[index].lastDeparture, now.advanced(byMilliseconds: delay))
        sessions[index].lastDeparture = arrival
        plan(.toService(effect, index, generation: sessions[index].generation), at: arrival)
    }

    mutating func connect(_ index: Int) {
        guard sessions[index].isWanted, !sessions[index].isOpen else { return }
        guard isServiceUp else { return plan(.connect(index, generation: sessions[index].generation), in: .seconds(5)) }
        sessions[index].isOpen = true
        sessions[index].delay = weather.delayMilliseconds
        sessions[index].lastArrival = now
        sessions[index].lastDeparture = now
        submit(.sessionOpened(people[index].address))
        sendReading(index)
        let friends = people.indices.filter { areFriends(index, $0) }
        let sightings = friends.map { sighting(of: $0) }.filter { $0.state != .offline }
        send(.snapshotReported(sightings, seenBy: people[index].address), to: index)
    }

    mutating func sendReading(_ index: Int) {
        var reading = FriendshipReading()
        for other in people.indices where other != index {
            let address = people[other].address
            let request = FriendRequest(other: address, createdAt: now, message: nil)
            switch socialTies.bond(people[index].address.text, address.text) {
            case .friends: reading.friends.append(address)
            case .requested(by: .first): reading.outgoing.append(request)
            case .requested(by: .second): reading.incoming.append(request)
            case .blocked(let blockers) where blockers.contains(.first): reading.blocked.append(address)
            case .blocked, .nothing: break
            }
        }
        send(.friendshipsRead(reading, seenBy: people[index].address), to: index)
    }

    mutating func breakDown(_ index: Int) {
        guard sessions[index].isOpen else { return }
        sessions[index].isOpen = false
        sessions[index].generation += 1
        plan(.connect(index, generation: sessions[index].generation), in: .seconds(generator.pick([1, 20, 200])))
        submit(.sessionLost(people[index].address))
    }

    mutating func takeFromBridge(_ effect: BridgeEngine.Effect, _ index: Int) {
        switch effect {
        case .heartbeat(_, let whereabouts, let state):
            people[index].bridgeBeat = now
            people[index].bridgeState = state
            if let whereabouts { people[index].storedPlace = whereabouts }
            plan(.expiry, at: now + BridgeWorld.timeout)
            publish(index)
        case .stop:
            guard weather.honoursStop else { return }
            people[index].bridgeBeat = nil
            publish(index)
        case .actSocially(let actor, let action, let other):
            let isLost = generator.happens(weather.answersLost)
            let isDone = actSocially(action, by: index, towards: self.index(of: other))
            if isLost {
                send(.actFailed(actor, action, towards: other), to: index)
            } else {
                send(
                    isDone
                        ? .actAnswered(actor, action, towards: other)
                        : .actRefused(actor, action, towards: other, refusal(index, self.index(of: other))),
                    to: index)
            }
        case .readFriendships: sendReading(index)
        default: break
        }
    }

    private func refusal(_ one: Int, _ other: Int) -> FriendshipRefusal {
        if case .blocked = socialTies.bond(people[one].address.text, people[other].address.text) { return .blocked }
        return .transition
    }

    /// Both are told, on all their sessions.
    mutating func actSocially(_ action: FriendshipAction, by actor: Int, towards other: Int) -> Bool {
        let (mine, theirs) = (people[actor].address, people[other].address)
        guard socialTies.act(action, by: mine.text, towards: theirs.text) else { return false }
        for (index, seen, isOwn) in [(actor, theirs, true), (other, mine, false)] where sessions[index].isOpen {
            let news = FriendshipNews(other: seen, isOwn: isOwn, body: .acted(action, at: now))
            send(.friendshipReported(news, seenBy: people[index].address), to: index)
        }
        // Friends see each other from now on.
        if areFriends(actor, other) {
            for (watcher, seen) in [(actor, other), (other, actor)] where sessions[watcher].isOpen {
                let sighting = sighting(of: seen)
                if sighting.state != .offline {
                    send(.socialReported([sighting], seenBy: people[watcher].address), to: watcher)
                }
            }
        }
        return true
    }
}
