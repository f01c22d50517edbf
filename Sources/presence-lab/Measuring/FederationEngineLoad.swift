import FederationEngine
import PresenceModel

/// The federation engine alone: many servers push the states of users whom somebody here watches.
struct FederationEngineLoad {
    static let serverCount = 100
    static let statesPerMessage = 50

    private struct Origin {
        let name: ServerName
        /// The same users, first in one state, then in another.
        let messages: [PresenceMessage]
    }

    private let origins: [Origin]
    private var engine: FederationEngine
    private var effects: [FederationEngine.Effect] = []
    private var now = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
    private var transactionCount = 0
    private var deliveries: [OutgoingTransaction] = []

    init() throws {
        engine = FederationEngine(server: try ServerName(parsing: "lab.localhost"), boot: 1, seed: 1)
        origins = try (0..<FederationEngineLoad.serverCount).map { number in
            let name = "peer\(number).localhost"
            let users = try (0..<FederationEngineLoad.statesPerMessage).map {
                try UserID(parsing: "@user\($0):\(name)")
            }
            let messages = [PublishedState.online, .unavailable].map { state in
                var message = PresenceMessage()
                message.push = users.map { user in
                    PresenceMessage.Report(user: user, presence: Presence(state: state, lastActive: .epoch))
                }
                message.promise = .minutes(65)
                message.speaksExtension = true
                return message
            }
            return Origin(name: try ServerName(parsing: name), messages: messages)
        }
        for report in origins.flatMap(\.messages[0].push) { submit(.interestBegan(report.user)) }
        meetDeadlines()
    }

    static func measure(seconds: Double) throws -> Measurement {
        var load = try FederationEngineLoad()
        let pace = Pace(seconds: seconds)
        repeat { for _ in 0..<16 { load.step() } } while pace.goesOn(after: load.pushCount)
        let elapsed = pace.elapsedSeconds
        return Measurement(
            title: "Federation engine, one core",
            conditions: "\(FederationEngineLoad.serverCount) servers in turn, one transaction per virtual ms with "
                + "\(FederationEngineLoad.statesPerMessage) states, other ones each time; every user is watched and "
                + "was polled for; effects are counted and dropped",
            figures: [
                Figure("received states", Double(load.pushCount) / elapsed, "/s"),
                Figure("received transactions", Double(load.transactionCount) / elapsed, "/s"),
                Figure("nanoseconds per state", elapsed * 1e9 / Double(load.pushCount), "ns"),
            ])
    }

    private var pushCount: Int { transactionCount * FederationEngineLoad.statesPerMessage }

    private mutating func step() {
        let origin = origins[transactionCount % origins.count]
        let message = origin.messages[transactionCount / origins.count % 2]
        submit(.received(from: origin.name, transaction: "t\(transactionCount)", [message]))
        transactionCount += 1
        now = now.advanced(byMilliseconds: 1)
        meetDeadlines()
    }

    /// Everything due, and every transaction sent is taken at once.
    private mutating func meetDeadlines() {
        for _ in 0..<100 {
            guard let next = engine.nextDeadline, next <= now else { return }
            submit(.deadlineReached)
            while let sent = deliveries.popLast() {
                submit(.delivered(to: sent.destination, transaction: sent.id))
            }
        }
    }

    private mutating func submit(_ event: FederationEngine.Event) {
        effects.removeAll(keepingCapacity: true)
        engine.handle(event, at: now, into: &effects)
        for case .send(let transaction) in effects { deliveries.append(transaction) }
    }
}
