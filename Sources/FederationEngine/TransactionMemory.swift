import PresenceModel

/// Which transactions were taken from which server, for a day: a repeated one is answered alike and changes nothing.
///
/// Kept in memory only: after a restart a repeated transaction is taken once more, which does no harm to states, and
/// permissions carry numbers of their own. Of an id 64 bits of a hash are kept. Hashes count within one origin, so
/// nobody can make another server's transactions look taken; two honest ids of one origin are alike once in some
/// 10^11 days. Past a limit the oldest is forgotten first. Facts: transactions.
public struct TransactionMemory: Sendable {
    /// How much is remembered, and for how long.
    public struct Limits: Hashable, Sendable {
        /// Forgotten at or after this.
        public var duration: Duration = .hours(24)
        /// Transactions of one server.
        public var perOrigin = 20_000
        /// Transactions of all servers; some 80 bytes each.
        public var inAll = 400_000

        /// The limits above.
        public init() {}
    }

    private struct Key: Hashable {
        var origin: Int32
        var hash: UInt64
    }

    /// A link of two chains, each from the oldest to the latest: that of its origin, and that of all.
    private struct Entry {
        var key: Key
        var taken: Instant
        var nextOfOrigin: Int32 = none
        var previous: Int32
        var next: Int32 = none
    }

    private struct Origin {
        var name: ServerName
        var first: Int32 = none
        var last: Int32 = none
        var count = 0
    }

    private static let none: Int32 = -1

    private let limits: Limits
    private var places: [Key: Int32] = [:]
    private var entries: [Entry] = []
    private var freeEntries: [Int32] = []
    private var numbers: [ServerName: Int32] = [:]
    private var origins: [Origin] = []
    private var freeOrigins: [Int32] = []
    private var oldest = none
    private var latest = none

    /// Nothing taken so far.
    public init(limits: Limits = Limits()) {
        precondition(limits.perOrigin > 0 && limits.inAll > 0, "a memory of nothing: \(limits)")
        precondition(limits.inAll < Int32.max, "too many to number: \(limits)")
        self.limits = limits
    }

    /// How many transactions are held.
    public var count: Int { places.count }

    /// Whether `id` was taken from `origin` within the time.
    public func holds(_ id: String, from origin: ServerName, at now: Instant) -> Bool {
        guard let number = numbers[origin],
            let place = places[Key(origin: number, hash: TransactionMemory.hash(id))]
        else { return false }
        return now < entries[Int(place)].taken + limits.duration
    }

    /// `id` was taken from `origin`. One that is held already keeps its time.
    /// - Parameter now: not before that of any call before.
    public mutating func note(_ id: String, from origin: ServerName, at now: Instant) {
        while oldest != TransactionMemory.none, entries[Int(oldest)].taken + limits.duration <= now { forgetOldest() }
        let hash = TransactionMemory.hash(id)
        if let number = numbers[origin] {
            guard places[Key(origin: number, hash: hash)] == nil else { return }
            if origins[Int(number)].count >= limits.perOrigin { forgetFirst(of: number) }
        }
        if places.count >= limits.inAll { forgetOldest() }
        append(Key(origin: number(of: origin), hash: hash), at: now)
    }

    private mutating func append(_ key: Key, at now: Instant) {
        let entry = Entry(key: key, taken: now, previous: latest)
        let place: Int32
        if let free = freeEntries.popLast() {
            place = free
            entries[Int(free)] = entry
        } else {
            place = Int32(entries.count)
            entries.append(entry)
        }
        places[key] = place
        if latest == TransactionMemory.none { oldest = place } else { entries[Int(latest)].next = place }
        latest = place
        let origin = Int(key.origin)
        if origins[origin].count == 0 {
            origins[origin].first = place
        } else {
            entries[Int(origins[origin].last)].nextOfOrigin = place
        }
        origins[origin].last = place
        origins[origin].count += 1
    }

    /// The oldest of all is the oldest of its origin too.
    private mutating func forgetOldest() { forgetFirst(of: entries[Int(oldest)].key.origin) }

    private mutating func forgetFirst(of number: Int32) {
        let place = origins[Int(number)].first
        let entry = entries[Int(place)]
        places[entry.key] = nil
        freeEntries.append(place)
        if entry.previous == TransactionMemory.none {
            oldest = entry.next
        } else {
            entries[Int(entry.previous)].next = entry.next
        }
        if entry.next == TransactionMemory.none {
            latest = entry.previous
        } else {
            entries[Int(entry.next)].previous = entry.previous
        }
        origins[Int(number)].first = entry.nextOfOrigin
        origins[Int(number)].count -= 1
        guard origins[Int(number)].count == 0 else { return }
        numbers[origins[Int(number)].name] = nil
        freeOrigins.append(number)
    }

    private mutating func number(of origin: ServerName) -> Int32 {
        if let number = numbers[origin] { return number }
        let number: Int32
        if let free = freeOrigins.popLast() {
            number = free
            origins[Int(free)] = Origin(name: origin)
        } else {
            number = Int32(origins.count)
            origins.append(Origin(name: origin))
        }
        numbers[origin] = number
        return number
    }

    /// FNV-1a.
    private static func hash(_ id: String) -> UInt64 {
        id.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }
}
