import AuthChain
import BridgeEngine
import Foundation
import NIOCore
import NIOPosix
import PresenceModel
import SocialBridge
import SocialClient
import SocialEngine
import Synchronization
import Testing

/// A production service behind its gate, and somebody whom it knows.
struct ProductionBench {
    static let wallet = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
    static let me = "0x2c7536e3605d9c16a7a3d7b1898e529396a65c23"

    let played = PlayedProduction()
    let gate: SignedGate
    let clock = Clock()
    let identity: EphemeralIdentity
    let profiles = SocialProfiles()

    final class Clock: Sendable {
        private let instant = Mutex(Instant(millisecondsSinceEpoch: 1_790_000_000_000))

        var now: Instant { instant.withLock { $0 } }

        func pass(_ duration: Duration) { instant.withLock { $0 = $0 + duration } }
    }

    init(garbage: (@Sendable () -> Data)? = nil) async throws {
        let port = try await played.start(garbage: garbage)
        // The service's clock stands still: what is passed is the user's.
        gate = try await SignedGate(before: port) { Instant(millisecondsSinceEpoch: 1_790_000_000_000) }
        identity = try ProductionBench.identity(expiring: .hours(24), at: clock.now)
    }

    static func identity(expiring: Duration, at now: Instant) throws -> EphemeralIdentity {
        let wallet = try #require(EthereumKey(wallet))
        let ephemeral = try #require(EthereumKey("0x" + String(repeating: "11", count: 32)))
        let chain = AuthChain.signing("x", wallet: wallet, ephemeral: ephemeral, expiration: now + expiring)
        return try EphemeralIdentity(links: Array(chain.links.dropLast()), key: ephemeral, at: now)
    }

    func client(_ change: (inout ProductionClient.Configuration) -> Void = { _ in }) async throws -> ProductionClient {
        var configuration = ProductionClient.Configuration(url: gate.url)
        configuration.connectTimeout = .seconds(30)
        change(&configuration)
        return try await ProductionClient.connect(
            configuration, opening: { [clock, identity] in SignedFetch(opening: identity, at: clock.now).message },
            profiles: profiles, now: { [clock] in clock.now })
    }

    func service(
        acquaintances: [String] = [], _ change: (inout ProductionService.Configuration) -> Void = { _ in }
    ) -> ProductionService {
        var configuration = configuration
        change(&configuration)
        let known = acquaintances.compactMap { try? SocialAddress(parsing: $0) }
        return service(configuration) { _ in known }
    }

    func service(
        _ configuration: ProductionService.Configuration? = nil,
        acquaintances: @escaping @Sendable (SocialAddress) async -> [SocialAddress]
    ) -> ProductionService {
        ProductionService(
            configuration ?? self.configuration, profiles: profiles, now: { [clock] in clock.now },
            acquaintances: acquaintances)
    }

    /// With windows that close soon.
    private var configuration: ProductionService.Configuration {
        var configuration = ProductionService.Configuration(url: gate.url)
        configuration.session.window.silentAtFirst = .milliseconds(50)
        configuration.session.window.silentAfterwards = .milliseconds(50)
        configuration.session.window.lookEvery = .milliseconds(5)
        configuration.session.readingPause.first = .milliseconds(10)
        return configuration
    }

    func session(of service: ProductionService) async throws -> any BridgedSession {
        try await service.session(
            of: UserID(parsing: "@me:example.org"), at: SocialAddress(parsing: ProductionBench.me),
            with: .identity(identity))
    }

    func stop() async {
        gate.close()
        await played.stop()
    }
}

/// What a session told.
final class ToldWords: Sendable {
    private let words = Mutex<[BridgedWord]>([])

    var all: [BridgedWord] { words.withLock { $0 } }

    func note(_ word: BridgedWord) { words.withLock { $0.append(word) } }

    var presence: [BridgedWord] {
        all.filter { word in
            switch word {
            case .snapshot, .changed: true
            case .opened, .read, .happened: false
            }
        }
    }

    var readings: [FriendshipReading] {
        all.compactMap { if case .read(let reading) = $0 { reading } else { nil } }
    }
}

/// Looks every few milliseconds until it is so, or a deadline passes.
func itComes(until isSo: @Sendable () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while try await !isSo() {
        try #require(ContinuousClock.now < deadline, "it did not come to that")
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        try await loop.scheduleTask(in: .milliseconds(5)) {}.futureResult.get()
    }
}
