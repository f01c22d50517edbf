import PresenceModel

// Changes: decided, written, and only then true.
extension SocialEngine {
    mutating func act(
        _ ticket: SocialTicket, _ action: FriendshipAction, by actor: SocialAddress, towards other: SocialAddress,
        at now: Instant, into effects: inout [Effect]
    ) {
        guard let pair = SocialPair(actor, other) else {
            return effects.append(.answered(ticket, .refused(.toOneself)))
        }
        if case .request(let message?) = action, message.utf8.count > configuration.messageLimitBytes {
            return effects.append(.answered(ticket, .refused(.messageTooLong)))
        }
        let side: SocialPair.Side = pair.low == actor ? .low : .high
        guard let number = pairNumber(of: pair) else {
            // A pair that nothing was ever between takes no room until there is.
            do throws(FriendshipRefusal) {
                let next = try Friendship().after(action, by: side, at: now)
                try checkLimits(
                    action, from: Friendship(), to: next, side, of: nil, actor: self.number(of: actor),
                    other: self.number(of: other), at: now)
                try welcome(at: now)
            } catch {
                return effects.append(.answered(ticket, .refused(error)))
            }
            return wish(.action(ticket, action, by: side), about: .pair(intern(pair)), at: now, into: &effects)
        }
        wish(.action(ticket, action, by: side), about: .pair(number), at: now, into: &effects)
    }

    /// Decides, or waits for its turn.
    mutating func wish(_ wish: Wish, about subject: Subject, at now: Instant, into effects: inout [Effect]) {
        if let before = waiting[subject] {
            if let ticket = wish.ticket, before.count >= configuration.waitingPerPair {
                return effects.append(.answered(ticket, .refused(.tooOften)))
            }
            waiting[subject] = SocialEngine.queue(wish, behind: before)
            return
        }
        let decided: (result: Change.Result, records: [Record])?
        do throws(FriendshipRefusal) {
            switch subject {
            case .pair(let number): decided = try decide(wish, aboutPair: number, at: now)
            case .settings(let number): decided = try decide(wish, aboutUser: number, at: now)
            }
        } catch {
            if let ticket = wish.ticket { effects.append(.answered(ticket, .refused(error))) }
            return
        }
        guard let decided else {
            if let ticket = wish.ticket { effects.append(.answered(ticket, .done)) }
            return
        }
        storeCount += 1
        let id = StoreID(storeCount)
        let change = Change(subject: subject, wish: wish, result: decided.result)
        reserve(change, times: 1)
        waiting[subject] = []
        changes[id] = change
        effects.append(.store(id, decided.records))
        if configuration.canary == .tellsBeforeItIsStored { apply(change, at: now, into: &effects) }
    }

    /// What other processes say of one thing gathers into one.
    private static func queue(_ wish: Wish, behind before: [Wish]) -> [Wish] {
        switch (before.last, wish) {
        case (.friendship(let earlier)?, .friendship(let later)):
            before.dropLast() + [.friendship(earlier.merged(with: later))]
        case (.settings(let earlier)?, .settings(let later)):
            before.dropLast() + [.settings(earlier.merged(with: later))]
        case (.concealment?, .concealment), (.room?, .room): before
        default: before + [wish]
        }
    }

