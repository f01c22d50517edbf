import PresenceModel

/// What a permission is about: of two with the same key only the later one counts.
struct PermissionKey: Hashable, Sendable {
    /// An answer otherwise.
    let isInvite: Bool
    let observed: UserID
    let observer: UserID

    init(_ message: PermissionMessage) {
        isInvite = message.kind == .invite
        observed = message.observed
        observer = message.observer
    }
}

/// Permissions that wait to be told to one server: for each key the latest, in the order in which keys came.
struct PermissionQueue: Sendable {
    /// In order; `nil` where something was removed.
    private var slots: [PermissionMessage?] = []
    /// Where in ``slots`` a key's message is.
    private var places: [PermissionKey: Int] = [:]

    var count: Int { places.count }
    var isEmpty: Bool { places.isEmpty }

    func contains(_ key: PermissionKey) -> Bool { places[key] != nil }

    /// A later message takes the place of the earlier one.
    mutating func add(_ message: PermissionMessage) {
        let key = PermissionKey(message)
        if let place = places[key] {
            slots[place] = message
        } else {
            places[key] = slots.count
            slots.append(message)
        }
    }

    /// - Returns: whether there was one.
    mutating func remove(_ key: PermissionKey) -> Bool {
        guard let place = places.removeValue(forKey: key) else { return false }
        slots[place] = nil
        if slots.count > 2 * places.count + 16 { refill(with: slots.compactMap(\.self)) }
        return true
    }

    /// Takes out the first `limit`, or all.
    mutating func take(_ limit: Int) -> [PermissionMessage] {
        guard !isEmpty else { return [] }
        let all = slots.compactMap(\.self)
        refill(with: all.dropFirst(limit))
        return Array(all.prefix(limit))
    }

    /// Puts what was taken before in front again, but for keys of which something later waits.
    mutating func putBack(_ messages: [PermissionMessage]) {
        let missing = messages.filter { !contains(PermissionKey($0)) }
        guard !missing.isEmpty else { return }
        refill(with: missing + slots.compactMap(\.self))
    }

    private mutating func refill(with messages: some Collection<PermissionMessage>) {
        slots = Array(messages)
        places.removeAll(keepingCapacity: !messages.isEmpty)
        for (place, message) in messages.enumerated() { places[PermissionKey(message)] = place }
    }
}
