import BridgeEngine
import PresenceModel

/// What a seed makes of a world before anything happens in it. Chances are out of 1,000.
struct Weather: Sendable {
    var bridge = BridgeEngine.Configuration()
    var members = 3
    var strangers = 2
    /// Between two things that somebody does, on average.
    var paceMilliseconds: Int64 = 4_000
    /// Of the things done, those about friendships.
    var sociability = 400

    /// What is said on a session arrives after up to this, in order.
    var delayMilliseconds: Int64 = 50
    /// In Matrix as well.
    var matrixDelayMilliseconds: Int64 = 20
    var doubled = 0
    var answersLost = 0
    var refusedEdits = 0
    var ghostFailures = 0
    var presentFailures = 0
    /// A session breaks about this often.
    var sessionHolds: Duration?
    /// The whole social side is gone about this often.
    var socialHolds: Duration?
    /// The bridge falls about this often.
    var bridgeHolds: Duration?
    var honoursStop = true
    /// One user is never on the social side themself.
    var hasHomebodies = false
    /// Matrix says nothing of devices.
    var isUntold = false

    init(using generator: inout SeededGenerator) {
        members = generator.pick([2, 3, 4])
        strangers = generator.pick([1, 2])
        paceMilliseconds = generator.pick([500, 2_000, 8_000])
        sociability = generator.pick([100, 400, 700])
        delayMilliseconds = generator.pick([0, 50, 3_000])
        matrixDelayMilliseconds = generator.pick([0, 20, 1_000])
        hasHomebodies = generator.happens(500)
        honoursStop = generator.happens(500)
        bridge.textForm = generator.pick([.oldClient, .readable, .nothing])
        bridge.participation = .optOut
        bridge.promptsPerSecond = generator.pick([1, 200])
        guard generator.happens(800) else { return }
        doubled = generator.pick([0, 100])
        answersLost = generator.pick([0, 0, 200])
        refusedEdits = generator.pick([0, 0, 100])
        ghostFailures = generator.pick([0, 300])
        presentFailures = generator.pick([0, 100])
        sessionHolds = generator.pick([nil, .minutes(1), .minutes(4), .minutes(10)])
        socialHolds = generator.pick([nil, nil, .minutes(8)])
        bridgeHolds = generator.pick([nil, .minutes(3), .minutes(10)])
    }

    /// Nothing goes wrong, so that what follows from what can be told.
    var isFair: Bool {
        doubled + answersLost + refusedEdits + ghostFailures + presentFailures == 0 && sessionHolds == nil
            && socialHolds == nil && bridgeHolds == nil
    }

    mutating func heal() {
        delayMilliseconds = min(delayMilliseconds, 50)
        matrixDelayMilliseconds = min(matrixDelayMilliseconds, 50)
        doubled = 0
        answersLost = 0
        refusedEdits = 0
        ghostFailures = 0
        presentFailures = 0
        sessionHolds = nil
        socialHolds = nil
        bridgeHolds = nil
    }
}

extension SeededGenerator {
    mutating func pick<Choice>(_ choices: [Choice]) -> Choice {
        choices[Int.random(in: 0..<choices.count, using: &self)]
    }

    /// True `chance` times out of 1,000.
    mutating func happens(_ chance: Int) -> Bool { Int.random(in: 0..<1000, using: &self) < chance }

    /// About `mean`: half of it to one and a half.
    mutating func about(_ mean: Duration) -> Duration {
        let milliseconds = mean.inMilliseconds
        return .milliseconds(Int64.random(in: milliseconds / 2...milliseconds * 3 / 2, using: &self))
    }
}
