import PresenceEngine
import PresenceModel

/// One user with two devices, and every sequence of a few things that can happen to them: after each the engine is
/// compared with the naive model. Sequences share their beginnings: engine and model are values, copied at each branch.
///
/// Time moves from limit to limit: to the millisecond before the next moment at which something may change by itself, to
/// that moment, and to the one after. What is left out shows nothing new: a device is the second one only after the
/// first was used (before, the two are alike), a stream is closed only when open, and after the millisecond before a
/// limit no time passes (on the way to the limit that moment was looked at).
public struct SmallWorld: Sendable {
    /// One thing that can happen. Devices are 0 and 1.
    public enum Letter: Hashable, Sendable {
        /// The user picks a state, with a text or without, on the first device.
        case choose(ChosenState, text: String?)
        /// The user insists on a state for so long (`nil`: for good), or (`nil`) on nothing, on the first device.
        case insist(ChosenState?, for: Duration?)
        case seen(Int)
        case act(Int)
        case sync(Int, SetPresence)
        /// Idle for so many milliseconds already.
        case idle(Int, Int64)
        /// Somebody is there.
        case present(Int)
        case type(Int, String)
        case open(Int, SetPresence)
        case close(Int)
        case revoke(Int)
        /// To the millisecond before the next limit, to the limit, to the millisecond after it.
        case before, at, after
    }

    /// What came of all sequences.
    public struct Findings: Sendable {
        /// Sequences tried; every beginning of one is one.
        public var sequences = 0
        /// The first difference: the sequence and what differed.
        public var difference: String?

        /// Nothing tried.
        public init() {}
    }

    private static let start = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
    private static let steps: [Letter] = [.before, .at, .after]

    private let user: UserID
    private let keys: [DeviceKey]
    private var engine: PresenceEngine
    private var model: NaiveModel
    private var now = SmallWorld.start
    private var streamCount: UInt64 = 0
    private var streams: [StreamID?] = [nil, nil]
    private var path: [Letter] = []
    /// What an engine that met only the last deadline said otherwise.
    private var lateness: String?

    /// A user never seen.
    public init(_ configuration: PresenceEngine.Configuration = PresenceEngine.Configuration()) throws {
        user = try UserID(parsing: "@alice:here.example")
        keys = [
            DeviceKey(user: user, device: try DeviceID(parsing: "d0")),
            DeviceKey(user: user, device: try DeviceID(parsing: "d1")),
        ]
        engine = PresenceEngine(server: user.server, configuration: configuration)
        model = NaiveModel(limits: configuration)
        _ = engine.handle(.started, at: now)
    }

    /// Tries every sequence of up to `length` letters.
    ///
    /// - Parameters:
    ///   - prelude: what happened before; it does not count for `length`.
    ///   - first: with what all sequences begin; `nil`: with any of the alphabet.
    public func explore(
        _ alphabet: [Letter], length: Int, after prelude: [Letter] = [], beginningWith first: Letter? = nil
    ) -> Findings {
        var findings = Findings()
        var world = self
        for letter in prelude { _ = world.take(letter) }
        world.path = []
        world.explore(first.map { [$0] } ?? alphabet, then: alphabet, length: length, into: &findings)
        return findings
    }

    private func explore(
        _ letters: [Letter], then alphabet: [Letter], length: Int, into findings: inout Findings
    ) {
        guard length > 0 else { return }
        for letter in letters where findings.difference == nil {
            var next = self
            guard next.take(letter) else { continue }
            next.path.append(letter)
            findings.sequences += 1
            if let difference = next.difference {
                findings.difference = "\(next.path): \(difference)"
                return
            }
            next.explore(alphabet, then: alphabet, length: length - 1, into: &findings)
        }
    }

    /// - Returns: false where the letter shows nothing that another sequence does not.
    private mutating func take(_ letter: Letter) -> Bool {
        if SmallWorld.steps.contains(letter) { return pass(letter) }
        if let device = SmallWorld.device(of: letter) {
            if device == 1, path.isEmpty { return false }
            if case .open = letter, streams[device] != nil { return false }
            if case .close = letter, streams[device] == nil { return false }
        }
        let event = event(letter)
        model.note(event, on: user.server, at: now)
        _ = engine.handle(event, at: now)
        return true
    }

