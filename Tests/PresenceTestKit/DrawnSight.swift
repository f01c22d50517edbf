import PresenceEngine
import PresenceModel

/// Draws what Bob's client shows of Alice, whose state and whose leave change as drawn: one column is one step.
///
/// `alice` is her phone; `leave` is what happens between the two; `bob` is his client.
///
/// | row | letter | what happens |
/// |---|---|---|
/// | any | `-` | nothing |
/// | alice | `f` `o` `b` `u` `n` `h` | she picks free for chat, online, busy, unavailable, offline, hidden |
/// | alice | `a` `x` | she does something; her client goes |
/// | leave | `?` `r` | Bob asks to see her; Bob takes her off his list |
/// | leave | `+` `!` | she lets him see her; she does not, or no longer |
/// | leave | `#` `=` | she blocks him; she no longer does |
/// | leave | `w` | she asks to see Bob |
/// | leave | `j` `l` | she joins the room that Bob is in; she leaves it |
/// | bob | `c` `x` | his client listens; it goes |
///
/// Both are known to the server. At one step `alice` comes before `leave`, and `leave` before `bob`. Bob's client reads
/// only when it connects or is woken. The answer has one column for every step: `f` `o` `b` `u` `x` where the client is
/// shown Alice as free for chat, online, busy, unavailable, offline; `-` where it is shown nothing.
///
/// - Throws: ``DrawingError`` for a letter that means nothing, and for rows of unequal length.
public func drawnSight(
    alice: String, leave: String, bob: String, each step: Duration,
    configuration: PresenceEngine.Configuration = PresenceEngine.Configuration()
) throws -> String {
    var sight = try Sight(configuration)
    let rows = [alice, leave, bob].map(Array.init)
    guard let columns = rows.first?.count, columns > 0 else { throw DrawingError.empty }
    guard rows.allSatisfy({ $0.count == columns }) else { throw DrawingError.unequalRows }
    var shown = ""
    for column in 0..<columns {
        if column > 0 { sight.bench.pass(step) }
        try sight.alice(does: rows[0][column])
        try sight.leave(is: rows[1][column])
        try sight.bob(does: rows[2][column])
        shown.append(sight.read())
    }
    return shown
}

private struct Sight {
    var bench: PresenceBench
    private let phone: DeviceKey
    private let client: DeviceKey
    private let room: RoomID
    private var phoneStream: StreamID?
    private var clientStream: StreamID?
    private var hasConnected = false
    private var position: PresenceEngine.Position?

    private static let states: [Character: ChosenState] = [
        "f": .freeForChat, "o": .online, "b": .busy, "u": .unavailable, "n": .offline, "h": .hidden,
    ]

    init(_ configuration: PresenceEngine.Configuration) throws {
        bench = try PresenceBench(configuration)
        phone = try device("alice")
        client = try device("bob")
        room = try RoomID(parsing: "!room:here.example")
        for user in [phone.user, client.user] { bench.perform(.userKnown(user)) }
        bench.perform(.roomJoined(client.user, room))
    }

    mutating func alice(does letter: Character) throws {
        switch letter {
        case "-": return
        case "x":
            if let stream = phoneStream { bench.perform(.streamClosed(stream)) }
            phoneStream = nil
            return
        case _ where letter == "a" || Sight.states[letter] != nil:
            if phoneStream == nil { phoneStream = bench.listen(on: phone) }
            if let state = Sight.states[letter] {
                bench.perform(.statusChosen(phone, state, text: nil))
            } else {
                bench.perform(.deviceActed(phone))
            }
        default: throw DrawingError.unknownLetter(letter, device: "alice")
        }
    }

    mutating func leave(is letter: Character) throws {
        let (alice, bob) = (phone.user, client.user)
        switch letter {
        case "-": return
        case "?": bench.add(alice, to: bob)
        case "r": bench.perform(.entryRemoved(observer: bob, observed: alice))
        case "+": bench.perform(.requestAccepted(observed: alice, observer: bob))
        case "!": bench.perform(.requestDenied(observed: alice, observer: bob))
        case "#": bench.perform(.userBlocked(by: alice, bob))
        case "=": bench.perform(.userUnblocked(by: alice, bob))
        case "w": bench.add(bob, to: alice)
        case "j": bench.perform(.roomJoined(alice, room))
        case "l": bench.perform(.roomLeft(alice, room))
        default: throw DrawingError.unknownLetter(letter, device: "leave")
        }
    }

    mutating func bob(does letter: Character) throws {
        switch letter {
        case "-": return
        case "c":
            guard clientStream == nil else { return }
            clientStream = bench.listen(on: client)
            hasConnected = true
        case "x":
            if let stream = clientStream { bench.perform(.streamClosed(stream)) }
            clientStream = nil
        default: throw DrawingError.unknownLetter(letter, device: "bob")
        }
    }

    /// What the client is shown at the end of a step.
    mutating func read() -> Character {
        defer {
            bench.effects = []
            hasConnected = false
        }
        guard let stream = clientStream, hasConnected || bench.effects.contains(.wake(stream)) else { return "-" }
        let changes = bench.engine.changes(for: client.user, after: position)
        position = changes.position
        guard case .known(let presence)? = changes.sightings.first(where: { $0.user == phone.user })?.knowledge else {
            return "-"
        }
        switch presence.state {
        case .freeForChat: return "f"
        case .online: return "o"
        case .busy: return "b"
        case .unavailable: return "u"
        case .offline: return "x"
        }
    }
}
