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

    /// What a user is told of themself, on all devices.
    public struct OwnState: Hashable, Sendable {
        /// What the user picked last.
        public var chosen: ChosenState
        /// Of the choice.
        public var statusText: String?
        /// What the user insists on, if anything.
        public var override: PresenceOverride?
        /// What others see.
        public var published: Presence
        /// Requests to see the user that wait for an answer.
        public var waitingRequests: Int

        /// The override's state, or the chosen one.
        public var effective: ChosenState { override?.state ?? chosen }
        /// The text that goes with ``effective``.
        public var effectiveText: String? {
            if case .replaced(let text)? = override?.text { return text }
            return statusText
        }
    }

    /// Where an observer stands among the changes of a run.
    public struct Position: Hashable, Sendable {
        /// Of what others do.
        public var version: UInt64
        /// Of what only the observer is told.
        public var own: UInt64

        /// A position as given.
        public init(version: UInt64, own: UInt64) {
            self.version = version
            self.own = own
        }
    }

    /// What is new for an observer, and where they stand after it.
    public struct Changes: Hashable, Sendable {
        /// In the order of the changes; the observer is not among them.
        public var sightings: [Sighting]
        /// The observer themself, if there is something new.
        public var own: OwnState?
        /// To be given as `after` the next time.
        public var position: Position
        /// These are all whom the observer sees: who is not among them is not seen any more.
        public var isSnapshot: Bool
    }

    /// What `observer`, a local user, may know of `observed` at this moment.
    public func presence(of observed: UserID, seenBy observer: UserID) -> Answer {
        guard let target = number(of: observed) else {
            return observed == observer ? .visible(.known(.neverActive)) : .forbidden
        }
        guard let watcher = number(of: observer) else { return .forbidden }
        guard maySee(observer: watcher, observed: target) else { return .forbidden }
        return .visible(knowledge(of: target))
    }

    /// What `user`, a local user, is told of themself.
    public func ownState(of user: UserID) -> OwnState {
        guard let number = number(of: user) else {
            return OwnState(
                chosen: .online, statusText: nil, override: nil, published: .neverActive, waitingRequests: 0)
        }
        return OwnState(
            chosen: profiles[number].chosen, statusText: profiles[number].statusText, override: overrides[number],
            published: presence(of: number),
            waitingRequests: relations[number]?.consents.count { $0.stored.state == .requested } ?? 0)
    }

    /// Everyone whom streams of `observer` show and who changed, or became visible, after `position`; with `nil`, or if
    /// too much has happened since, everyone.
    ///
    /// Users of whom nothing was ever heard are left out.
    public func changes(for observer: UserID, after position: Position?) -> Changes {
        guard let watcher = number(of: observer) else {
            return Changes(
                sightings: [], own: position == nil ? ownState(of: observer) : nil,
                position: Position(version: 0, own: 0), isSnapshot: true)
        }
        let revision = profiles[watcher].revision
        let collected = position.flatMap { self.collected(for: watcher, since: $0.version) }
        let since = collected == nil ? nil : position?.version
        var found = shown(to: watcher, since: since).map { (version: versions[$0], number: $0) }
        if let since, let collected { add(collected, since: since, for: watcher, to: &found) }
        found.sort { $0 < $1 }
        let sightings = found.compactMap { (_, number) -> Sighting? in
            let knowledge = knowledge(of: number)
            if case .unknown(.neverHeard, _) = knowledge { return nil }
            return Sighting(user: profiles[number].id, knowledge: knowledge)
        }
        let isOwnNew = versions[watcher] > since ?? 0 || position.map { $0.own < revision } ?? true || since == nil
        // Not the latest version of all: the number must not tell what happens out of the observer's sight.
        let beginning = arrivals[watcher].map { max($0.floor, $0.attentiveSince) } ?? 0
        let reached = max(since ?? beginning, found.last?.version ?? 0, versions[watcher])
        return Changes(
            sightings: sightings, own: isOwnNew ? ownState(of: observer) : nil,
            position: Position(version: reached, own: revision), isSnapshot: since == nil)
    }

    /// Who became visible after the position: also somebody who did not change.
    private func add(
        _ collected: Arrivals, since: UInt64, for watcher: Int, to found: inout [(version: UInt64, number: Int)]
    ) {
        guard let last = collected.entries.last, last.version > since else { return }
        var places: [Int: Int] = [:]
        for (place, entry) in found.enumerated() { places[entry.number] = place }
        for entry in collected.entries.reversed() {
            guard entry.version > since else { break }
            if let place = places[entry.user] {
                found[place].version = max(found[place].version, entry.version)
            } else if isShown(entry.user, to: watcher) {
                places[entry.user] = found.count
                found.append((max(versions[entry.user], entry.version), entry.user))
            }
        }
    }

    /// How many users the engine holds anything of, local and remote.
    public var userCount: Int { numbers.count }

    /// Whether the stream is open.
    public func isOpen(_ stream: StreamID) -> Bool { streams[stream] != nil }

    /// What this server knows, whoever asks: for tests, the operator and the naive model.
    public func knowledge(of user: UserID) -> Knowledge? { number(of: user).map { knowledge(of: $0) } }

    func knowledge(of number: Int) -> Knowledge {
        if users[number].isLocal {
            if users[number].loss == .shown, let loss = losses[number] {
                return .unknown(.socialSideLost, since: loss.since)
            }
            return .known(presence(of: number))
        }
        guard let remote = remotes[number] else { return .unknown(.neverHeard, since: .epoch) }
        if let presence = remote.presence { return .known(presence) }
        if let (reason, since) = remote.unknown { return .unknown(reason, since: since) }
        return .unknown(.neverHeard, since: .epoch)
    }
}
