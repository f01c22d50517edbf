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
/// | `F` `O` `B` `U` `N` `H` | the user insists on that state, until `k` |
/// | `2` … `9` | the user insists on busy, for so many steps |
/// | `k` | the user insists on nothing any more |
/// | `c` | the device connects, its user does nothing |
/// | `v` | the device connects with `set_presence=unavailable` |
/// | `t` | the device connects with `set_presence=offline`: presence is not touched |
/// | `s` | the device is seen once, by a request; no stream is opened |
/// | `y` `z` `g` | the device syncs once, with `set_presence` online, unavailable, offline; no stream is opened |
/// | `i` | the device reports that it is idle from now on |
/// | `I` | the device reports that it has been idle for ten minutes |
/// | `e` | the device reports that somebody is there |
/// | `w` | the device takes its report back |
/// | `x` | the device goes: its stream is closed |
/// | `r` | the device is revoked |
///
/// Picking, insisting, acting and connecting open the device's stream unless it is open. At one step the devices take
/// turns in the order of their names.
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

    static let letters = "-foubnhaFOBUNH23456789kcvtsyzgiIewxr"

    private var rows: [Row] = []
    private var engine: PresenceEngine
    private let user: UserID
    private var streamCount: UInt64 = 0
    private var now = Instant(millisecondsSinceEpoch: 1_700_000_000_000)

    init(_ devices: [String: String], configuration: PresenceEngine.Configuration) throws {
        user = try UserID(parsing: "@alice:here.example")
        engine = PresenceEngine(server: user.server, configuration: configuration)
        for (name, letters) in devices.sorted(by: { $0.key < $1.key }) {
            if let stranger = letters.first(where: { !Drawing.letters.contains($0) }) {
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
            for row in rows.indices { act(rows[row].letters[column], row, each: step) }
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

    private mutating func act(_ letter: Character, _ row: Int, each step: Duration) {
        let key = DeviceKey(user: user, device: rows[row].device)
        if let event = Drawing.contact(letter, of: key) {
            perform(event)
            return
        }
        switch letter {
        case "-": break
        case "x":
            guard let stream = rows[row].stream else { return }
            rows[row].stream = nil
            perform(.streamClosed(stream))
        case "r":
            rows[row].stream = nil
            perform(.deviceRevoked(key))
        case "c": openStream(row, key)
        case "v": openStream(row, key, .unavailable)
        case "t": openStream(row, key, .offline)
        default:
            openStream(row, key)
            if let event = activity(letter, on: key, each: step) { perform(event) }
        }
    }

    private mutating func perform(_ event: PresenceEngine.Event) { _ = engine.handle(event, at: now) }

    private mutating func openStream(_ row: Int, _ key: DeviceKey, _ set: SetPresence = .online) {
        guard rows[row].stream == nil else { return }
        streamCount += 1
        rows[row].stream = StreamID(streamCount)
        perform(.streamOpened(StreamID(streamCount), key, set))
    }

    /// What opens no stream.
    private static func contact(_ letter: Character, of key: DeviceKey) -> PresenceEngine.Event? {
        switch letter {
        case "s": .deviceSeen(key)
        case "y": .deviceSynced(key, .online)
        case "z": .deviceSynced(key, .unavailable)
        case "g": .deviceSynced(key, .offline)
        case "i": .deviceReported(key, DeviceReport(idleness: .idle(milliseconds: 0)))
        case "I": .deviceReported(key, DeviceReport(idleness: .idle(milliseconds: 600_000)))
        case "e": .deviceReported(key, DeviceReport(idleness: .active))
        case "w": .deviceReportWithdrawn(key)
        default: nil
        }
    }

    private func activity(_ letter: Character, on key: DeviceKey, each step: Duration) -> PresenceEngine.Event? {
        if letter == "a" { return .deviceActed(key) }
        if letter == "k" { return .overrideSet(key, nil) }
        if let steps = letter.wholeNumberValue {
            return .overrideSet(key, PresenceOverride(state: .busy, until: now + step * steps))
        }
        if let state = Drawing.choice(letter) { return .statusChosen(key, state, text: nil) }
        guard let lowered = letter.lowercased().first, let state = Drawing.choice(lowered) else { return nil }
        return .overrideSet(key, PresenceOverride(state: state))
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
