import PresenceModel

// Requests to see users, and the answers: told for certain, and taken only from who may say them. Design: section 4,
// rules 8 and 9.
extension FederationEngine {
    /// Queued at once, and on disk before it leaves.
    mutating func tell(_ message: PermissionMessage, at now: Instant, into effects: inout [Effect]) {
        precondition(isOurs(message), "not to be told by \(server) to another: \(message)")
        let number = internPeer(message.destination)
        guard message.kind != .deny || mayAddDenial(PermissionKey(message), number) else {
            tally.denialsDropped += 1
            return
        }
        effects.append(.save(.permissionQueued(message)))
        queue(message, at: now)
    }

    mutating func queue(_ message: PermissionMessage, at now: Instant) {
        let number = internPeer(message.destination)
        peers[number].permissions.add(message)
        peers[number].isUrgent = true
        rearm(number, at: now)
    }

    /// Whoever was given leave, or is about to be, must hear of its end.
    private func mayAddDenial(_ key: PermissionKey, _ number: Int) -> Bool {
        peers[number].permissions.count < configuration.permissionsPerServer
            || peers[number].permissions.contains(key) || peers[number].hasInFlight(key)
    }

    /// What is in flight goes its way, on every try alike; it is only not said anew.
    mutating func withdraw(_ message: PermissionMessage, at now: Instant, into effects: inout [Effect]) {
        guard let number = peerNumbers[message.destination] else { return }
        let key = PermissionKey(message)
        let wasWaiting = peers[number].permissions.remove(key)
        let isInFlight = peers[number].hasInFlight(key)
        if isInFlight { peers[number].withdrawnInFlight.insert(key) }
        guard wasWaiting || isInFlight else { return }
        effects.append(.save(.permissionDelivered(message)))
        peers[number].closeEmptyWindow()
        rearm(number, at: now)
    }

    /// The other side took them. Where something later waits under the same key, that is what is on disk.
    mutating func settle(_ permissions: [PermissionMessage], _ number: Int, into effects: inout [Effect]) {
        for message in permissions where !peers[number].permissions.contains(PermissionKey(message)) {
            effects.append(.save(.permissionDelivered(message)))
        }
    }

    /// The transaction that held them is given up: they go first in the next one.
    mutating func putBack(_ permissions: [PermissionMessage], _ number: Int) {
        let withdrawn = peers[number].withdrawnInFlight
        peers[number].withdrawnInFlight.removeAll()
        peers[number].permissions.putBack(permissions.filter { !withdrawn.contains(PermissionKey($0)) })
        if !peers[number].permissions.isEmpty { peers[number].isUrgent = true }
    }

    /// A request is the observer's server's to make, an answer the observed user's server's.
    mutating func receive(_ message: PermissionMessage, from origin: ServerName, into effects: inout [Effect]) {
        guard message.source == origin, message.destination == server else {
            tally.foreignPermissionsDropped += 1
            return
        }
        tally.permissionsReceived += 1
        effects.append(.permissionReceived(message))
    }

    func isOurs(_ message: PermissionMessage) -> Bool {
        message.source == server && message.destination != server
    }
}