    /// - Returns: `nil` if there is nothing to change.
    private mutating func decide(
        _ wish: Wish, aboutPair number: Int, at now: Instant
    ) throws(FriendshipRefusal) -> (result: Change.Result, records: [Record])? {
        let before = pairs[number].friendship
        let pair = pair(number)
        var next: Friendship
        var records: [Record] = []
        switch wish {
        case .action(_, let action, let side):
            next = try before.after(action, by: side, at: now)
            try checkLimits(
                action, from: before, to: next, side, of: number, actor: pairs[number].number(side),
                other: pairs[number].number(side.opposite), at: now)
            note(action, by: side, of: number, at: now)
            next.origin = process
            next.isRoomWanted = next.state == .friends && next.room == nil && configuration.makesRooms
            records = SocialEngine.events(
                of: pair, action, by: side, crossing: before.state != .none && next.state == .friends, next)
        case .room(let room):
            next = before
            // A room that is there stays: people have been in it.
            next.room = before.room ?? room
            next.isRoomWanted = false
        case .friendship(let theirs):
            next = before.merged(with: theirs)
            guard !next.agrees(with: before) else { return nil }
            // Of two processes that find a friendship in what each of them knew, one sees to the room.
            let wants = before.state != .friends && next.origin == process
            let isMissing = next.state == .friends && next.room == nil
            next.isRoomWanted = isMissing && (before.isRoomWanted || (wants && configuration.makesRooms))
        default: preconditionFailure("not about a pair: \(wish)")
        }
        guard next != before else { return nil }
        return (.friendship(next), [.friendship(pair, next)] + records)
    }

    /// - Returns: `nil` if there is nothing to change.
    private mutating func decide(
        _ wish: Wish, aboutUser number: Int, at now: Instant
    ) throws(FriendshipRefusal) -> (result: Change.Result, records: [Record])? {
        let before = people[number].settings
        var next = before
        switch wish {
        case .privacy(_, let privacy):
            guard privacy != before.privacy else { return nil }
            // Who has to do with nobody has nobody to hide from.
            if before == SocialSettings(), people[number].pairs.isEmpty { try welcome(at: now) }
            if people[number].recentPrivacies.count(at: now) < configuration.privaciesPerHour {
                people[number].recentPrivacies.note(now)
            } else if privacy != .hidden {
                throw .tooOften
            }
            next.privacy = privacy
            next.privacyRevision += 1
        case .concealment: break
        case .settings(let theirs):
            next = before.merged(with: theirs)
            guard next != before else { return nil }
        default: preconditionFailure("not about a user: \(wish)")
        }
        return (.settings(next), [.settings(people[number].address, next)])
    }

    private static func events(
        of pair: SocialPair, _ action: FriendshipAction, by side: SocialPair.Side, crossing: Bool, _ next: Friendship
    ) -> [Record] {
        var actions = [action]
        if crossing, case .request = action { actions.append(.accept) }
        return actions.map { action in
            .event(
                FriendshipEvent(pair: pair, actor: side, action: action, at: next.actedAt, revision: next.revision))
        }
    }

    // MARK: Written

    mutating func finish(_ id: StoreID, isStored: Bool, at now: Instant, into effects: inout [Effect]) {
        guard let change = changes.removeValue(forKey: id) else { return }
        reserve(change, times: -1)
        let next = waiting.removeValue(forKey: change.subject) ?? []
        if isStored {
            if configuration.canary != .tellsBeforeItIsStored { apply(change, at: now, into: &effects) }
        } else if let ticket = change.wish.ticket {
            effects.append(.answered(ticket, .refused(.notStored)))
        } else {
            keep(change, at: now)
        }
        for wish in next { self.wish(wish, about: change.subject, at: now, into: &effects) }
        if case .settings(let number) = change.subject { releaseIfNobody(number) }
    }

    /// Nobody waits for it, so it is tried again.
    private mutating func keep(_ change: Change, at now: Instant) {
        if let before = unstored[change.subject] {
            unstored[change.subject] = SocialEngine.queue(change.wish, behind: before)
        } else {
            unstored[change.subject] = [change.wish]
            unstoredSubjects.append(change.subject)
            if case .settings(let number) = change.subject { people[number].pins += 1 }
        }
        storesAgainAt = storesAgainAt ?? now.advanced(by: configuration.storesAgainAfter)
    }

