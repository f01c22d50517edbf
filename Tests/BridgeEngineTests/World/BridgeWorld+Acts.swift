import BridgeEngine
import PresenceModel
import SocialEngine

// What people do, and what comes of it.
extension BridgeWorld {
    mutating func act() {
        acts += 1
        let index = Int.random(in: people.indices, using: &generator)
        let isStranger = people[index].user == nil
        if generator.happens(weather.sociability) {
            return isStranger || generator.happens(500) ? tieSocially(index) : tieInMatrix(index)
        }
        if isStranger || generator.happens(400) { return moveInWorld(index) }
        if generator.happens(30) { return chooseAnew(index) }
        changeInMatrix(index)
    }

    /// Of all pairs about half are friends on the social side, before the bridge is there.
    mutating func befriendSome() {
        for one in people.indices {
            for other in people.indices where other > one && generator.happens(500) {
                _ = actSocially(.request(message: nil), by: one, towards: other)
                _ = actSocially(.accept, by: other, towards: one)
            }
        }
    }

    private mutating func changeInMatrix(_ index: Int) {
        let state = generator.pick([PublishedState.online, .busy, .freeForChat, .unavailable, .offline, .offline])
        let text = generator.pick([
            nil, nil, "in a meeting, 10,-20", #"{"realm":{"layer":"","serverName":"main"},"position":{"x":3,"y":4}}"#,
            #"{"realm":{"layer":"amber","serverName":"fenrir"}}"#,
        ])
        switch Int.random(in: 0..<10, using: &generator) {
        case 0, 1: people[index].own = .hidden
        case 2: people[index].own = .unknown
        default: people[index].own = .visible(state, statusText: text, .devices)
        }
        reportView(of: index)
    }

    private mutating func chooseAnew(_ index: Int) {
        guard let user = people[index].user else { return }
        people[index].matrixChanges.append(now)
        if generator.happens(500) {
            people[index].participates.toggle()
            hasRelinked.insert(index)
            relinkedAt = now
            submit(.participationChosen(user, people[index].participates))
        } else {
            people[index].privacy = generator.pick(SocialPrivacy.allCases)
            submit(.privacyChosen(user, people[index].privacy))
        }
    }

    private mutating func moveInWorld(_ index: Int) {
        // Some never go there, so that whatever is shown of them as being there is an echo.
        guard !(weather.hasHomebodies && index == 0) else { return }
        let realm = generator.pick(["main", "dao", "a.world.eth"])
        let x = Int32.random(in: -9...9, using: &generator)
        let place = Whereabouts(realm: realm, parcel: .init(x: x, y: 100 + Int32(index)))
        if people[index].isInWorld, generator.happens(500) {
            people[index].isInWorld = false
            people[index].lastInWorld = now
            return publish(index)
        }
        if !people[index].isInWorld { plan(.nativeBeat(index), at: now + .seconds(30)) }
        people[index].isInWorld = true
        people[index].place = place
        people[index].storedPlace = place
        people[index].places.insert(place)
        publish(index)
    }

    private mutating func tieSocially(_ index: Int) {
        let other = Int.random(in: people.indices, using: &generator)
        guard other != index else { return }
        let action = drawAction()
        guard actSocially(action, by: index, towards: other) else { return }
        noteAct(action, index, other)
    }

    private mutating func tieInMatrix(_ index: Int) {
        let other = Int.random(in: people.indices, using: &generator)
        guard other != index, people[index].participates, let user = matrixUser(index), let seen = matrixUser(other),
            people[other].user == seen || ghostsMade.contains(seen)
        else { return }
        let action = drawAction()
        guard matrixTies.act(action, by: user.text, towards: seen.text) else { return }
        noteAct(action, index, other)
        reportTie(user, seen)
    }

    private mutating func drawAction() -> FriendshipAction {
        generator.pick([
            .request(message: nil), .request(message: nil), .accept, .accept, .accept, .reject, .cancel, .delete,
            .block, .unblock,
        ])
    }

