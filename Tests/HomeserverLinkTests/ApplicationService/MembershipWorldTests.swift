import PresenceModel
import Testing

@testable import HomeserverLink

/// A homeserver whose events come late, twice and in wrong order, while lists of some instant in between are fetched.
/// Compared with the truth once everything has come.
private struct MembershipWorld {
    private struct Event {
        var change: MemberChange
        var id: String
        var replaces: String?
    }

    private struct Fetch {
        var order: MembershipBook.Order
        var listed: [UserID]?
    }

    private var generator: SeededGenerator
    private let users: [UserID]
    private let rooms: [RoomID]
    private var book = MembershipBook()
    private var now = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
    /// What the homeserver holds.
    private var truth: [RoomID: Set<UserID>] = [:]
    /// The latest event of each user in each room.
    private var latest: [String: String] = [:]
    /// On its way.
    private var stream: [Event] = []
    private var delivered: [Event] = []
    private var fetches: [Fetch] = []
    private var eventCount = 0
    /// What the engine would hold.
    private var held: [RoomID: Set<UserID>] = [:]
    /// Everybody who ever was in a room.
    private var ever: [RoomID: Set<UserID>] = [:]
    private(set) var faults: [String] = []

    init(seed: UInt64) throws {
        generator = SeededGenerator(seed: seed)
        users = try (0..<6).map { try UserID(parsing: "@u\($0):x") }
        rooms = try (0..<3).map { try RoomID(parsing: "!r\($0):x") }
        // Before the application service was registered.
        for room in rooms {
            for user in users where Bool.random(using: &generator) { truth[room, default: []].insert(user) }
            ever[room] = truth[room] ?? []
        }
    }

    private mutating func chance(_ part: Int) -> Bool { Int.random(in: 0..<part, using: &generator) == 0 }

    private mutating func pick<Element>(_ elements: [Element]) -> Element? { elements.randomElement(using: &generator) }

    mutating func step() {
        now = now + .milliseconds(Int.random(in: 0...5000, using: &generator))
        switch Int.random(in: 0..<9, using: &generator) {
        case 0, 1, 2: happen()
        case 3, 4: deliver()
        case 5: if let room = pick(rooms) { book.want(room) }
        case 6: if let order = book.nextOrder(at: now) { fetches.append(Fetch(order: order)) }
        case 7: proceed()
        default: if let room = pick(rooms) { book.review(room) }
        }
        check()
    }

    /// Somebody comes or goes.
    private mutating func happen() {
        guard let room = pick(rooms), let user = pick(users) else { return }
        let isIn = truth[room]?.contains(user) != true
        if isIn { truth[room, default: []].insert(user) } else { truth[room]?.remove(user) }
        ever[room, default: []].insert(user)
        eventCount += 1
        let key = "\(room) \(user)"
        let event = Event(
            change: MemberChange(user: user, room: room, isIn: isIn), id: "$\(eventCount)", replaces: latest[key])
        latest[key] = event.id
        // Sometimes before the one that it replaces.
        if let last = stream.last, last.id == event.replaces, chance(2) {
            stream.insert(event, at: stream.count - 1)
        } else {
            stream.append(event)
        }
    }

    private mutating func deliver() {
        guard !stream.isEmpty else { return }
        let event = stream.removeFirst()
        delivered.append(event)
        hear(event)
        // Again, from anywhere in the past.
        if chance(3), let old = pick(delivered) { hear(old) }
    }

    private mutating func hear(_ event: Event) {
        guard book.heard(event.change, event: event.id, replacing: event.replaces) else { return }
        apply(event.change)
    }

    private mutating func apply(_ change: MemberChange) {
        if change.isIn {
            held[change.room, default: []].insert(change.user)
        } else {
            held[change.room]?.remove(change.user)
        }
    }

    /// One of the fetches under way is answered, applied in portions, or fails.
    private mutating func proceed() {
        guard !fetches.isEmpty else { return }
        let place = Int.random(in: 0..<fetches.count, using: &generator)
        let order = fetches[place].order
        guard let listed = fetches[place].listed else {
            if chance(6) {
                book.failed(order, at: now)
                fetches.remove(at: place)
            } else {
                fetches[place].listed = (truth[order.room] ?? []).sorted()
            }
            return
        }
        fetches.remove(at: place)
        guard !chance(8), book.list(listed, of: order, present: (held[order.room] ?? []).sorted()) else {
            return book.failed(order, at: now)
        }
        while true {
            let changes = book.nextChanges(of: order, limit: 2, at: now)
            if changes.isEmpty { break }
            for change in changes { apply(change) }
            if chance(3) { deliver() }
        }
    }

    private mutating func check() {
        for room in rooms {
            let strangers = (held[room] ?? []).subtracting(ever[room] ?? [])
            if !strangers.isEmpty { faults.append("\(strangers.sorted()) never were in \(room)") }
        }
    }

    /// Everything comes to its end.
    mutating func settle() {
        while !stream.isEmpty { deliver() }
        for room in rooms { book.want(room) }
        while !fetches.isEmpty { proceed() }
        now = now + .hours(1)
        while let order = book.nextOrder(at: now) {
            fetches.append(Fetch(order: order))
            while !fetches.isEmpty { proceed() }
            now = now + .hours(1)
        }
        for room in rooms {
            if !book.isKnown(room) { faults.append("\(room) is not known") }
            let (mine, theirs) = (held[room] ?? [], truth[room] ?? [])
            if mine != theirs { faults.append("\(room): \(mine.sorted()) is not \(theirs.sorted())") }
        }
    }
}

struct `The book of rooms beside a homeserver` {
    @Test(arguments: UInt64(1)...300) func `comes to the truth, whatever came when`(seed: UInt64) throws {
        var world = try MembershipWorld(seed: seed)
        for _ in 0..<400 { world.step() }
        world.settle()
        #expect(world.faults.isEmpty, "seed \(seed): \(world.faults.prefix(3))")
    }
}
