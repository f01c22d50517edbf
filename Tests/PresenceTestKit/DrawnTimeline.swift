import PresenceEngine
import PresenceModel

/// Draws what observers see of one user whose devices do what is drawn: one column is one step.
///
/// A letter in a device's row is what happens on that device at that step:
///
/// | letter | what happens |
/// |---|---|
/// | `-` | nothing: a device with a stream keeps it |
/// | `f` `o` `b` `u` `n` `h` | the user picks free for chat, online, busy, unavailable, offline ("not here"), hidden |
/// | `a` | the user does something |
/// | `c` | the device connects, its user does nothing |
/// | `s` | the device is seen once, by a request; no stream is opened |
/// | `x` | the device goes: its stream is closed |
/// | `r` | the device is revoked |
///
/// Picking, acting and connecting open the device's stream unless it is open. At one step the devices take turns in
/// the order of their names.
///
/// The answer has one column for every step: `f` `o` `b` `u` `x` where the published state (free for chat, online,
/// busy, unavailable, offline) is not what it was at the step before, else `-`. A user begins offline.
///
/// - Throws: ``DrawingError`` for a letter that means nothing, and for rows of unequal length.
public func drawn(
    _ devices: [String: String], each step: Duration,
    configuration: PresenceEngine.Configuration = PresenceEngine.Configuration()
) throws -> String {
    var drawing = try Drawing(devices, configuration: configuration)
    return try drawing.play(each: step)
}

/// Why a drawing cannot be read.
public enum DrawingError: Error, Hashable, Sendable {
    /// The letter means nothing.
    case unknownLetter(Character, device: String)
    /// Every row has as many columns as every other.
    case unequalRows
    /// There is no row, or no column.
    case empty
}

private struct Drawing {
    private struct Row {
        let device: DeviceID
        let letters: [Character]
        var stream: StreamID?
    }

    private var rows: [Row] = []
    private var engine: PresenceEngine
    private let user: UserID
    private var streamCount: UInt64 = 0
    private var now = Instant(millisecondsSinceEpoch: 1_700_000_000_000)

    init(_ devices: [String: String], configuration: PresenceEngine.Configuration) throws {
        user = try UserID(parsing: "@alice:here.example")
        engine = PresenceEngine(server: user.server, configuration: configuration)
        for (name, letters) in devices.sorted(by: { $0.key < $1.key }) {
            if let stranger = letters.first(where: { !"-foubnhacsxr".contains($0) }) {
                throw DrawingError.unknownLetter(stranger, device: name)
            }
            rows.append(Row(device: try DeviceID(parsing: name), letters: Array(letters)))
        }
        guard let columns = rows.first?.letters.count, columns > 0 else { throw DrawingError.empty }
        guard rows.allSatisfy({ $0.letters.count == columns }) else { throw DrawingError.unequalRows }
    }

    mutating func play(each step: Duration) throws -> String {
        var drawing = ""
        var shown = PublishedState.offline
        _ = engine.handle(.started, at: now)
        for column in rows[0].letters.indices {
            if column > 0 { pass(step) }
            for row in rows.indices { act(rows[row].letters[column], row) }
            let state = published
            drawing.append(state == shown ? "-" : Drawing.letter(of: state))
            shown = state
        }
        return drawing
    }

    private var published: PublishedState {
        guard case .known(let presence)? = engine.knowledge(of: user) else { return .offline }
        return presence.state
    }

    /// Every deadline on the way is met to the millisecond.
    private mutating func pass(_ step: Duration) {
        let end = now + step
        while let deadline = engine.nextDeadline, deadline <= end {
            now = max(now, deadline)
            _ = engine.handle(.deadlineReached, at: now)
        }
        now = end
    }

    private mutating func act(_ letter: Character, _ row: Int) {
        let key = DeviceKey(user: user, device: rows[row].device)
        switch letter {
        case "s":
            _ = engine.handle(.deviceSeen(key), at: now)
        case "x":
            guard let stream = rows[row].stream else { return }
            rows[row].stream = nil
            _ = engine.handle(.streamClosed(stream), at: now)
        case "r":
            rows[row].stream = nil
            _ = engine.handle(.deviceRevoked(key), at: now)
        case "c":
            openStream(row, key)
        case "a":
            openStream(row, key)
            _ = engine.handle(.deviceActed(key), at: now)
        default:
            guard let state = Drawing.choice(letter) else { return }
            openStream(row, key)
            _ = engine.handle(.statusChosen(key, state, text: nil), at: now)
        }
    }

    private mutating func openStream(_ row: Int, _ key: DeviceKey) {
        guard rows[row].stream == nil else { return }
        streamCount += 1
        rows[row].stream = StreamID(streamCount)
        _ = engine.handle(.streamOpened(StreamID(streamCount), key), at: now)
    }

    private static func choice(_ letter: Character) -> ChosenState? {
        switch letter {
        case "f": .freeForChat
        case "o": .online
        case "b": .busy
        case "u": .unavailable
        case "n": .offline
        case "h": .hidden
        default: nil
        }
    }

    private static func letter(of state: PublishedState) -> Character {
        switch state {
        case .freeForChat: "f"
        case .online: "o"
        case .busy: "b"
        case .unavailable: "u"
        case .offline: "x"
        }
    }
}
