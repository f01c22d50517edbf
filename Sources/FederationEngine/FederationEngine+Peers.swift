import PresenceModel

// Which servers are known, when each is looked at next, and when one is forgotten.
extension FederationEngine {
    mutating func internPeer(_ name: ServerName) -> Int {
        if let number = peerNumbers[name] { return number }
        let number: Int
        if let free = freePeers.popLast() {
            number = free
            peers[number] = Peer(name: name)
        } else {
            number = peers.count
            peers.append(Peer(name: name))
        }
        peerNumbers[name] = number
        return number
    }

    /// What of a peer a restart needs, as it stands.
    func remembered(_ number: Int) -> PeerMemory {
        let peer = peers[number]
        return PeerMemory(
            dialect: peer.dialect, failures: peer.failures, retryAt: peer.retryAt, silentSince: peer.silentSince)
    }

    mutating func remember(_ number: Int, into effects: inout [Effect]) {
        effects.append(.save(.peer(peers[number].name, remembered(number))))
    }

    /// Sets when the peer is looked at again. Called after whatever may move that.
    mutating func rearm(_ number: Int, at now: Instant) {
        reviewWatch(number, at: now)
        if peers[number].isIdle {
            if peers[number].idleSince == nil { peers[number].idleSince = now }
        } else {
            peers[number].idleSince = nil
        }
        peerDeadlines.set(number, to: dueTime(number, at: now))
    }

    private func dueTime(_ number: Int, at now: Instant) -> Instant? {
        if let idle = peers[number].idleSince { return idle + configuration.forgetAfter }
        return peers[number].nextDue(configuration, at: now)
    }

    /// Does whatever is due with one server.
    mutating func attend(_ number: Int, at now: Instant, into effects: inout [Effect]) {
        if let idle = peers[number].idleSince, idle + configuration.forgetAfter <= now {
            forget(number, into: &effects)
            return
        }
        pruneGiven(number, at: now, into: &effects)
        reviewWatch(number, at: now)
        heedWatchdogs(number, at: now, into: &effects)
        refresh(number, at: now)
        if let due = peers[number].sendDue(at: now), due <= now { send(number, at: now, into: &effects) }
        rearm(number, at: now)
    }

    private mutating func forget(_ number: Int, into effects: inout [Effect]) {
        let name = peers[number].name
        peerNumbers[name] = nil
        peers[number] = Peer(name: name)
        freePeers.append(number)
        peerDeadlines.set(number, to: nil)
        effects.append(.save(.peerForgotten(name)))
    }
}
