import PresenceModel

// Servers that cannot subscribe: who is told to them, and told again before they forget. Design: section 4, rule 7.
extension FederationEngine {
    mutating func reachChanged(
        _ user: UserID, _ server: ServerName, _ reach: Reach, at now: Instant, into effects: inout [Effect]
    ) {
        guard locals[user]?.audience.contains(server) == true else { return }
        let number = internPeer(server)
        switch reach {
        case .near:
            guard locals[user]?.seenWidely.remove(server) != nil, peers[number].dialect != .capable else { return }
            note(user, for: number, at: now)
        case .wide:
            locals[user]?.seenWidely.insert(server)
            // What was said stays as it is: the user is still seen there.
            guard peers[number].dialect != .capable else { return }
            // Nobody there asked for it: it was given in case the server takes part.
            release(user, from: number, into: &effects)
            peers[number].dirty.remove(user)
            peers[number].owed.remove(user)
            peers[number].closeEmptyWindow()
        }
        rearm(number, at: now)
    }

    /// Whether a server is told of the user's changes without having asked.
    func isToldUnasked(_ user: UserID, _ number: Int) -> Bool {
        peers[number].dialect != .capable && locals[user]?.seenWidely.contains(peers[number].name) == false
    }

    /// When a state said at `said` is to be said again; `nil`: never. Spread, so that not all are said at once.
    private func refreshTime(of user: UserID, _ said: Peer.Said, for name: ServerName) -> Instant? {
        guard said.state != .offline else { return nil }
        let spread = Duration.milliseconds(configuration.legacyRefresh.inMilliseconds * 12 / 100)
        return said.at + configuration.legacyRefresh + StableHash.share(of: spread, user.text, name.text)
    }

    /// After a push to a server that forgets.
    mutating func planRefresh(of user: UserID, _ said: Peer.Said, for number: Int) {
        guard peers[number].dialect != .capable, let due = refreshTime(of: user, said, for: peers[number].name) else {
            return
        }
        peers[number].refreshDue = peers[number].refreshDue.map { min($0, due) } ?? due
    }

    /// Whoever is due is told again; the next ones wait a minute at least, and leave together.
    mutating func refresh(_ number: Int, at now: Instant) {
        guard let due = peers[number].refreshDue, peers[number].optedOutUntil == nil, due <= now else { return }
        peers[number].refreshDue = nil
        guard peers[number].dialect != .capable else { return }
        var next: Instant?
        for (user, said) in peers[number].said {
            guard let time = refreshTime(of: user, said, for: peers[number].name) else { continue }
            if time <= now {
                if isToldUnasked(user, number) {
                    peers[number].owed.insert(user)
                    peers[number].isUrgent = true
                }
            } else {
                next = next.map { min($0, time) } ?? time
            }
        }
        peers[number].refreshDue = next.map { max($0, now + configuration.refreshPause) }
    }
}