    private mutating func noteAct(_ action: FriendshipAction, _ index: Int, _ other: Int) {
        let isRevocation =
            switch action {
            case .reject, .cancel, .delete, .block: true
            case .request, .accept, .unblock: false
            }
        lastAct[way(index, other)] = isRevocation
        tieActs += 1
    }

    func way(_ one: Int, _ other: Int) -> Ties.Way { Ties.Way(from: "\(min(one, other))", to: "\(max(one, other))") }

    /// Who stands for somebody in Matrix.
    func matrixUser(_ index: Int) -> UserID? {
        let person = people[index]
        if let user = person.user, person.participates { return user }
        return engine.ghosts.user(for: person.address)
    }

    mutating func take(_ happening: Happening) {
        switch happening {
        case .connect(let index, let generation):
            if sessions[index].generation == generation { connect(index) }
        case .breakDown(let index):
            breakDown(index)
            if let holds = weather.sessionHolds { plan(.breakDown(index), in: holds) }
        case .toBridge(let event, let index, let generation):
            guard sessions[index].generation == generation else { return }
            submit(event)
            if generator.happens(weather.doubled), isRepeatable(event) { submit(event) }
        case .toService(let effect, let index, let generation):
            if sessions[index].generation == generation { takeFromBridge(effect, index) }
        case .toMatrix(let effect, let boot):
            // What was under way when the bridge fell may arrive or not.
            if boot == self.boot || generator.happens(500) { takeMatrix(effect) }
        case .fromMatrix(let event, let boot):
            guard boot == self.boot else { return }
            if case .deadlineReached = event { return people.indices.forEach { reportView(of: $0) } }
            submit(event)
        case .nativeBeat(let index):
            guard people[index].isInWorld else { return }
            people[index].storedPlace = people[index].place
            plan(.nativeBeat(index), at: now + .seconds(30))
            publish(index)
        case .expiry: people.indices.forEach { publish($0) }
        case .outage:
            isServiceUp = false
            silentSince = now
            for index in people.indices { breakDown(index) }
            plan(.outageEnds, in: .minutes(7))
            if let holds = weather.socialHolds { plan(.outage, in: holds) }
        case .outageEnds:
            isServiceUp = true
            silentSince = nil
        case .fall:
            if generator.happens(500) { rise() } else { isDoomed = true }
            if let holds = weather.bridgeHolds { plan(.fall, in: holds) }
        }
    }

    private func isRepeatable(_ event: BridgeEngine.Event) -> Bool {
        switch event {
        case .socialReported, .snapshotReported, .friendshipsRead: true
        default: false
        }
    }

    mutating func carryOut(_ effect: BridgeEngine.Effect) {
        switch effect {
        case .openSession(let address, let user):
            let index = index(of: address)
            if people[index].user != user { fault("a session for \(user) as \(address)") }
            sessions[index].isWanted = true
            sessions[index].generation += 1
            plan(.connect(index, generation: sessions[index].generation), in: .seconds(generator.pick([1, 10])))
        case .closeSession(let address):
            let index = index(of: address)
            sessions[index] = Session(generation: sessions[index].generation + 1)
        case .heartbeat(let address, let whereabouts, _):
            checkHeartbeat(index(of: address), whereabouts)
            sendToService(effect, from: address)
        case .stop(let address), .readFriendships(let address): sendToService(effect, from: address)
        case .actSocially(let actor, let action, let other):
            checkOrder(action, index(of: actor), index(of: other))
            sendToService(effect, from: actor)
        case .present(let user, let showing, let guise): present(user, showing, guise)
        case .editList(let user, let action, let other):
            if let (one, two) = persons(user, other) { checkOrder(action, one, two) }
            planMatrix(.toMatrix(effect, boot: boot))
        case .makeGhost, .readList: planMatrix(.toMatrix(effect, boot: boot))
        case .save, .note: break
        }
    }

    private func persons(_ user: UserID, _ other: UserID) -> (Int, Int)? {
        let both = [user, other].map { user in
            index(of: user) ?? engine.ghosts.address(of: user).map { index(of: $0) }
        }
        guard let one = both[0], let two = both[1] else { return nil }
        return (one, two)
    }
}