    private static func device(of letter: Letter) -> Int? {
        switch letter {
        case .seen(let device), .act(let device), .sync(let device, _), .idle(let device, _): device
        case .present(let device), .type(let device, _), .open(let device, _), .close(let device): device
        case .revoke(let device): device
        case .choose, .insist, .before, .at, .after: nil
        }
    }

    private mutating func event(_ letter: Letter) -> PresenceEngine.Event {
        switch letter {
        case .choose(let state, let text): return .statusChosen(keys[0], state, text: text)
        case .insist(let state, let duration):
            return .overrideSet(
                keys[0], state.map { PresenceOverride(state: $0, text: .asChosen, until: duration.map { now + $0 }) })
        case .seen(let device): return .deviceSeen(keys[device])
        case .act(let device): return .deviceActed(keys[device])
        case .sync(let device, let set): return .deviceSynced(keys[device], set)
        case .idle(let device, let milliseconds):
            return .deviceReported(keys[device], DeviceReport(idleness: .idle(milliseconds: milliseconds)))
        case .present(let device): return .deviceReported(keys[device], DeviceReport(idleness: .active))
        case .type(let device, let type):
            return .deviceReported(keys[device], DeviceReport(type: try? DeviceType(parsing: type)))
        case .open(let device, let set):
            streamCount += 1
            streams[device] = StreamID(streamCount)
            return .streamOpened(StreamID(streamCount), keys[device], set)
        case .close(let device):
            let stream = streams[device] ?? StreamID(0)
            streams[device] = nil
            return .streamClosed(stream)
        case .revoke(let device):
            streams[device] = nil
            return .deviceRevoked(keys[device])
        case .before, .at, .after: return .deadlineReached
        }
    }

    /// Every deadline on the way is met to the millisecond; on the way to a limit the one before it is looked at.
    private mutating func pass(_ letter: Letter) -> Bool {
        if path.last == .before { return false }
        guard let limit = model.person(user, at: now).moments(model.limits).min() else { return false }
        let eve = limit.advanced(byMilliseconds: -1)
        if eve > now { advance(to: eve) } else if letter == .before { return false }
        if letter != .before {
            guard difference == nil else { return true }
            advance(to: limit)
        }
        if letter == .after {
            guard difference == nil else { return true }
            advance(to: limit.advanced(byMilliseconds: 1))
        }
        return true
    }

    private mutating func advance(to end: Instant) {
        var late = engine
        while let deadline = engine.nextDeadline, deadline <= end {
            now = max(now, deadline)
            _ = engine.handle(.deadlineReached, at: now)
        }
        now = end
        // Whoever is late finds the same: only who leads may have come about otherwise.
        _ = late.handle(.deadlineReached, at: now)
        let (mine, theirs) = (SmallWorld.look(at: user, in: engine), SmallWorld.look(at: user, in: late))
        if mine.state != theirs.state || mine.text != theirs.text || mine.lastActive != theirs.lastActive {
            lateness = "\(mine), and late \(theirs)"
        }
    }

    private static func look(at user: UserID, in engine: PresenceEngine) -> NaiveModel.Look {
        guard case .known(let presence)? = engine.knowledge(of: user) else { return NaiveModel.Look() }
        return NaiveModel.Look(presence)
    }

    /// What the engine says otherwise than the model at this moment; `nil` for nothing.
    private var difference: String? {
        if let lateness { return lateness }
        let person = model.person(user, at: now)
        let shown = SmallWorld.look(at: user, in: engine)
        if shown != person.shown { return "at \(now - SmallWorld.start) \(person.shown), and the engine says \(shown)" }
        let devices = engine.devices(of: user, at: now).filter(\.isConnected)
        let lines = devices.map { "\($0.device) idle \($0.idleSince != nil) active \($0.lastActive ?? .epoch)" }
        let expected = person.sessions.sorted { $0.device < $1.device }.map { session in
            let isIdle = person.isIdle(session, at: now, model.limits)
            return "\(session.device) idle \(isIdle) active \(session.account.lastActive)"
        }
        if lines != expected { return "at \(now - SmallWorld.start) \(expected), and the engine says \(lines)" }
        var copy = engine
        let effects = copy.handle(.deadlineReached, at: now)
        return effects.isEmpty ? nil : "at \(now - SmallWorld.start) nothing was due, and the engine did \(effects)"
    }
}
