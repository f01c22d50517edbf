/// Lets changes of one thing be made one after the other, in the order of the calls, each to its end: also where who
/// wants it is cancelled meanwhile.
actor Turns<Key: Hashable & Sendable> {
    private var latest: [Key: Task<Void, Never>] = [:]

    /// Returns when the change is made.
    func take<Value: Sendable>(_ key: Key, _ change: @escaping @Sendable () async -> Value) async -> Value {
        let previous = latest[key]
        let turn = Task {
            await previous?.value
            return await change()
        }
        let end = Task { _ = await turn.value }
        latest[key] = end
        let value = await turn.value
        if latest[key] == end { latest[key] = nil }
        return value
    }
}
