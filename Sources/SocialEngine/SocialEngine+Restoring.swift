import PresenceModel

extension SocialEngine {
    /// Takes in what was saved. Before anything else, and before ``Event/started``.
    public mutating func restore(_ snapshot: Snapshot) {
        precondition(people.isEmpty, "restored twice")
        for (pair, friendship) in snapshot.friendships {
            let number = intern(pair)
            settle(number, to: friendship)
        }
        for (user, settings) in snapshot.settings { people[intern(user)].settings = settings }
    }
}