    mutating func storeAgain(at now: Instant, into effects: inout [Effect]) {
        guard let due = storesAgainAt, due <= now else { return }
        storesAgainAt = nil
        let (subjects, wishes) = (unstoredSubjects, unstored)
        unstoredSubjects.removeAll()
        unstored.removeAll()
        for subject in subjects {
            for wish in wishes[subject] ?? [] { self.wish(wish, about: subject, at: now, into: &effects) }
            guard case .settings(let number) = subject else { continue }
            people[number].pins -= 1
            releaseIfNobody(number)
        }
    }

    private mutating func apply(_ change: Change, at now: Instant, into effects: inout [Effect]) {
        switch (change.subject, change.result) {
        case (.pair(let number), .friendship(let next)):
            let before = pairs[number].friendship
            settle(number, to: next)
            answer(change.wish, about: number, into: &effects)
            tell(number, since: before, into: &effects)
            followUp(number, since: before, at: now, into: &effects)
            share(change.wish, about: number, into: &effects)
        case (.settings(let number), .settings(let next)):
            // What was chosen elsewhere holds at once; what was on its way to the disk does not take it back.
            people[number].settings = people[number].settings.merged(with: next)
            if let ticket = change.wish.ticket { effects.append(.answered(ticket, .done)) }
            refresh(number, at: now, into: &effects)
            guard configuration.isShared else { break }
            let settings = people[number].settings
            if case .settings(settings) = change.wish { break }
            effects.append(.share(.settings(people[number].address, settings)))
        default: preconditionFailure("a change of something else: \(change)")
        }
    }

    /// Makes the friendship what it is now, for lists and limits.
    mutating func settle(_ number: Int, to next: Friendship) {
        let before = pairs[number].friendship
        pairs[number].friendship = next
        for side in SocialPair.Side.allCases {
            let mine = pairs[number].number(side)
            let other = Int32(pairs[number].number(side.opposite))
            let (was, counts) = (Person.Counts(before, for: side), Person.Counts(next, for: side))
            people[mine].counts.add(was, times: -1)
            people[mine].counts.add(counts)
            people[mine].friends.enlist(other, was.friends > 0, counts.friends > 0)
            let hadRequest = was.outgoing + was.incoming > 0
            people[mine].requests.enlist(Int32(number), hadRequest, counts.outgoing + counts.incoming > 0)
            people[mine].blocks.enlist(Int32(number), was.blocked > 0, counts.blocked > 0)
        }
    }

    private func answer(_ wish: Wish, about number: Int, into effects: inout [Effect]) {
        guard case .action(let ticket, let action, let side) = wish else { return }
        let friendship = pairs[number].friendship
        // A request that crossed another one was an answer.
        var said = action
        if case .request = action, friendship.state == .friends { said = .accept }
        let other = people[pairs[number].number(side.opposite)].address
        let body = FriendshipNews.Body.acted(said, at: friendship.actedAt)
        effects.append(.answered(ticket, .acted(FriendshipNews(other: other, isOwn: true, body: body))))
    }

    private mutating func tell(_ number: Int, since before: Friendship, into effects: inout [Effect]) {
        let friendship = pairs[number].friendship
        for deed in friendship.deeds(since: before) {
            for side in deed.toldTo {
                let other = people[pairs[number].number(side.opposite)].address
                let body = FriendshipNews.Body.acted(deed.action, at: friendship.actedAt)
                let news = FriendshipNews(other: other, isOwn: deed.by == side, body: body)
                tell(news, to: pairs[number].number(side))
            }
        }
        if let room = friendship.room, friendship.state == .friends,
            before.room != room || before.state != .friends
        {
            for side in SocialPair.Side.allCases {
                let other = people[pairs[number].number(side.opposite)].address
                tell(FriendshipNews(other: other, isOwn: false, body: .room(room)), to: pairs[number].number(side))
            }
        }
        guard (before.state == .friends) != (friendship.state == .friends) else { return }
        let (low, high) = (pairs[number].number(.low), pairs[number].number(.high))
        mark(low, in: people[high].presenceSubscriptions)
        mark(high, in: people[low].presenceSubscriptions)
    }

