import PresenceModel

/// One user is in one room from now on, or is not.
struct MemberChange: Hashable, Sendable {
    var user: UserID
    var room: RoomID
    var isIn: Bool
}

/// Which rooms' members are known, are being fetched, or are to be fetched; and what of a fetched list still holds when
/// events came meanwhile. A value: who is in which room, the engine knows.
///
/// A list is fetched at one instant of the homeserver's, and events of before and after it arrive in between. Events win:
/// whoever an event was heard of since the fetch began is left as that event has it. What the list has ahead of events
/// that are still on their way, those events bring to the same end, because they come in the homeserver's order.
///
/// Decision 22.
struct MembershipBook: Sendable {
    struct Configuration: Hashable, Sendable {
        /// Rooms that wait to be fetched; past it a wish is dropped, and comes again with the room's next event.
        var wishesLimit = 100_000
        /// Users heard of during one fetch; past it the fetch is no use, and is made again.
        var touchedLimit = 100_000
        /// Events of members that are remembered, so that a repetition has no effect.
        var repeatsLimit = 65_536
        /// How long a room is left alone after a fetch that failed: doubled with every further one, up to
        /// ``retryLimit``.
        var retryFirst = Duration.seconds(10)
        var retryLimit = Duration.minutes(30)
    }

    /// Unique within a book.
    struct FetchNumber: Hashable, Sendable {
        fileprivate var value: UInt64
    }

    /// A fetch to be made now.
    struct Order: Hashable, Sendable {
        var room: RoomID
        var fetch: FetchNumber
        /// Somebody who is said to be in the room.
        var member: UserID?
    }

    private struct Wish: Sendable {
        var member: UserID?
        var failures = 0
        var notBefore = Instant.epoch
        /// Since when the room was known: it is looked at again. It stays known if that fails.
        var knownSince: Instant?
    }

    private struct Fetch: Sendable {
        var number: FetchNumber
        var wish: Wish
        /// Whom events were heard of since it began.
        var touched: Set<UserID> = []
        var isSpoiled = false
        /// From the end: what the list changes. `nil` before it is there.
        var changes: [MemberChange]?
    }

    /// A room without a standing is unknown. Legal next states: wanted → fetching → known or wanted; known → wanted.
    private enum Standing: Sendable {
        case wanted(Wish)
        case fetching(Fetch)
        case known(since: Instant)
    }

    let configuration: Configuration
    private var standings: [RoomID: Standing] = [:]
    /// Every room that is wanted, once; rooms that are not any more may still be in it.
    private var queue: [RoomID] = []
    /// Those before it were taken.
    private var queueHead = 0
    /// Rooms that are wanted.
    private var wishCount = 0
    private var fetchCount: UInt64 = 0
    private var recent: RecentEvents

    /// - Parameter known: rooms whose members were fetched in an earlier run, and when.
    init(configuration: Configuration = Configuration(), known: [(room: RoomID, since: Instant)] = []) {
        self.configuration = configuration
        recent = RecentEvents(limit: configuration.repeatsLimit)
        for (room, since) in known { standings[room] = .known(since: since) }
    }

    /// The members were fetched, and events are heard since.
    func isKnown(_ room: RoomID) -> Bool {
        switch standings[room] {
        case .known: true
        case .wanted(let wish): wish.knownSince != nil
        case .fetching(let fetch): fetch.wish.knownSince != nil
        case nil: false
        }
    }

    /// Rooms wait to be fetched.
    var hasWishes: Bool { wishCount > 0 }

    // MARK: Events

    /// An event says what `change` says.
    /// - Parameters:
    ///   - event: its id; `nil` where there is none.
    ///   - replaced: the one before it, which says nothing any more even if it comes later.
    /// - Returns: false if it is a repetition, or was replaced already: it changes nothing.
    mutating func heard(_ change: MemberChange, event: String?, replacing replaced: String? = nil) -> Bool {
        if let event, !recent.note(event) { return false }
        if let replaced { _ = recent.note(replaced) }
        if case .fetching(var fetch) = standings[change.room] {
            // Not held twice while it changes.
            standings[change.room] = nil
            if fetch.touched.count < configuration.touchedLimit {
                fetch.touched.insert(change.user)
            } else {
                fetch.isSpoiled = true
            }
            standings[change.room] = .fetching(fetch)
        }
        return true
    }

    /// Nobody here is in the room any more; nothing of it is heard from now on.
    mutating func forget(_ room: RoomID) { set(room, nil) }

    // MARK: Fetches

    /// The members of a room should be known; nothing happens if they are, or will be.
    mutating func want(_ room: RoomID, as member: UserID? = nil) {
        switch standings[room] {
        case nil: wish(Wish(member: member), for: room)
        case .wanted(var wish) where wish.member == nil:
            wish.member = member
            set(room, .wanted(wish))
        default: break
        }
    }

    /// Looks again at a room that is known.
    mutating func review(_ room: RoomID, as member: UserID? = nil) {
        guard case .known(let since) = standings[room] else { return want(room, as: member) }
        wish(Wish(member: member, knownSince: since), for: room)
    }

