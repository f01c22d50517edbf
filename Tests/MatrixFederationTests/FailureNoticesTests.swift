import FederationEngine
import Logging
import MatrixWire
import NIOPosix
import PresenceModel
import PresenceRuntime
import Synchronization
import Testing

@testable import MatrixFederation

struct `Failures of other servers` {
    private let notices = FailureNotices<FederationError.Code>(serversLimit: 3)
    private let north: ServerName
    private let start = Instant(millisecondsSinceEpoch: 1_700_000_000_000)

    init() throws { north = try ServerName(parsing: "north.example") }

    private func isNews(_ code: FederationError.Code, minute: Int, of server: ServerName? = nil) -> Bool {
        notices.isNews(code, of: server ?? north, at: start + .minutes(minute))
    }

    @Test func `are told when they begin, and not again while they last`() {
        #expect(isNews(.unreachable, minute: 0))
        for minute in 0..<1000 { #expect(!isNews(.unreachable, minute: minute)) }
        #expect(notices.ended(of: north) == 1001)
        #expect(notices.ended(of: north) == nil)
    }

    @Test func `are told when they become of another kind, each kind once in ten minutes`() {
        #expect(isNews(.unreachable, minute: 0))
        #expect(isNews(.timedOut, minute: 1))
        #expect(isNews(.refused(status: 502), minute: 2))
        #expect(!isNews(.unreachable, minute: 3))
        #expect(!isNews(.timedOut, minute: 4))
        #expect(isNews(.unreachable, minute: 10))
        #expect(!isNews(.timedOut, minute: 10))
        #expect(!isNews(.unreachable, minute: 10))
    }

    @Test func `that come and go are told once in ten minutes, and their end as often`() {
        #expect(isNews(.timedOut, minute: 0))
        #expect(notices.ended(of: north) == 1)
        for minute in 1..<10 {
            #expect(!isNews(.timedOut, minute: minute))
            #expect(notices.ended(of: north) == nil)
        }
        #expect(isNews(.timedOut, minute: 10))
        #expect(notices.ended(of: north) == 1)
    }

    @Test func `of many kinds are told up to a bound`() {
        let news = (500..<600).filter { isNews(.refused(status: $0), minute: 0) }
        #expect(news.count == FailureNotices<FederationError.Code>.kindsLimit)
    }

    @Test func `of more servers than are followed are told when others recovered or are gone`() throws {
        let others = try (0..<4).map { try ServerName(parsing: "s\($0).example") }
        #expect(others.prefix(3).allSatisfy { isNews(.unreachable, minute: 0, of: $0) })
        #expect(!isNews(.unreachable, minute: 0, of: others[3]))
        #expect(notices.ended(of: others[3]) == nil)
        #expect(notices.ended(of: others[0]) == 1)
        #expect(!isNews(.unreachable, minute: 5, of: others[3]))
        #expect(isNews(.unreachable, minute: 11, of: others[3]))
        // Two are still followed, and are forgotten when nothing was heard of them for two hours.
        #expect(!isNews(.unreachable, minute: 13, of: others[0]))
        #expect(isNews(.unreachable, minute: 130, of: others[0]))
    }

    @Test func `to take transactions are one line`() async throws {
        let log = CollectedLog()
        var configuration = FederationTransport.Configuration()
        configuration.allowedNetworks = [AddressRange(parsing: "127.0.0.0/8")].compactMap(\.self)
        let transport = try FederationTransport(
            configuration: configuration, group: MultiThreadedEventLoopGroup.singleton,
            clock: StoppedClock(now: start), logger: log.logger)
        // Nothing listens at port 1.
        let nowhere = try ServerName(parsing: "127.0.0.1:1")
        let sender = TransactionSender(
            server: north, keys: OwnKeys([.generate()]), transport: transport, access: .everyone,
            busyValue: .unavailable,
            ageGranularity: .seconds(60), clock: StoppedClock(now: start), logger: log.logger)
        for number in 0..<4 {
            let transaction = OutgoingTransaction(
                id: "t\(number)", destination: nowhere, composed: start, messages: [PresenceMessage()])
            #expect(await sender.deliver(transaction) == .failed(.unanswered(after: nil)))
        }
        try await transport.shutdown()
        #expect(log.lines(.info) == ["a transaction was not taken; it is tried again"])
        #expect(log.lines(.debug).count { $0 == "a transaction was not taken; it is tried again" } == 3)
    }
}

private struct StoppedClock: PresenceClock {
    let now: Instant
}

/// What was logged, by level.
private final class CollectedLog: Sendable {
    private let entries = Mutex<[(level: Logger.Level, text: String)]>([])

    var logger: Logger {
        var logger = Logger(label: "test") { [self] _ in Collector(log: self) }
        logger.logLevel = .trace
        return logger
    }

    func lines(_ level: Logger.Level) -> [String] {
        entries.withLock { $0.filter { $0.level == level }.map(\.text) }
    }

    private struct Collector: LogHandler {
        let log: CollectedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.entries.withLock { $0.append((event.level, "\(event.message)")) }
        }
    }
}
