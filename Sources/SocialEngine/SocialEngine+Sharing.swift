import PresenceModel

// Several processes, one population. Decision 26.
extension SocialEngine {
    /// Tells the other processes how the user is in this one.
    mutating func share(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        guard configuration.isShared else { return }
        let person = people[number]
        let state = person.state(localOnly: true)
        guard state != .offline || person.isShared else { return }
        let isBridged = state != .offline && !person.isInWorld(localOnly: true)
        people[number].isShared = state != .offline
        people[number].isSharedAsBridged = isBridged
        sequence += 1
        let presence = SharedPresence(
            user: person.address, process: process, sequence: sequence, state: state,
            whereabouts: state == .offline ? nil : person.whereabouts, at: person.whereaboutsAt,
            placedBy: person.whereaboutsBy, validFor: configuration.offlineAfter, isBridged: isBridged)
        effects.append(.share(.presence(presence)))
    }

    mutating func shareDeparture(of user: SocialAddress, at now: Instant, into effects: inout [Effect]) {
        guard configuration.isShared else { return }
        sequence += 1
        let presence = SharedPresence(
            user: user, process: process, sequence: sequence, state: .offline, whereabouts: nil, at: now,
            placedBy: process, validFor: configuration.offlineAfter)
        effects.append(.share(.presence(presence)))
    }

    mutating func share(_ users: [SocialAddress], at now: Instant, into effects: inout [Effect]) {
        for case let number? in users.map({ number(of: $0) }) where people[number].isHere {
            share(number, at: now, into: &effects)
        }
    }

    mutating func take(_ update: SharedUpdate, at now: Instant, into effects: inout [Effect]) {
        switch update {
        case .presence(let presence): take(presence, at: now, into: &effects)
        case .friendship(let pair, var theirs):
            guard theirs.revision > 0 || theirs.room != nil else { return }
            // Lists must fit into what carries them, whatever others allow.
            theirs.cutMessage(to: configuration.messageLimitBytes)
            let number = intern(pair)
            // Whoever knows less is told.
            let mine = pairs[number].friendship
            let merged = mine.merged(with: theirs)
            if configuration.isShared, merged.agrees(with: mine), !merged.agrees(with: theirs) {
                effects.append(.share(.friendship(pair, mine)))
            }
            wish(.friendship(theirs), about: .pair(number), at: now, into: &effects)
        case .settings(let user, let theirs):
            guard theirs != SocialSettings() else { return }
            let number = intern(user)
            let mine = people[number].settings
            let merged = mine.merged(with: theirs)
            if configuration.isShared, merged == mine, merged != theirs {
                effects.append(.share(.settings(user, mine)))
            }
            if merged.isHidden, !mine.isHidden {
                // Who hides is hidden at once, and what hides them is written behind.
                people[number].settings = merged
                refresh(number, at: now, into: &effects)
                wish(.concealment, about: .settings(number), at: now, into: &effects)
            } else {
                wish(.settings(theirs), about: .settings(number), at: now, into: &effects)
            }
            releaseIfNobody(number)
        }
    }
}

extension Friendship {
    /// Of a longer message, whole characters from its beginning.
    fileprivate mutating func cutMessage(to limitBytes: Int) {
        guard let whole = message, whole.utf8.count > limitBytes else { return }
        var (count, end) = (0, whole.startIndex)
        for place in whole.indices {
            count += whole[place].utf8.count
            guard count <= limitBytes else { break }
            end = whole.index(after: place)
        }
        message = String(whole[..<end])
    }
}