    /// Of `rooms`, looks again at those that were fetched longest ago, at most `limit`: those known for `period`, or up
    /// to a fifth less, so that rooms that were fetched together part.
    mutating func review(_ rooms: [RoomID], knownFor period: Duration, at now: Instant, limit: Int) {
        let due = rooms.compactMap { room -> (since: Instant, room: RoomID)? in
            guard case .known(let since) = standings[room] else { return nil }
            let spread = period.inMilliseconds / 5 * Int64(MembershipBook.share(of: room)) / 256
            return since.advanced(byMilliseconds: period.inMilliseconds - spread) <= now ? (since, room) : nil
        }
        for (_, room) in due.sorted(by: { ($0.since, $0.room) < ($1.since, $1.room) }).prefix(max(limit, 0)) {
            review(room)
        }
    }

    /// The next room to fetch; `nil` if none is due. ``list(_:of:present:)``, ``failed(_:at:)`` or ``giveUp(_:)`` must
    /// follow.
    mutating func nextOrder(at now: Instant) -> Order? {
        for _ in queueHead..<queue.count {
            let room = queue[queueHead]
            queueHead += 1
            guard case .wanted(let wish) = standings[room] else { continue }
            guard wish.notBefore <= now else {
                queue.append(room)
                continue
            }
            compactQueue()
            fetchCount += 1
            let number = FetchNumber(value: fetchCount)
            set(room, .fetching(Fetch(number: number, wish: wish)))
            return Order(room: room, fetch: number, member: wish.member)
        }
        compactQueue()
        return nil
    }

    private mutating func compactQueue() {
        guard queueHead > 1000, queueHead * 2 > queue.count else { return }
        queue.removeFirst(queueHead)
        queueHead = 0
    }

    /// The list is there.
    /// - Parameter present: who is in the room by what was heard so far.
    /// - Returns: false if it is no use: the room was forgotten, or too much happened meanwhile.
    mutating func list(_ members: [UserID], of order: Order, present: [UserID]) -> Bool {
        guard var fetch = fetch(of: order) else { return false }
        guard !fetch.isSpoiled else { return false }
        let (listed, before) = (Set(members), Set(present))
        var changes: [MemberChange] = []
        // Who is to see nothing any more comes first.
        for user in present where !listed.contains(user) {
            changes.append(MemberChange(user: user, room: order.room, isIn: false))
        }
        for user in members where !before.contains(user) {
            changes.append(MemberChange(user: user, room: order.room, isIn: true))
        }
        fetch.changes = changes.reversed()
        standings[order.room] = .fetching(fetch)
        return true
    }

    /// The next of what the list changes, at most `limit`, without those whom events were heard of since.
    /// - Returns: empty if none is left; the room is known from then on.
    mutating func nextChanges(of order: Order, limit: Int, at now: Instant) -> [MemberChange] {
        guard var fetch = fetch(of: order), var changes = fetch.changes else { return [] }
        standings[order.room] = nil
        fetch.changes = nil
        var next: [MemberChange] = []
        while next.count < max(limit, 1), let change = changes.popLast() {
            if !fetch.touched.contains(change.user) { next.append(change) }
        }
        fetch.changes = changes
        standings[order.room] = next.isEmpty ? .known(since: now) : .fetching(fetch)
        return next
    }

    /// The fetch did not come to an end; it is made again later.
    mutating func failed(_ order: Order, at now: Instant) {
        guard let fetch = fetch(of: order) else { return }
        var wish = fetch.wish
        wish.notBefore = now + min(configuration.retryFirst * (1 << min(wish.failures, 20)), configuration.retryLimit)
        wish.failures += 1
        self.wish(wish, for: order.room)
    }

    /// Nobody here may look into the room: it is unknown until something is heard of it again.
    mutating func giveUp(_ order: Order) {
        if fetch(of: order) != nil { set(order.room, nil) }
    }

    /// True while nothing was heard of the user since the fetch began.
    func isUntouched(_ user: UserID, by order: Order) -> Bool {
        fetch(of: order).map { !$0.touched.contains(user) && !$0.isSpoiled } ?? false
    }

    private func fetch(of order: Order) -> Fetch? {
        guard case .fetching(let fetch) = standings[order.room], fetch.number == order.fetch else { return nil }
        return fetch
    }

    private mutating func wish(_ wish: Wish, for room: RoomID) {
        guard queue.count - queueHead < configuration.wishesLimit else {
            set(room, wish.knownSince.map { .known(since: $0) })
            return
        }
        set(room, .wanted(wish))
        queue.append(room)
    }

    private mutating func set(_ room: RoomID, _ standing: Standing?) {
        if case .wanted = standings[room] { wishCount -= 1 }
        if case .wanted = standing { wishCount += 1 }
        standings[room] = standing
    }

    /// 0 to 255, the same for a room at all times.
    private static func share(of room: RoomID) -> UInt8 {
        var hash: UInt32 = 2_166_136_261
        for byte in room.text.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return UInt8(truncatingIfNeeded: hash ^ (hash >> 16))
    }
}

/// The latest events of members, by their hashes.
private struct RecentEvents: Sendable {
    private let limit: Int
    private var ring: [Int] = []
    private var next = 0
    private var held: Set<Int> = []

    init(limit: Int) { self.limit = max(limit, 1) }

    /// - Returns: false if it is known already.
    mutating func note(_ event: String) -> Bool {
        let hash = event.hashValue
        guard held.insert(hash).inserted else { return false }
        if ring.count < limit {
            ring.append(hash)
        } else {
            held.remove(ring[next])
            ring[next] = hash
            next = (next + 1) % limit
        }
        return true
    }
}
