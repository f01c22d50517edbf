import PresenceModel

// Asking changes nothing.
extension PresenceEngine {
    /// What one user may know of another.
    public enum Answer: Hashable, Sendable {
        case visible(Knowledge)
        /// Not allowed, or no such user: the two are not told apart.
        case forbidden
    }

    /// One user as a stream shows them.
    public struct Sighting: Hashable, Sendable {
        /// Whom the observer sees.
        public var user: UserID
        /// What the observer may know of the user at this moment.
        public var knowledge: Knowledge
    }

    /// What is new for an observer, and where they stand after it.
    public struct Changes: Hashable, Sendable {
        /// In the order of the changes.
        public var sightings: [Sighting]
        /// To be given as `after` the next time.
        public var position: UInt64
    }

    /// What `observer`, a local user, may know of `observed` at this moment.
    public func presence(of observed: UserID, seenBy observer: UserID) -> Answer {
        guard let target = numbers[observed] else {
            return observed == observer ? .visible(.known(.neverActive)) : .forbidden
        }
        guard let watcher = numbers[observer] else { return .forbidden }
        guard maySee(observer: watcher, observed: target) else { return .forbidden }
        return .visible(knowledge(of: target))
    }

    /// Everyone visible to `observer` who changed after the version `position`; with `nil`, everyone visible.
    ///
    /// Users of whom nothing was ever heard are left out.
    public func changes(for observer: UserID, after position: UInt64?) -> Changes {
        guard let watcher = numbers[observer] else { return Changes(sightings: [], position: version) }
        var found: [(version: UInt64, number: Int)] = []
        func consider(_ number: Int) {
            let changed = users[number].version
            guard position.map({ changed > $0 }) ?? true else { return }
            if case .unknown(.neverHeard, _) = knowledge(of: number) { return }
            found.append((changed, number))
        }
        consider(watcher)
        for target in users[watcher].watching where maySee(observer: watcher, observed: target) { consider(target) }
        found.sort { $0 < $1 }
        let sightings = found.map { Sighting(user: users[$0.number].id, knowledge: knowledge(of: $0.number)) }
        return Changes(sightings: sightings, position: version)
    }

    /// Whether the stream is open.
    public func isOpen(_ stream: StreamID) -> Bool { streams[stream] != nil }

    /// Whose watch list holds whom, in the order of names.
    public func watchList(of observer: UserID) -> [UserID] {
        guard let number = numbers[observer] else { return [] }
        return users[number].watching.map { users[$0].id }.sorted()
    }

    /// What a local user picked; `online` for who never did.
    public func chosen(by user: UserID) -> (state: ChosenState, statusText: String?) {
        guard let number = numbers[user] else { return (.online, nil) }
        return (users[number].chosen, users[number].statusText)
    }

    /// What this server knows, whoever asks: for tests, the operator and the naive model.
    public func knowledge(of user: UserID) -> Knowledge? { numbers[user].map { knowledge(of: $0) } }

    private func knowledge(of number: Int) -> Knowledge {
        if users[number].isLocal { return .known(withLiveAge(number)) }
        if let published = users[number].published { return .known(published) }
        if let since = users[number].unknownSince { return .unknown(.promiseLapsed, since: since) }
        return .unknown(.neverHeard, since: .epoch)
    }

    /// A visible user's age moves on between changes.
    private func withLiveAge(_ number: Int) -> Presence {
        var presence = users[number].published ?? .neverActive
        if presence.state != .offline { presence.lastActive = users[number].lastActive }
        return presence
    }
}
