import PresenceEngine
import PresenceModel

/// The presence engine alone: one user changes state before many local observers, each of whom has a stream open.
struct ObserversLoad {
    static let observerCount = 1000

    /// How the observers came to be ones.
    enum Tie: String, CaseIterable {
        case list = "on their presence lists"
        case room = "in one room with them"
    }

    static func measure(seconds: Double, tie: Tie) throws -> Measurement {
        let now = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
        var engine = PresenceEngine(server: try ServerName(parsing: "lab.localhost"))
        var effects = engine.handle(.started, at: now)
        let device = try DeviceID(parsing: "LAB")
        let star = try EngineLoad.key(0, device)
        let room = try RoomID(parsing: "!lab:lab.localhost")
        engine.handle(.deviceActed(star), at: now, into: &effects)
        if tie == .room { engine.handle(.roomJoined(star.user, room), at: now, into: &effects) }
        for number in 1...observerCount {
            let key = try EngineLoad.key(number, device)
            engine.handle(.streamOpened(StreamID(UInt64(number)), key, .online), at: now, into: &effects)
            switch tie {
            case .list:
                engine.handle(
                    .entryAdded(observer: key.user, observed: star.user, note: nil, acl: nil), at: now, into: &effects)
                engine.handle(.requestAccepted(observed: star.user, observer: key.user), at: now, into: &effects)
            case .room:
                engine.handle(.roomJoined(key.user, room), at: now, into: &effects)
            }
        }
        let pace = Pace(seconds: seconds)
        var changes = 0
        var wakes = 0
        repeat {
            effects.removeAll(keepingCapacity: true)
            let state: ChosenState = changes % 2 == 0 ? .busy : .online
            engine.handle(.statusChosen(star, state, text: nil), at: now, into: &effects)
            changes += 1
            wakes += effects.count
        } while pace.goesOn(after: changes)
        let elapsed = pace.elapsedSeconds
        return Measurement(
            title: "A state change before \(observerCount) local observers, \(tie.rawValue)",
            conditions: "one user picks busy and online in turns; \(observerCount) observers with a stream each; "
                + "effects are counted and dropped",
            figures: [
                Figure("microseconds per change", elapsed * 1e6 / Double(changes), "µs"),
                Figure("effects per change", Double(wakes) / Double(changes), ""),
            ])
    }
}