    private func share(_ wish: Wish, about number: Int, into effects: inout [Effect]) {
        guard configuration.isShared else { return }
        let friendship = pairs[number].friendship
        if case .friendship(let theirs) = wish, friendship.agrees(with: theirs) { return }
        effects.append(.share(.friendship(pair(number), friendship)))
    }

    // MARK: Limits

    private func checkLimits(
        _ action: FriendshipAction, from before: Friendship, to next: Friendship, _ side: SocialPair.Side,
        of number: Int?, actor: Int?, other: Int?, at now: Instant
    ) throws(FriendshipRefusal) {
        let limits = configuration
        let mine = Person.Counts(next, for: side).risen(from: Person.Counts(before, for: side))
        let theirs = Person.Counts(next, for: side.opposite).risen(from: Person.Counts(before, for: side.opposite))
        let (actorCounts, otherCounts) = (counts(of: actor), counts(of: other))
        // Who has as many friends as may be asks nobody else.
        let befriends = mine.friends + mine.outgoing > 0
        if befriends, actorCounts.friends >= limits.friendsPerUser { throw .tooManyFriends }
        if theirs.friends > 0, otherCounts.friends >= limits.friendsPerUser { throw .tooManyFriends }
        if mine.outgoing > 0, actorCounts.outgoing >= limits.requestsFromUser { throw .tooManyRequests }
        if theirs.incoming > 0, otherCounts.incoming >= limits.requestsToUser { throw .tooManyRequests }
        if mine.blocked > 0, actorCounts.blocked >= limits.blocksPerUser { throw .tooManyBlocked }
        switch action {
        case .request:
            let recent = actor.map { people[$0].recentRequests.count(at: now) } ?? 0
            let ofPair = number.map { pairs[$0].recentRequests.count(at: now) } ?? 0
            if recent >= limits.requestsPerHour || ofPair >= limits.requestsPerHourOfPair { throw .tooOften }
        case .block, .unblock:
            let recent = actor.map { people[$0].recentBlocks.count(at: now) } ?? 0
            if recent >= limits.blocksPerHour { throw .tooOften }
        case .accept, .reject, .cancel, .delete: break
        }
    }

    /// One more of whom nothing was kept before.
    private mutating func welcome(at now: Instant) throws(FriendshipRefusal) {
        let minute = now.millisecondsSinceEpoch / 60_000
        if newcomers.minute != minute { newcomers = (minute, 0) }
        guard newcomers.count < configuration.newcomersPerMinute else { throw .tooOften }
        newcomers.count += 1
    }

    private func counts(of number: Int?) -> Person.Counts {
        guard let number else { return Person.Counts() }
        var counts = people[number].counts
        counts.add(people[number].reserved)
        return counts
    }

    private mutating func note(
        _ action: FriendshipAction, by side: SocialPair.Side, of number: Int, at now: Instant
    ) {
        switch action {
        case .request:
            people[pairs[number].number(side)].recentRequests.note(now)
            pairs[number].recentRequests.note(now)
        case .block, .unblock: people[pairs[number].number(side)].recentBlocks.note(now)
        case .accept, .reject, .cancel, .delete: break
        }
    }

    private mutating func reserve(_ change: Change, times: Int) {
        switch (change.subject, change.result) {
        case (.pair(let number), .friendship(let next)):
            let before = pairs[number].friendship
            for side in SocialPair.Side.allCases {
                let risen = Person.Counts(next, for: side).risen(from: Person.Counts(before, for: side))
                people[pairs[number].number(side)].reserved.add(risen, times: times)
            }
        case (.settings(let number), _): people[number].pins += times
        default: break
        }
    }
}

extension [Int32] {
    /// Puts the number in or takes it out, by whether it was and is to be there.
    fileprivate mutating func enlist(_ number: Int32, _ was: Bool, _ isThere: Bool) {
        if isThere, !was {
            append(number)
        } else if was, !isThere, let place = firstIndex(of: number) {
            remove(at: place)
        }
    }
}
