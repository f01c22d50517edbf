import PresenceModel

// Groups and policies of a user. Seed: presence list.
extension PresenceEngine {
    /// Groups are bits of an entry.
    static let groupLimit = 64

    mutating func handleGroup(_ event: Event, into effects: inout [Effect]) {
        switch event {
        case .groupAdded(let user, let name):
            guard slot(of: name, user) == nil else { return }
            change(user, into: &effects) { settings in
                let taken = Set(settings.groups.map(\.slot))
                guard let free = (0..<UInt8(PresenceEngine.groupLimit)).first(where: { !taken.contains($0) }) else {
                    return
                }
                settings.insert(StoredListSettings.Group(slot: free, name: name))
            }
        case .groupRenamed(let user, let name, let other):
            change(user, into: &effects) { settings in
                guard let place = settings.groups.firstIndex(where: { $0.name == name }) else { return }
                var group = settings.groups.remove(at: place)
                group.name = other
                settings.insert(group)
                settings.contact.replace(.group(name), by: .group(other))
            }
            renameInInterest(of: user, name, to: other)
        case .groupRemoved(let user, let name):
            removeGroup(name, of: user, into: &effects)
        case .memberAdded(let user, let name, let member):
            mark(member, name, of: user, isIn: true, into: &effects)
        case .memberRemoved(let user, let name, let member):
            mark(member, name, of: user, isIn: false, into: &effects)
        case .listPolicyChosen(let user, let policy):
            change(user, into: &effects) { $0.policy = policy }
        case .contactPolicyChosen(let user, let policy):
            change(user, into: &effects) { $0.contact = policy }
        default:
            break
        }
    }

    func slot(of name: GroupName, _ user: UserID) -> UInt8? {
        number(of: user).flatMap { relations[$0]?.settings.groups.first { $0.name == name }?.slot }
    }

    private mutating func change(
        _ user: UserID, into effects: inout [Effect], _ change: (inout StoredListSettings) -> Void
    ) {
        let number = internLocal(user)
        users[number].isKnown = true
        let before = relations[number]?.settings ?? StoredListSettings()
        var settings = before
        change(&settings)
        guard settings != before else { return }
        relate(number) { $0.settings = settings }
        effects.append(.save(.listSettings(user, settings)))
    }

    private mutating func renameInInterest(of user: UserID, _ name: GroupName, to other: GroupName) {
        guard let number = number(of: user), case .selected(let groups, let users)? = interests[number]?.scope else {
            return
        }
        interests[number]?.scope = .selected(groups: groups.map { $0 == name ? other : $0 }, users: users)
    }

    private mutating func removeGroup(_ name: GroupName, of user: UserID, into effects: inout [Effect]) {
        guard let number = number(of: user), let slot = slot(of: name, user) else { return }
        let bit = UInt64(1) << UInt64(slot)
        for entry in relations[number]?.entries ?? [] where entry.stored.groups & bit != 0 {
            setGroups(entry.stored.groups & ~bit, of: entry.target, number, into: &effects)
        }
        change(user, into: &effects) { settings in
            settings.groups.removeAll { $0.slot == slot }
            settings.contact.replace(.group(name), by: .nobody)
        }
        refreshInterest(of: number, into: &effects)
    }

    private mutating func mark(
        _ member: UserID, _ name: GroupName, of user: UserID, isIn: Bool, into effects: inout [Effect]
    ) {
        guard let number = number(of: user), let target = self.number(of: member), let slot = slot(of: name, user),
            let entry = relations[number]?.entry(for: target)
        else { return }
        let bit = UInt64(1) << UInt64(slot)
        setGroups(isIn ? entry.groups | bit : entry.groups & ~bit, of: target, number, into: &effects)
        refreshInterest(of: number, into: &effects)
    }

    private mutating func setGroups(
        _ groups: UInt64, of target: Int, _ number: Int, into effects: inout [Effect]
    ) {
        guard var entry = relations[number]?.entry(for: target), entry.groups != groups else { return }
        entry.groups = groups
        relate(number) { $0.setEntry(entry, for: target) }
        effects.append(.save(.entry(observer: profiles[number].id, observed: profiles[target].id, entry)))
    }
}

extension ContactPolicy {
    /// A rule follows its group to a new name, and ends with it: a later group of the name inherits nothing.
    fileprivate mutating func replace(_ rule: ContactRule, by other: ContactRule) {
        func replaced(_ mine: ContactRule) -> ContactRule { mine == rule ? other : mine }
        freeForChat = replaced(freeForChat)
        online = replaced(online)
        busy = replaced(busy)
        unavailable = replaced(unavailable)
        offline = replaced(offline)
    }
}

extension StoredListSettings {
    fileprivate mutating func insert(_ group: Group) {
        groups.insert(group, at: groups.insertionPoint { $0.name < group.name })
    }
}
