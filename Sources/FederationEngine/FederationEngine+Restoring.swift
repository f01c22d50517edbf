import PresenceModel

extension FederationEngine {
    /// Everything that was saved.
    public struct Snapshot: Sendable {
        /// Promises to push changes of local users; those that ran out go at the next occasion.
        public var given: [(user: UserID, server: ServerName, until: Instant)] = []
        /// Users of other servers who were asked for; `until` is their server's word, and is not relied on.
        public var asked: [(user: UserID, until: Instant?)] = []
        /// What is known of other servers.
        public var peers: [(server: ServerName, memory: PeerMemory)] = []
        /// What other servers are still to be told about permissions; what is not ours to say is skipped.
        public var permissions: [PermissionMessage] = []

        /// Nothing saved: a first start.
        public init() {}
    }

    /// Takes in what was saved, before the first event.
    ///
    /// What was said is not remembered: whoever holds a promise is told again, once, what holds. What was asked is
    /// let go unless someone cares again within the grace. Permissions that nobody is known to have taken are told again,
    /// at once.
    public mutating func restore(_ snapshot: Snapshot, at now: Instant) {
        precondition(peers.isEmpty, "restored into an engine in use")
        for (server, memory) in snapshot.peers {
            let number = internPeer(server)
            peers[number].dialect = memory.dialect
            peers[number].failures = memory.failures
            // A clock that was set back must not make a wait longer than any is.
            peers[number].retryAt = memory.retryAt.map { min($0, now + configuration.retryLimit * 2) }
            peers[number].silentSince = memory.silentSince
        }
        for (user, server, until) in snapshot.given where user.isHosted(by: self.server) {
            peers[internPeer(server)].given[user] = Peer.Given(until: until, savedUntil: until)
        }
        for (user, _) in snapshot.asked where !user.isHosted(by: self.server) {
            let number = internInterest(user)
            // Whatever came between the last commit and the crash is gone: the promise is not relied on.
            if interests[number].stage == .wanted { fade(number) }
            interestDeadlines.set(number, to: now + configuration.unpollGrace)
        }
        if configuration.canary != .losesOutboxAtRestart {
            for message in snapshot.permissions where isOurs(message) { queue(message, at: now) }
        }
        for number in peers.indices { rearm(number, at: now) }
    }
}
