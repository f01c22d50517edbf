import BridgeEngine
import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime
import SocialBridge
import SocialEngine
import Synchronization
import Testing

/// A presence runtime of `x.org`, whoever listens to it, and what a Matrix side tells the bridge.
final class SideBench: Sendable {
    private struct NoDisk: Journal {
        func append(_ records: [PresenceInstance.Record]) {}
        func settle() async throws {}
    }

    private struct NoNetwork: TransactionDelivery {
        func deliver(_ transaction: OutgoingTransaction) async -> DeliveryOutcome { .delivered }
    }

    /// Keeps all that it hears.
    final class Ears: BridgeEars {
        private let heard = Mutex<[BridgeEngine.Event]>([])
        var all: [BridgeEngine.Event] { heard.withLock { $0 } }
        func hear(_ event: BridgeEngine.Event) async { heard.withLock { $0.append(event) } }
    }

    let server: ServerName
    let runtime: PresenceRuntime
    let watch = LocalUserWatch(followers: 0)
    let ears = Ears()
    let clock = AnchoredClock(wallMilliseconds: 1_700_000_000_000)

    init(policy: ListPolicy = .ask) async throws {
        server = try ServerName(parsing: "x.org")
        var configuration = PresenceEngine.Configuration()
        configuration.tellsLocalViews = true
        configuration.reservedPrefixes = ["_social_"]
        configuration.listPolicy = policy
        runtime = PresenceRuntime(
            instance: PresenceInstance(
                presence: PresenceEngine(server: server, configuration: configuration),
                federation: FederationEngine(server: server, boot: 1, seed: 1)),
            clock: clock, journal: NoDisk(), delivery: NoNetwork(), boot: 1, listener: watch)
        await runtime.start(from: PresenceInstance.Snapshot())
    }

    static func user(_ name: String) throws -> UserID { try UserID(parsing: "@\(name):x.org") }

    static func address(_ name: String) throws -> SocialAddress { try SocialAddress(parsing: name) }

    /// Waits until `event` was heard.
    func hears(_ event: BridgeEngine.Event) async throws { try await waitsToHear("\(event)") { $0.contains(event) } }

    /// Waits until what was heard is as it should be.
    func waitsToHear(_ what: String, until isSo: ([BridgeEngine.Event]) -> Bool) async throws {
        try #require(await comes { isSo(ears.all) }, "\(what); heard \(ears.all)")
    }

    /// Waits until the engine is as it should be.
    func waits(_ what: String, until isSo: @Sendable (PresenceEngine) -> Bool) async throws {
        try #require(await comes { await runtime.read { engine, _ in isSo(engine) } }, "\(what)")
    }

    /// How many edits were refused.
    var refused: Int { ears.all.count { if case .editRefused = $0 { true } else { false } } }

    /// The latest bond that was told of two.
    func bond(_ user: UserID, _ other: UserID) -> Bond? {
        ears.all.reduce(nil) { before, event in
            switch event {
            case .listReported(user, other, let bond, _): bond
            case .listReported(other, user, let bond, _): bond.turned
            case .listRead(user, let bonds): bonds[other] ?? .nothing
            default: before
            }
        }
    }
}
