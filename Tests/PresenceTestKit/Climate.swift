import FederationEngine
import PresenceEngine
import PresenceModel

/// What a seed makes of the world before anything happens in it: limits, faults and pace.
struct Climate: Sendable {
    var presence = PresenceEngine.Configuration()
    var federation = FederationEngine.Configuration()

    // Network. Chances are out of 1,000 transactions.
    var latencyMilliseconds: ClosedRange<Int64> = 1...50
    /// A request that is lost is given up after this.
    var timeoutMilliseconds: ClosedRange<Int64> = 5_000...20_000
    var requestsLost = 0
    var answersLost = 0
    var duplicated = 0
    /// Of the requests that are lost, those that arrive long after they were given up.
    var late = 0
    /// Answered with 200, and not taken: of those that no promise of delivery covers.
    var swallowed = 0
    var refused = 0
    var toldToWait = 0
    /// The network between two servers fails after about this long, and comes back after about that long.
    var linkHolds: Duration?
    var linkFails: Duration = .minutes(1)

    /// A server is killed about this often.
    var serverHolds: Duration?
    /// Of its falls, those after which it stays away for hours.
    var longFalls = 0
    /// Of its falls, those after which it knows of other servers what it knew some minutes earlier.
    var oldCommits = 0
    /// That a server is down for good when everything else heals.
    var staysDown = 0

    /// A server's clock is wrong by up to this, either way.
    var clockErrorMilliseconds: Int64 = 0
    /// Today's servers: they push, ignore polls, and forget.
    var legacyServers = 0

    // Pace.
    var usersPerServer = 3
    var devicesPerUser = 2
    /// Between two things that users do, on average.
    var paceMilliseconds: Int64 = 1_000
    /// Of 1,000 things that users do, how many are followed by a long silence.
    var silences = 10
    /// A stream with something new is read after up to this.
    var readingMilliseconds: Int64 = 0
    /// A server hears of what happens in rooms after up to this; every server after a time of its own.
    var noticeMilliseconds: Int64 = 0
    /// Of the things that users do, those that are about lists, groups and rooms: as much again for each of them.
    var sociability = 1

    init(using generator: inout SeededGenerator) {
        drawLimits(using: &generator)
        drawFaults(using: &generator)
        drawPace(using: &generator)
    }

    private mutating func drawLimits(using generator: inout SeededGenerator) {
        presence.idleAfter = generator.pick([.minutes(1), .minutes(5), .minutes(5)])
        presence.busyEndsAfter = generator.pick([.minutes(10), .hours(1)])
        presence.devicesPerUser = generator.pick([2, 32, 32])
        presence.streamsPerUser = generator.pick([2, 100, 100])
        presence.listEntriesPerUser = generator.pick([3, 1000, 1000])
        presence.requestsPerUser = generator.pick([1, 200, 200])
        presence.requestsPerServer = generator.pick([1, 50, 50])
        presence.consentsPerUser = generator.pick([3, 5000, 5000])
        presence.groupsPerUser = generator.pick([1, 64, 64])
        presence.roomsPerUser = generator.pick([2, 10_000, 10_000])
        presence.arrivalsPerUser = generator.pick([1, 3, 1000])
        presence.interestLimit = generator.pick([.minutes(5), .hours(1)])
        presence.grantsMutually = generator.happens(750)
        presence.listPolicy = generator.pick([.ask, .ask, .acceptSharedRoom, .acceptAll])
        presence.hiddenUsersCare = generator.happens(100)
        federation.batchWindow = generator.pick([.seconds(1), .seconds(10), .seconds(10)])
        federation.batchStretch = generator.pick([.seconds(10), .seconds(60)])
        federation.batchLead = generator.pick([.window, .immediate])
        federation.promise = generator.pick([.minutes(12), .minutes(30), .minutes(65)])
        federation.unpollGrace = generator.pick([.seconds(5), .seconds(60)])
        federation.retryLimit = generator.pick([.seconds(30), .minutes(2), .minutes(10)])
        federation.statesPerEDU = generator.pick([1, 2, 50])
        federation.edusPerTransaction = generator.pick([1, 3, 100])
        federation.pollsPerEDU = generator.pick([1, 500])
        federation.transactionsRemembered = generator.pick([4, 64])
        federation.shortWatchdog = generator.pick([.seconds(20), .seconds(60), .seconds(60)])
        federation.longWatchdog = generator.pick([.minutes(10), .minutes(60)])
        federation.quietBeforeLead = generator.pick([.seconds(5), .seconds(60)])
    }

    private mutating func drawFaults(using generator: inout SeededGenerator) {
        latencyMilliseconds = generator.pick([0...0, 1...50, 20...2_000])
        guard generator.happens(850) else { return }
        requestsLost = generator.pick([0, 20, 200, 600])
        answersLost = generator.pick([0, 20, 200, 600])
        duplicated = generator.pick([0, 50, 300])
        late = generator.pick([0, 300])
        swallowed = generator.pick([0, 0, 0, 30])
        refused = generator.pick([0, 10])
        toldToWait = generator.pick([0, 0, 50])
        linkHolds = generator.pick([nil, .minutes(2), .minutes(20)])
        linkFails = generator.pick([.seconds(20), .minutes(5), .minutes(20)])
        serverHolds = generator.pick([nil, .minutes(3), .minutes(20)])
        longFalls = generator.pick([0, 100])
        oldCommits = generator.pick([0, 0, 300])
        staysDown = generator.pick([0, 0, 500])
    }

    private mutating func drawPace(using generator: inout SeededGenerator) {
        usersPerServer = generator.pick([1, 3, 4])
        devicesPerUser = generator.pick([1, 2, 3])
        paceMilliseconds = generator.pick([1_000, 5_000, 20_000, 60_000])
        silences = generator.pick([0, 5, 50])
        readingMilliseconds = generator.pick([0, 500])
        noticeMilliseconds = generator.pick([0, 0, 3_000])
        sociability = generator.pick([1, 1, 4])
        clockErrorMilliseconds = generator.pick([0, 60_000, 9 * 3_600_000])
        legacyServers = generator.pick([0, 0, 1])
        // In the fuller worlds rooms are large at times.
        if legacyServers > 0, usersPerServer == 4 { presence.nearRoomLimit = 4 }
    }

    /// Whether nothing ever goes wrong between servers.
    var isFair: Bool {
        requestsLost + answersLost + swallowed + refused + toldToWait == 0 && linkHolds == nil && serverHolds == nil
    }

    /// Nothing is lost, late or killed any more, and users are quick.
    mutating func heal() {
        latencyMilliseconds = 1...50
        requestsLost = 0
        answersLost = 0
        duplicated = 0
        late = 0
        swallowed = 0
        refused = 0
        toldToWait = 0
        linkHolds = nil
        serverHolds = nil
        paceMilliseconds = 1_000
        silences = 0
    }
}

extension SeededGenerator {
    /// One of `choices`, which are not none.
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
