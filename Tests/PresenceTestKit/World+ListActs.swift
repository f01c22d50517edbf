import PresenceEngine
import PresenceModel

// What users do with each other: lists, answers, groups, policies, rooms, interest.
extension World {
    mutating func actTowardsOthers(_ user: UserID, at site: Int) {
        let other = generator.pick(users)
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<22: add(generator.happens(30) ? generator.pick(ghosts) : other, to: user)
        case 22..<34: perform(.entryRemoved(observer: user, observed: pickEntry(of: user) ?? other), at: site)
        case 34..<50: answer(user, at: site)
        case 50..<53: perform(.userBlocked(by: user, other), at: site)
        case 53..<57:
            let blocked = sites[site].instance?.presence.blocked(by: user) ?? []
            perform(.userUnblocked(by: user, blocked.isEmpty ? other : generator.pick(blocked)), at: site)
        case 57..<60:
            perform(.listPolicyChosen(user, generator.pick([nil, .ask] + ListPolicy.allCases)), at: site)
        case 60..<63: chooseContactPolicy(of: user, at: site)
        case 63..<75: changeGroups(of: user, at: site)
        case 75..<85: join(user, generator.pick(rooms))
        case 85..<92: leave(user, generator.pick(rooms))
        case 92..<98: setInterest(of: user, at: site)
        default:
            let ghost = generator.pick(ghosts)
            perform(.userKnown(ghost), at: self.site(of: ghost))
        }
    }

    mutating func add(_ observed: UserID, to observer: UserID) {
        let note = generator.pick([nil, nil, "it's me", "please"])
        let acl = generator.pick([nil, nil, "acl://7"])
        perform(
            .entryAdded(observer: observer, observed: observed, note: note, acl: acl), at: site(of: observer))
    }

    /// Says yes to most who wait.
    mutating func answerAll(_ user: UserID) {
        let site = site(of: user)
        for request in sites[site].instance?.presence.requests(to: user) ?? [] where generator.happens(800) {
            perform(.requestAccepted(observed: user, observer: request.user), at: site)
        }
    }

    private func pickedList(of user: UserID) -> [UserID] {
        (sites[site(of: user)].instance?.presence.list(of: user) ?? []).map(\.user)
    }

    private mutating func pickEntry(of user: UserID) -> UserID? {
        let list = pickedList(of: user)
        return list.isEmpty || generator.happens(30) ? nil : generator.pick(list)
    }

    /// To someone who waits, or was let before; now and then to someone who never asked.
    private mutating func answer(_ user: UserID, at site: Int) {
        guard let engine = sites[site].instance?.presence else { return }
        let waiting = engine.requests(to: user).map(\.user)
        let granted = engine.granted(by: user)
        var observer = generator.pick(users)
        let isWaiting = !waiting.isEmpty && generator.happens(800)
        if isWaiting {
            observer = generator.pick(waiting)
        } else if !granted.isEmpty, generator.happens(900) {
            observer = generator.pick(granted)
        }
        let isYes = generator.happens(isWaiting ? 700 : 300)
        perform(
            isYes
                ? .requestAccepted(observed: user, observer: observer)
                : .requestDenied(observed: user, observer: observer),
            at: site)
    }

    private mutating func chooseContactPolicy(of user: UserID, at site: Int) {
        var rules: [ContactRule] = [.anyone, .list, .nobody]
        if let group = try? GroupName(parsing: "friends") { rules.append(.group(group)) }
        var policy = ContactPolicy()
        policy.freeForChat = generator.pick(rules)
        policy.online = generator.pick(rules)
        policy.busy = generator.pick(rules)
        policy.unavailable = generator.pick(rules)
        policy.offline = generator.pick(rules)
        perform(.contactPolicyChosen(user, policy), at: site)
    }

    private mutating func changeGroups(of user: UserID, at site: Int) {
        let names = ["friends", "friends", "work", "choir"].compactMap { try? GroupName(parsing: $0) }
        let name = generator.pick(names)
        let member = pickEntry(of: user) ?? generator.pick(users)
        switch Int.random(in: 0..<10, using: &generator) {
        case 0..<4: perform(.groupAdded(user, name), at: site)
        case 4: perform(.groupRemoved(user, name), at: site)
        case 5:
            let new = generator.pick(names)
            if new != name { perform(.groupRenamed(user, name, to: new), at: site) }
        case 6..<9: perform(.memberAdded(user, name, member), at: site)
        default: perform(.memberRemoved(user, name, member), at: site)
        }
    }

    private mutating func setInterest(of user: UserID, at site: Int) {
        let until = clock(site).advanced(byMilliseconds: Int64.random(in: 1...7_200_000, using: &generator))
        let groups = (model.groups[user] ?? [:]).keys.sorted()
        switch Int.random(in: 0..<6, using: &generator) {
        case 0, 1: perform(.interestSet(user, nil, until: until), at: site)
        case 2, 3: perform(.interestSet(user, .wholeList, until: until), at: site)
        default:
            let names = groups.isEmpty || generator.happens(400) ? [] : [generator.pick(groups)]
            let others = generator.happens(500) ? [generator.pick(users)] : []
            // One may be known oneself, and nothing is asked then.
            guard !others.contains(user) else { return }
            perform(.interestSet(user, .selected(groups: names, users: others), until: until), at: site)
        }
    }
}
