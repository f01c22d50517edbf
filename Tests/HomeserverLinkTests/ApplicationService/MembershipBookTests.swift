import PresenceModel
import Testing

@testable import HomeserverLink

/// Who is known to be in a room, while lists are fetched and events go on.
struct `The book of rooms` {
    private let room: RoomID
    private let start = Instant(millisecondsSinceEpoch: 1_700_000_000_000)

    init() throws { room = try RoomID(parsing: "!r:x") }

    private func user(_ name: String) throws -> UserID { try UserID(parsing: "@\(name):x") }

    private func join(_ name: String) throws -> MemberChange {
        MemberChange(user: try user(name), room: room, isIn: true)
    }

    private func leave(_ name: String) throws -> MemberChange {
        MemberChange(user: try user(name), room: room, isIn: false)
    }

    @Test func `fetches a room once, and knows it then`() throws {
        let book = BookInHand(MembershipBook())
        #expect(!book.isKnown(room) && !book.hasWishes)
        book.want(room)
        book.want(room, as: try user("ada"))
        #expect(book.hasWishes)
        let order = try #require(book.nextOrder(at: start))
        let ada = try user("ada")
        #expect(order.member == ada)
        #expect(book.nextOrder(at: start) == nil)
        book.want(room)
        #expect(book.nextOrder(at: start) == nil)
        let isUseful = book.list([try user("ada"), try user("bob")], of: order, present: [try user("cec")])
        #expect(isUseful)
        #expect(book.nextChanges(of: order, limit: 2, at: start) == [try leave("cec"), try join("ada")])
        #expect(!book.isKnown(room))
        #expect(book.nextChanges(of: order, limit: 2, at: start) == [try join("bob")])
        #expect(book.nextChanges(of: order, limit: 2, at: start) == [])
        #expect(book.isKnown(room) && !book.hasWishes)
        book.want(room)
        #expect(book.nextOrder(at: start) == nil)
    }

    @Test func `believes an event of the meantime and not the list`() throws {
        let book = BookInHand(MembershipBook())
        book.want(room)
        let order = try #require(book.nextOrder(at: start))
        let (left, joined, late) = (try leave("ada"), try join("cec"), try leave("dan"))
        #expect(book.heard(left, event: "$1"))
        #expect(book.heard(joined, event: "$2"))
        let listed = [try user("ada"), try user("bob"), try user("dan")]
        let present = [try user("cec"), try user("eve")]
        #expect(book.list(listed, of: order, present: present))
        #expect(book.heard(late, event: "$3"))
        let changes = book.nextChanges(of: order, limit: 9, at: start)
        #expect(changes == [try leave("eve"), try join("bob")], "ada went, cec came, dan went after the fetch began")
    }

    @Test func `hears an event once, and a replaced one not at all`() throws {
        let book = BookInHand(MembershipBook())
        let (joined, left) = (try join("ada"), try leave("ada"))
        #expect(book.heard(left, event: "$2", replacing: "$1"))
        #expect(!book.heard(joined, event: "$1"))
        #expect(!book.heard(left, event: "$2", replacing: "$1"))
        #expect(book.heard(joined, event: "$3", replacing: "$2"))
        #expect(book.heard(left, event: nil))
        #expect(book.heard(left, event: nil))
    }

    @Test func `forgets the oldest events it heard`() throws {
        var configuration = MembershipBook.Configuration()
        configuration.repeatsLimit = 10
        let book = BookInHand(MembershipBook(configuration: configuration))
        let joined = try join("ada")
        for number in 0..<30 { #expect(book.heard(joined, event: "$\(number)")) }
        #expect(!book.heard(joined, event: "$25"))
        #expect(book.heard(joined, event: "$3"))
    }

    @Test func `a forgotten room's fetch changes nothing`() throws {
        let book = BookInHand(MembershipBook())
        book.want(room)
        let order = try #require(book.nextOrder(at: start))
        let members = [try user("ada")]
        book.forget(room)
        #expect(!book.list(members, of: order, present: []))
        #expect(book.nextChanges(of: order, limit: 9, at: start) == [])
        book.want(room)
        let again = try #require(book.nextOrder(at: start))
        book.failed(order, at: start)
        book.giveUp(order)
        #expect(book.list(members, of: again, present: []))
    }

    @Test func `tries again what failed, ever later, and stays known meanwhile`() throws {
        let book = BookInHand(MembershipBook(known: [(room, start)]))
        book.review(room)
        var now = start
        for wait in [10, 20, 40] {
            let order = try #require(book.nextOrder(at: now))
            book.failed(order, at: now)
            #expect(book.isKnown(room))
            #expect(book.nextOrder(at: now + .seconds(wait - 1)) == nil)
            now = now + .seconds(wait)
        }
        #expect(book.nextOrder(at: now) != nil)
    }

    @Test func `a fetch during which too much happened is no use`() throws {
        var configuration = MembershipBook.Configuration()
        configuration.touchedLimit = 3
        let book = BookInHand(MembershipBook(configuration: configuration))
        book.want(room)
        let order = try #require(book.nextOrder(at: start))
        for number in 0..<4 {
            let change = try join("u\(number)")
            #expect(book.heard(change, event: nil))
        }
        #expect(!book.list([], of: order, present: []))
        book.failed(order, at: start)
        #expect(book.hasWishes)
    }

    @Test func `past the bound a wish is dropped, and a known room stays known`() throws {
        var configuration = MembershipBook.Configuration()
        configuration.wishesLimit = 2
        let book = BookInHand(MembershipBook(configuration: configuration, known: [(room, start)]))
        let others = try (0..<5).map { try RoomID(parsing: "!o\($0):x") }
        for other in others { book.want(other) }
        book.review(room)
        #expect(book.isKnown(room))
        var fetched: [RoomID] = []
        while let order = book.nextOrder(at: start) { fetched.append(order.room) }
        #expect(fetched == Array(others.prefix(2)))
    }

    @Test func `looks again at rooms within the last fifth of the period, the oldest first`() throws {
        let rooms = try (0..<200).map { try RoomID(parsing: "!o\($0):x") }
        let book = BookInHand(MembershipBook(known: rooms.map { ($0, start) }))
        var seen: [Int] = []
        for minute in 0...60 {
            let now = start + .minutes(minute)
            book.review(rooms, knownFor: .hours(1), at: now, limit: 1000)
            var count = 0
            while let order = book.nextOrder(at: now) {
                count += 1
                _ = book.list([], of: order, present: [])
                _ = book.nextChanges(of: order, limit: 1, at: now)
            }
            if minute < 48 { #expect(count == 0) }
            seen.append(count)
        }
        #expect(seen.reduce(0, +) == 200, "each of them once")
        #expect(try #require(seen.max()) < 50, "and not all at once: \(seen)")
        book.review(rooms, knownFor: .minutes(1), at: start + .minutes(62), limit: 7)
        var count = 0
        while book.nextOrder(at: start + .minutes(62)) != nil { count += 1 }
        #expect(count == 7)
    }
}

/// Expectations take no changes of a value, hence a reference to it.
private final class BookInHand {
    private var book: MembershipBook

    init(_ book: MembershipBook) { self.book = book }

    var hasWishes: Bool { book.hasWishes }

    func isKnown(_ room: RoomID) -> Bool { book.isKnown(room) }

    func want(_ room: RoomID, as member: UserID? = nil) { book.want(room, as: member) }

    func review(_ room: RoomID) { book.review(room) }

    func review(_ rooms: [RoomID], knownFor period: Duration, at now: Instant, limit: Int) {
        book.review(rooms, knownFor: period, at: now, limit: limit)
    }

    func forget(_ room: RoomID) { book.forget(room) }

    func heard(_ change: MemberChange, event: String?, replacing replaced: String? = nil) -> Bool {
        book.heard(change, event: event, replacing: replaced)
    }

    func nextOrder(at now: Instant) -> MembershipBook.Order? { book.nextOrder(at: now) }

    func list(_ members: [UserID], of order: MembershipBook.Order, present: [UserID]) -> Bool {
        book.list(members, of: order, present: present)
    }

    func nextChanges(of order: MembershipBook.Order, limit: Int, at now: Instant) -> [MemberChange] {
        book.nextChanges(of: order, limit: limit, at: now)
    }

    func failed(_ order: MembershipBook.Order, at now: Instant) { book.failed(order, at: now) }

    func giveUp(_ order: MembershipBook.Order) { book.giveUp(order) }
}
